"""Metrics of ranks: samples are kept, and a bootstrap is a value under weights of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from harness.evaluation.collectors.base import ByPart, Collector, PairedParts, Shared
from harness.evaluation.collectors.checks import numbers, score_check
from harness.evaluation.collectors.frame import Frame, Parts
from harness.guard import Contract
from harness.metrics import RankMetric, ScoredSample
from harness.metrics.contract import HasUnits, TellsNotes, range_of
from harness.runs.record import MetricValue
from harness.specs import MetricSpec
from harness.stats.bootstrap import Units, cluster_rows, of_units, ranks_interval, ranks_resampled
from harness.stats.collect import counted
from harness.stats.interval import Interval
from harness.stats.labelled import PERMUTATIONS, Labelled
from harness.stats.paired import Paired, paired_ranks
from harness.stats.rows import Matrix
from harness.stats.types import Codes, Floats


class RankCollector(Collector):
    """A metric of ranks; all of an evaluation share the samples that they keep."""

    protocol = RankMetric
    wants = "prepare and value (ranks)"
    rank = 2
    metric: RankMetric

    def __init__(
        self, spec: MetricSpec, metric: RankMetric, shared: Shared, *, needs_target: bool
    ) -> None:
        super().__init__(spec, metric, shared, needs_target=needs_target)
        self._feeds = RankCollector not in shared
        self._kept: _Kept = shared.setdefault(RankCollector, _Kept())

    @staticmethod
    def guarded(metric: Any, contract: Contract) -> Any:
        """Return a stand-in that checks values under weights."""

        def check(values: Any, prepared: Any, weights: Floats) -> Floats:
            del prepared
            return numbers(values, weights.shape[:1], "value", contract)

        return contract.guarded(metric, {"score": score_check(contract), "value": check})

    def add(self, *samples: ScoredSample) -> None:
        """Keep the next samples, unless another collector of ranks does."""
        for sample in samples if self._feeds else ():
            self._kept.add(sample)

    def point(self, frame: Frame) -> float:
        """Return the value with every sample once, which needs no frame."""
        del frame
        return self._value(self._kept.samples)

    def _value(self, samples: Sequence[ScoredSample]) -> float:
        return float(self.metric.value(self.metric.prepare(samples), np.ones((1, len(samples))))[0])

    def notes(self) -> Mapping[str, int]:
        """Return what a metric that says so leaves out."""
        if not isinstance(self.metric, TellsNotes):
            return {}
        return self.metric.notes([sample for sample in self._kept.samples if self.takes(sample)])

    def overall(self, frame: Frame, seed: int) -> MetricValue:
        """Return the value with Wilson's interval of units or a bootstrap's."""
        if not len(frame.codes):
            return self.recorded(float("nan"), None)
        taken = self._taken(frame)
        prepared = self.metric.prepare(taken.samples)
        possible = range_of(self.metric, prepared)
        value, interval = ranks_interval(
            lambda weights: self.metric.value(prepared, weights),
            taken.codes,
            units=self._units(prepared) if taken.samples else None,
            possible=possible,
            strata=taken.strata,
            seed=seed,
        )
        return self.recorded(value, interval, possible)

    def by_slice(self, parts: Parts, frame: Frame, seed: int) -> ByPart:
        """Return the value in every part; each part is ranked by itself, under shared weights."""
        metric, taken = self.metric, self._taken(frame)
        members = parts.members(taken.places)
        prepared = [metric.prepare([taken.samples[at] for at in part]) for part in members]

        def values(weights: Floats) -> Floats:
            pairs = zip(prepared, members, strict=True)
            return np.stack([metric.value(held, weights[:, part]) for held, part in pairs], axis=-1)

        clusters = int(taken.codes.max()) + 1 if len(taken.codes) else 0
        rows = cluster_rows(clusters, taken.strata)
        # One resampling for all parts: differences between groups need common draws.
        drawn = ranks_resampled(values, taken.codes, rows, seed=seed, numbers=parts.pairs)
        ranges = [range_of(metric, held) for held in prepared]
        intervals: list[Interval | None] = []
        for position, part in enumerate(members):
            used_clusters, codes = np.unique(taken.codes[part], return_inverse=True)
            strata = None if taken.strata is None else taken.strata[used_clusters]
            units = self._units(prepared[position]) if len(used_clusters) > 1 else None
            interval = None if units is None else of_units(units, codes, strata)
            if interval is None:
                # A part rests on its own clusters only, and BCa needs enough of them.
                interval = drawn.at(position).interval(clusters=len(used_clusters))
            intervals.append(interval and interval.within(ranges[position]))
        labelled = taken.labelled(parts, frame)

        def permuted() -> Iterator[Floats]:
            # Everything is ranked once; a permuted part is a row of weights of 0 and 1.
            inside = labelled.members(parts.names)
            for labels in labelled.permuted_labels(PERMUTATIONS, seed):
                yield metric.value(prepared[0], inside[:, labels].astype(np.float64))

        return ByPart(drawn, intervals, ranges, permuted, labelled.within)

    def paired(self, other: RankCollector, parts: Parts, frame: Frame, seed: int) -> PairedParts:
        """Compare by ranking both evaluations' samples together, under weights that pick one."""
        metric, taken = self.metric, self._taken(frame)
        n, again = len(taken.samples), other.ordered(frame)
        members = [np.concatenate([part, part + n]) for part in parts.members(taken.places)]
        # A set that a metric finds by its cluster must not join that of the other evaluation.
        others = (replace(again[at], cluster=f"{again[at].cluster}\n") for at in taken.places)
        samples = [*taken.samples, *others]
        prepared = [metric.prepare([samples[at] for at in part]) for part in members]

        def values(weights: Floats) -> Floats:
            pairs = zip(prepared, members, strict=True)
            return np.stack([metric.value(held, weights[:, part]) for held, part in pairs], axis=-1)

        # Both evaluations are ranked as one list: weights of 1 and 0 pick either half of it.
        picked, bounds = values(np.eye(2).repeat(n, axis=1)), range_of(metric, prepared[0])
        paired = paired_ranks(values, taken.codes, strata=taken.strata, seed=seed, possible=bounds)
        for at, part in enumerate(parts.members(taken.places)):
            alone = [self._value([samples[place] for place in half]) for half in (part, part + n)]
            if np.isnan(alone).any():
                picked[np.isnan(alone), at], paired[at] = np.nan, Paired(None, None, None, None)
        return PairedParts(picked[0], picked[1], paired)

    def ordered(self, frame: Frame) -> list[ScoredSample]:
        """Return the samples in the frame's order."""
        return frame.ordered(self._kept.samples)

    def _units(self, prepared: Any) -> Units | None:
        return self.metric.units(prepared) if isinstance(self.metric, HasUnits) else None

    def _taken(self, frame: Frame) -> _Taken:
        ordered = self.ordered(frame)
        places = np.array(
            [place for place, sample in enumerate(ordered) if self.takes(sample)], dtype=np.int64
        )
        clusters, codes = np.unique(frame.codes[places], return_inverse=True)
        strata = None if frame.strata is None else frame.strata[clusters]
        return _Taken([ordered[place] for place in places], places, codes, strata)


@dataclass(slots=True)
class _Kept:
    """The samples of an evaluation as they came."""

    samples: list[ScoredSample] = field(default_factory=list)
    _groups: dict[object, Mapping[str, str]] = field(default_factory=dict)

    def add(self, sample: ScoredSample) -> None:
        """Keep what a metric of ranks may read; samples of the same groups share them."""
        groups = sample.groups or {}
        shared = self._groups.setdefault(tuple(groups.items()), groups)
        self.samples.append(replace(sample, stratum="", source="", groups=shared))


@dataclass(frozen=True, slots=True)
class _Taken:
    """The samples that a metric sees, in the frame's order.

    Attributes:
        places: ``(samples,)`` where each stands among all samples.
        codes: ``(samples,)`` the cluster of each, from 0 without gaps.
        strata: ``(clusters,)`` or ``None``.
    """

    samples: Sequence[ScoredSample]
    places: Codes
    codes: Codes
    strata: Codes | None

    def labelled(self, parts: Parts, frame: Frame) -> Labelled:
        """Return the labels alone, to be permuted; ranks have no statistics to add up."""
        nothing: Matrix = csr_array((len(self.samples), 0))
        labels, units = parts.labels[self.places], counted(frame.sources[self.places])
        return Labelled(nothing, labels, parts.label_names, self.codes, units, self.strata)
