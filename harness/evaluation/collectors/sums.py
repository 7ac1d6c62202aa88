"""Metrics of sums: statistics add up over clusters, and a bootstrap is one matrix product."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from harness.evaluation.collectors.base import ByPart, Collector, PairedParts, Shared
from harness.evaluation.collectors.checks import check_size, numbers, score_check, statistics_check
from harness.evaluation.collectors.frame import Frame, Parts
from harness.guard import Contract
from harness.metrics import AdditiveMetric, ScoredSample
from harness.metrics.contract import range_of
from harness.runs.record import MetricValue
from harness.specs import MetricSpec
from harness.stats.bootstrap import of_proportion, resampled, sums_interval
from harness.stats.collect import Statistics
from harness.stats.interval import Interval
from harness.stats.intervals import Resampled
from harness.stats.labelled import PERMUTATIONS
from harness.stats.paired import mcnemar, paired_sums
from harness.stats.rows import DistinctRows, Matrix
from harness.stats.types import Floats


class SumCollector(Collector):
    """A metric of sums; its statistics are kept sample by sample until all are there."""

    protocol = AdditiveMetric
    wants = "statistics and finalize (sums)"
    rank = 3
    metric: AdditiveMetric

    def __init__(
        self, spec: MetricSpec, metric: AdditiveMetric, shared: Shared, *, needs_target: bool
    ) -> None:
        super().__init__(spec, metric, shared, needs_target=needs_target)
        self.statistics = Statistics()
        self.proportion = bool(getattr(metric, "proportion", False))

    @staticmethod
    def guarded(metric: Any, contract: Contract) -> Any:
        """Return a stand-in that checks statistics and sums."""
        check_size(metric.size, contract)

        def check(values: Any, totals: Floats) -> Floats:
            return numbers(values, totals.shape[:-1], "finalize", contract)

        return contract.guarded(
            metric,
            {
                "score": score_check(contract),
                "statistics": statistics_check(contract),
                "finalize": check,
            },
        )

    def add(self, *samples: ScoredSample) -> None:
        """Add the next samples' statistics; none where the metric must not see it."""
        for sample in samples:
            # An empty row keeps rows and samples in step, for slices and paired comparisons.
            self.statistics.add(self.metric.statistics(sample) if self.takes(sample) else {})

    def point(self, frame: Frame) -> float:
        """Return the value of the sums over all samples, which need no frame."""
        del frame
        return float(self.metric.finalize(totals_of(self.statistics.matrix(self.metric.size))))

    def overall(self, frame: Frame, seed: int) -> MetricValue:
        """Return the value with Wilson's interval or a bootstrap's."""
        value, interval, possible = math.nan, None, range_of(self.metric)
        if len(frame.codes):
            value, interval = sums_interval(
                self.metric.finalize,
                self.statistics.totals(self.metric.size, frame.codes, frame.order),
                proportion=self.proportion,
                possible=possible,
                strata=frame.strata,
                seed=seed,
            )
        return self.recorded(value, interval, possible)

    def by_slice(self, parts: Parts, frame: Frame, seed: int) -> ByPart:
        """Return the value in every part; a cluster's row holds the sums of all parts."""
        metric, size, names = self.metric, self.metric.size, parts.names
        labelled = parts.labelled(self.statistics.matrix(size, frame.order), frame)
        rows = labelled.distinct(names)

        def values(totals: Floats) -> Floats:
            # A row of totals holds the statistics of all parts, one part after the other.
            return metric.finalize(totals.reshape(*totals.shape[:-1], len(names), size))

        drawn = resampled(values, rows, seed=seed, numbers=parts.pairs)
        # Everything has its interval from `overall`.
        intervals: list[Interval | None] = [None]
        for position, members in enumerate(parts.members(np.arange(len(frame.codes)))[1:], 1):
            clusters = len(np.unique(frame.codes[members]))
            intervals.append(self._interval(rows, drawn, position, clusters))

        def permuted() -> Iterator[Floats]:
            for totals in labelled.permuted(names, PERMUTATIONS, seed):
                yield metric.finalize(totals)

        ranges = [range_of(metric)] * len(names)
        return ByPart(drawn, intervals, ranges, permuted, labelled.within)

    def paired(self, other: SumCollector, parts: Parts, frame: Frame, seed: int) -> PairedParts:
        """Compare the sums of two evaluations, cluster by cluster."""
        metric, names = self.metric, parts.names
        # A vector of statistics may have grown further in one of the two evaluations.
        size = max(metric.size, other.metric.size)
        sums = [
            parts.labelled(collector.statistics.matrix(size, frame.order), frame).by_cluster(names)
            for collector in (self, other)
        ]

        def values(totals: Floats) -> Floats:
            return metric.finalize(totals.reshape(*totals.shape[:-1], len(names), size))

        paired = paired_sums(
            values, *sums, strata=frame.strata, seed=seed, possible=range_of(metric)
        )
        first, second = (values(totals_of(of_one)[None])[0] for of_one in sums)
        return PairedParts(first, second, paired, _mcnemar(sums) if self.proportion else None)

    def _interval(
        self, rows: DistinctRows, drawn: Resampled, position: int, clusters: int
    ) -> Interval | None:
        """Return one part's interval: Wilson's for a proportion that has one."""
        if clusters < 2 or not np.isfinite(drawn.value[position]):
            return None
        if self.proportion:
            size = self.metric.size
            columns = slice(position * size, (position + 1) * size)
            part = DistinctRows(rows.rows[:, columns], rows.counts, rows.strata)
            wilsons = of_proportion(part)
            if wilsons is not None:
                return wilsons
        interval = drawn.at(position).interval(clusters=clusters)
        return interval and interval.within(range_of(self.metric))


def totals_of(sums: Matrix) -> Floats:
    """Return ``(size,)`` sums over all rows."""
    return np.asarray(sums.sum(axis=0), dtype=np.float64)


def _mcnemar(sums: Sequence[Matrix]) -> float | None:
    """Return McNemar's p value where each cluster is one sample, right or wrong."""
    (right, trials), (now, again) = (of_one[:, :2].toarray().T for of_one in sums)
    if (trials != 1).any() or (again != 1).any() or not np.isin((right, now), (0.0, 1.0)).all():
        return None
    return mcnemar(int(((now == 1) & (right == 0)).sum()), int(((now == 0) & (right == 1)).sum()))
