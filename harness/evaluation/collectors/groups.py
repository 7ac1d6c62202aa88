"""Metrics that compare groups: values with bands, what chance gives, and tables beside them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby, islice
from operator import attrgetter
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from harness.evaluation.collectors.base import Collector, PairedParts, Shared
from harness.evaluation.collectors.checks import check_size, coded_check, numbers, statistics_check
from harness.evaluation.collectors.frame import Frame, Parts
from harness.evaluation.collectors.sums import totals_of
from harness.guard import Contract, described
from harness.metrics import GroupMetric, ScoredSample
from harness.metrics.contract import (
    Bounded,
    Comparison,
    ComparisonTellsNotes,
    CountsMerge,
    GroupCounts,
    Rows,
)
from harness.runs.record import Detail, DetailRow, MetricValue
from harness.specs import MetricSpec, fingerprint
from harness.stats.bootstrap import resampled
from harness.stats.collect import Statistics
from harness.stats.interval import Range
from harness.stats.intervals import BAND, LEVEL, SYMMETRIC, Resampled, around, banded, bands_at
from harness.stats.labelled import PERMUTATIONS, Labelled, Labels, chance
from harness.stats.paired import paired_sums
from harness.stats.rows import CHUNK_BYTES, Matrix
from harness.stats.types import Floats, Label


class GroupCollector(Collector):
    """A metric of groups.

    Metrics that count the same share their counts, and those of one family that also have the same
    options share their draws: the lowest and the highest skew differ only in what they pick.
    """

    protocol = GroupMetric
    wants = "counts, parts, settle and beside (groups)"
    rank = 1
    metric: GroupMetric

    def __init__(
        self, spec: MetricSpec, metric: GroupMetric, shared: Shared, *, needs_target: bool
    ) -> None:
        super().__init__(spec, metric, shared, needs_target=needs_target)
        self._notes: Mapping[str, int] = {}
        counts = metric.counts.key
        self._feeds = (GroupCollector, counts) not in shared
        self.counted: _Counted = shared.setdefault(
            (GroupCollector, counts), _Counted(metric.counts)
        )
        family = getattr(metric, "family", "")
        drawn = GroupCollector, counts, family, fingerprint(dict(spec.options))
        self._leads = drawn not in shared
        self._draws: _Draws = shared.setdefault(drawn, _Draws(metric))
        if self._leads:
            self.counted.families.append(self._draws)
        if spec.column not in self._draws.columns:
            self._draws.columns.append(spec.column)

    @staticmethod
    def guarded(metric: Any, contract: Contract) -> Any:
        """Return a stand-in that checks counts, comparisons and tables."""
        with contract.calling("counts"):
            inner = metric.counts
        wanted = ("key", "size", "statistics", "label", "columns")
        lacking = [name for name in wanted if not hasattr(inner, name)]
        if lacking:
            raise contract.wrong(f"counts by {described(inner)}, which lacks {', '.join(lacking)}")
        check_size(inner.size, contract)
        # The metric must get its own object back, so the stand-in carries it.
        check = statistics_check(contract)
        checks = {"statistics": check, "coded": coded_check(check, contract)}
        counts = contract.guarded(inner, checks, {"thing": inner})
        settle = contract.checked(metric.settle, "settle", _comparison_check(contract))
        beside = contract.checked(metric.beside, "beside", _tables_check(contract, "beside"))
        return contract.guarded(
            metric,
            {},
            {
                "counts": counts,
                "settle": lambda counts, *rest: settle(_unguarded(counts), *rest),
                "beside": lambda counts, *rest: beside(_unguarded(counts), *rest),
            },
        )

    def add(self, *samples: ScoredSample) -> None:
        """Count the next samples, unless another collector does."""
        if self._feeds:
            self.counted.add(samples)

    def point(self, frame: Frame) -> float:
        """Return the value over all samples."""
        settled, totals = self.comparison(frame)
        return float(settled.combine(settled.components(totals)))

    def comparison(self, frame: Frame) -> tuple[Comparison, Floats]:
        """Return the comparison over all samples with its totals ``(parts, size)``."""
        labelled = self.counted.labelled(frame)
        parts = self.metric.parts(labelled.names)
        totals = labelled.by_part(parts)
        return self.metric.settle(self.counted.counts, parts, totals), totals

    def notes(self) -> Mapping[str, int]:
        """Return what the comparison says has no value."""
        return self._notes

    def overall(self, frame: Frame, seed: int) -> MetricValue:
        """Return the value with its band and what chance gives."""
        if not len(frame.codes):
            return self.recorded(float("nan"), None)
        drawn, settled = self._settled(frame, seed)
        if isinstance(settled, ComparisonTellsNotes):
            self._notes = settled.notes()
        value = float(settled.combine(drawn.components.value))
        possible = _range(settled)
        interval = None
        if np.isfinite(value) and frame.number > 1:
            # `combine` never falls when a component rises: ends of the components' band are ends
            # of the value's.
            ends, inner, outer = (
                (float(settled.combine(low)), float(settled.combine(high)))
                for low, high in (drawn.band, drawn.inner, drawn.outer)
            )
            draws = len(drawn.components.drawn)
            interval = banded(ends, inner, outer, draws, frame.number).within(possible)
        expected = chance(
            value, settled.combine(drawn.permuted), self.metric.extreme, within=drawn.within
        )
        return self.recorded(value, interval, possible, expected)

    def by_slice(self, parts: Parts, frame: Frame, seed: int) -> None:
        """Return nothing: groups are compared over all samples already."""

    def paired(self, other: GroupCollector, parts: Parts, frame: Frame, seed: int) -> PairedParts:
        """Compare the comparisons of two evaluations, over everything alone."""
        del parts
        metric, counts = self.metric, self.counted.counts
        merges = self.counted.merge(other.counted)
        labelled = [collector.counted.labelled(frame) for collector in (self, other)]
        groups, size = metric.parts(labelled[0].names), counts.size
        sums = [of_one.by_cluster(groups) for of_one in labelled]
        totals = [totals_of(of_one).reshape(len(groups), size) for of_one in sums]
        # A concept counts only where both evaluations have enough images of it.
        settling = totals if merges else [np.minimum(*totals)]
        settled, *more = (metric.settle(counts, groups, of_one) for of_one in settling)

        def values(totals: Floats) -> Floats:
            by_part = totals.reshape(-1, len(groups), size)
            components = settled.components(by_part)
            for other_settled in more:
                components[np.isnan(other_settled.components(by_part))] = np.nan
            return settled.combine(components)[:, np.newaxis]

        first, second = (values(of_one[None])[0] for of_one in totals)
        paired = paired_sums(
            values, *sums, strata=frame.strata, seed=seed, possible=_range(settled)
        )
        return PairedParts(first, second, paired)

    def tables(self, frame: Frame, seed: int) -> list[Detail]:
        """Return the tables beside the values that share these draws, once for all of them."""
        if not self._leads or not len(frame.codes):
            return []
        drawn, settled = self._settled(frame, seed)
        tables: list[Detail] = []
        columns = self._draws.columns
        value, draws = drawn.components.value, drawn.components.drawn
        ends = map(settled.tables, (draws, *drawn.band, *_bounds(settled, value)))
        for rows, *of_ends in zip(settled.tables(value), *ends, strict=True):
            drawn_rows, low, high, *possible = (end.values for end in of_ends)
            symmetric = _symmetric(rows.values, drawn_rows, *possible), SYMMETRIC
            band = ((low, high), BAND) if rows.simultaneous else symmetric
            tables.append(_detail(rows, columns, *band))
        labelled = self.counted.labelled(frame)
        beside = self.metric.beside(self.counted.counts, labelled.names, labelled.by_label())
        return tables + [_detail(rows, columns) for rows in beside]

    def _settled(self, frame: Frame, seed: int) -> tuple[_Drawn, Comparison]:
        metric, counts = self.metric, self.counted.counts
        labelled = self.counted.labelled(frame)
        parts = metric.parts(labelled.names)
        size = counts.size
        if self._draws.drawn is not None:
            drawn = self._draws.drawn
            return drawn, metric.settle(counts, parts, drawn.totals)
        rows = labelled.distinct(parts)
        totals = rows.sums(rows.counts[np.newaxis, :].astype(np.float64)).reshape(len(parts), size)
        # Metrics of one count are of the same sums, which cost more than what is made of them.
        families = [
            one for one in self.counted.families if one.metric.parts(labelled.names) == parts
        ]
        settled = [one.metric.settle(counts, parts, totals) for one in families]

        def components(sums: Floats) -> Floats:
            by_part = sums.reshape(-1, len(parts), size)
            return np.concatenate([one.components(by_part) for one in settled], axis=-1)

        every = resampled(components, rows, seed=seed, jackknife=False)
        # Some at a time: of few numbers the calls take longer than the sums.
        permutations = labelled.permuted(parts, PERMUTATIONS, seed)
        step = max(1, CHUNK_BYTES // (8 * max(1, len(parts) * size)))
        batches = iter(lambda: list(islice(permutations, step)), [])
        permuted = np.concatenate([components(np.stack(batch)) for batch in batches])
        ends = np.cumsum([0, *(one.components(totals).shape[-1] for one in settled)])
        for compared, comparison, first, last in zip(
            families, settled, ends[:-1], ends[1:], strict=True
        ):
            its = slice(int(first), int(last))
            of_family = replace(every, value=every.value[its], drawn=every.drawn[:, its])
            compared.drawn = _drawn(
                of_family, comparison, permuted[:, its], labelled.within, totals
            )
        return self._settled(frame, seed)  # which has been drawn now


class _Counted:
    """What is counted for metrics of groups that share it."""

    def __init__(self, counts: GroupCounts) -> None:
        self.counts = counts
        self._statistics = Statistics()
        self._labels = Labels()
        self._last: tuple[str, Label] = "", ()
        self._labelled: Labelled | None = None
        self.families: list[_Draws] = []

    def add(self, samples: Sequence[ScoredSample]) -> None:
        """Count the next samples."""
        many = getattr(self.counts, "coded", None) if len(samples) > 1 else None
        coded = None if many is None else many(samples)
        if coded is not None:
            self._statistics.add_coded(*coded)
        for sample in samples if coded is None else ():
            self._statistics.add(self.counts.statistics(sample))
        for source, run in groupby(samples, attrgetter("source")):
            # Questions about one image follow each other and share its label.
            same = list(run)
            if not source or source != self._last[0]:
                self._last = source, self.counts.label(same[0])
            self._labels.add(self._last[1], len(same) if source else 1)
            for sample in () if source else same[1:]:
                self._labels.add(self.counts.label(sample))

    def merge(self, other: _Counted) -> bool:
        """Give both the same positions, where they depend on the answers; whether they do."""
        counts = _unguarded(self.counts), _unguarded(other.counts)
        if not isinstance(counts[0], CountsMerge):
            return False
        counts[0].merge(counts[1])
        counts[1].merge(counts[0])
        return True

    def labelled(self, frame: Frame) -> Labelled:
        """Return the statistics with labels, once all samples are in."""
        if self._labelled is None:
            rows = self._statistics.matrix(self.counts.size, frame.order)
            self._labelled = Labelled(
                _with_columns(rows, self.counts.columns()),
                self._labels.codes()[frame.order],
                self._labels.names,
                frame.codes,
                frame.sources,
                frame.strata,
            )
        return self._labelled


@dataclass(frozen=True, slots=True)
class _Drawn:
    """The components of a comparison in the data, in draws, and with labels permuted.

    Attributes:
        band: Simultaneous ends of the components.
        inner: Ends at the level one Monte-Carlo error below.
        outer: Ends at the level one Monte-Carlo error above.
        permuted: ``(permutations, components)``.
        totals: ``(parts, size)`` sums over all samples.
    """

    components: Resampled
    band: tuple[Floats, Floats]
    inner: tuple[Floats, Floats]
    outer: tuple[Floats, Floats]
    permuted: Floats
    within: bool
    totals: Floats


def _drawn(
    components: Resampled, settled: Comparison, permuted: Floats, within: bool, totals: Floats
) -> _Drawn:
    """Return a comparison's components with their simultaneous band."""
    levels = LEVEL, *around(len(components.drawn))
    band, inner, outer = (
        _possible(settled, *ends) for ends in bands_at(components.value, components.drawn, levels)
    )
    return _Drawn(components, band, inner, outer, permuted, within, totals)


@dataclass(slots=True)
class _Draws:
    """What metrics with the same counts and options share: their draws, and their headings.

    Attributes:
        metric: One of them.
    """

    metric: GroupMetric
    columns: list[str] = field(default_factory=list)
    drawn: _Drawn | None = None


def _with_columns(rows: Matrix, columns: Sequence[int]) -> Matrix:
    """Return rows with their columns in another order; a matrix product would cost a sort."""
    position = np.empty(len(columns), dtype=rows.indices.dtype)
    position[list(columns)] = np.arange(len(columns))
    return csr_array((rows.data, position[rows.indices], rows.indptr), shape=rows.shape)


def _range(settled: Comparison) -> Range:
    return settled.range() if isinstance(settled, Bounded) else (None, None)


def _bounds(settled: Comparison, value: Floats) -> tuple[Floats, Floats]:
    """Return what each component can be."""
    endless = np.full(value.shape, np.inf)
    return settled.bounds() if isinstance(settled, Bounded) else (-endless, endless)


def _possible(settled: Comparison, low: Floats, high: Floats) -> tuple[Floats, Floats]:
    """Return a band cut to what each component can be, and as wide where draws show nothing."""
    least, most = _bounds(settled, low)
    low, high = np.clip(low, least, most), np.clip(high, least, most)
    unseen = getattr(settled, "unseen", False)
    return np.where(unseen, least, low), np.where(unseen, most, high)


def _symmetric(value: Floats, drawn: Floats, least: Floats, most: Floats) -> tuple[Floats, Floats]:
    """Return symmetric intervals: NaN where under half of the draws are finite."""
    finite = np.isfinite(drawn)
    away = np.where(finite, np.abs(drawn - value), np.inf)
    reach = np.array([np.quantile(away[has, at], LEVEL) if 2 * has.sum() >= len(has) else np.nan
                      for at, has in enumerate(finite.T)])  # fmt: skip
    return np.clip(value - reach, least, most), np.clip(value + reach, least, most)


def _detail(
    rows: Rows, columns: Sequence[str], ends: tuple[Floats, Floats] | None = None, method: str = ""
) -> Detail:
    """Return a table as it is recorded."""
    undefined = np.full(len(rows.keys), np.nan)
    low, high = (undefined, undefined) if ends is None else ends
    # Where every draw gives the same value, an interval would say nothing.
    low, high = (np.where(high - low < 1e-12, np.nan, end) for end in (low, high))
    counts = {name: _finite(values) for name, values in rows.counts.items()}
    return Detail(
        name=rows.name,
        metrics=tuple(columns),
        level=LEVEL,
        method=method,
        rows=tuple(
            DetailRow(
                key=dict(key),
                value=value,
                low=below if value is not None else None,
                high=above if value is not None else None,
                counts={name: values[position] for name, values in counts.items()},
            )
            for position, (key, value, below, above) in enumerate(
                zip(rows.keys, _finite(rows.values), _finite(low), _finite(high), strict=True)
            )
        ),
    )


def _finite(values: Iterable[float] | Floats) -> list[float | None]:
    """Return numbers for JSON; those that are not finite are ``None``."""
    return [float(value) if np.isfinite(value) else None for value in values]


def _unguarded(counts: Any) -> Any:
    return getattr(counts, "thing", counts)


def _comparison_check(contract: Contract) -> Any:
    """Return the check that what is settled compares: components, a value, and tables."""

    def check(settled: Any, *_: Any) -> Any:
        if not all(hasattr(settled, name) for name in ("components", "combine", "tables")):
            raise contract.returned(
                settled, "settle", "a comparison with components, combine and tables"
            )
        return contract.guarded(
            settled,
            {
                "components": lambda values, totals: numbers(
                    values, (*totals.shape[:-2], None), "components", contract
                ),
                "combine": lambda values, components: numbers(
                    values, components.shape[:-1], "combine", contract
                ),
                "tables": _tables_check(contract, "tables"),
            },
        )

    return check


def _tables_check(contract: Contract, method: str) -> Any:
    """Return the check that tables are rows of numbers."""

    def check(tables: Any, *_: Any) -> list[Rows]:
        return contract.listed(tables, method, Rows, "a list of Rows")

    return check
