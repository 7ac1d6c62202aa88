"""From collected statistics to values with intervals: overall, by slice, and over groups."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from harness.errors import PluginError
from harness.evaluation.collectors import Collector, Frame, SliceOf
from harness.metrics import AdditiveMetric, RankMetric, ScoredSample
from harness.metrics.contract import Floats
from harness.runs.record import (
    Chance,
    GroupComparison,
    Interval,
    Measure,
    MetricValue,
    Range,
    SliceValue,
)
from harness.specs import MetricSpec
from harness.stats.bootstrap import (
    additive_interval,
    cluster_rows,
    of_proportion,
    of_units,
    range_of,
    rank_interval,
    ranks_resampled,
    resampled,
)
from harness.stats.collect import Codes, counted
from harness.stats.groups import MEASURES, MIN_N, bands, extreme_of, measures
from harness.stats.groups import range_of as groups_range
from harness.stats.intervals import LEVEL, Resampled, around, banded
from harness.stats.labelled import PERMUTATIONS, Labelled, chance
from harness.stats.rows import DistinctRows, Matrix

Samples = Sequence[ScoredSample]
_SLACK = 1e-9


def valued(
    spec: MetricSpec,
    value: float,
    interval: Interval | None,
    chance: Chance | None = None,
    possible: Range = (None, None),
) -> MetricValue:
    """Return a metric's value as it is recorded; undefined ones are ``None``.

    Raises:
        PluginError: the value is not in the range that the metric declares.
    """
    defined = bool(np.isfinite(value))
    low, high = possible
    if defined and not (
        (low is None or value >= low - _SLACK) and (high is None or value <= high + _SLACK)
    ):
        raise PluginError(
            f"metric {spec.id!r} gives {value:g}, outside the range {low} to {high} it declares",
            fix="the plugin that brings it declares another range, or mends the value",
        )
    return MetricValue(
        id=spec.id,
        column=spec.column,
        direction=spec.direction,
        scale=spec.scale,
        main=spec.main,
        value=float(value) if defined else None,
        interval=interval if defined else None,
        options=dict(spec.options),
        chance=chance if defined else None,
        range=possible,
    )


def overall(collector: Collector, frame: Frame, kept: Samples, seed: int) -> MetricValue:
    """Return a metric of sums or ranks over all scored samples."""
    value, interval = float("nan"), None
    possible = range_of(collector.additive)
    if len(frame.codes) and collector.additive is not None:
        metric = collector.additive
        totals = collector.statistics.totals(metric.size, frame.codes, frame.order)
        value, interval = additive_interval(metric, totals, strata=frame.strata, seed=seed)
    elif len(frame.codes) and collector.ranks is not None:
        ordered = frame.ordered(kept)
        places = _takes(collector, ordered)
        codes = frame.codes[places]
        strata = None if frame.strata is None else frame.strata[np.unique(codes)]
        samples = [ordered[place] for place in places]
        value, interval = rank_interval(collector.ranks, samples, codes, strata=strata, seed=seed)
        possible = range_of(collector.ranks, collector.ranks.prepare(samples))
    return valued(collector.spec, value, interval, None, possible)


@dataclass(frozen=True)
class _ByGroup:
    """One metric in every value of a slice. Part 0 is everything."""

    found: Resampled
    intervals: Sequence[Interval | None]
    ranges: Sequence[Range]
    permuted: Callable[[], Iterator[Floats]]
    within: bool


def by_slice(
    held: SliceOf, collectors: Sequence[Collector], frame: Frame, kept: Samples, seed: int
) -> tuple[list[SliceValue], list[GroupComparison]]:
    """Return the values of each value of a slice, and comparisons over all of them.

    All values share their bootstrap draws, so that differences have intervals.
    """
    if not held.values:
        return [], []
    values = sorted(held.values)
    compared = [name for name in values if held.values[name].n >= MIN_N]
    places = [values.index(name) + 1 for name in compared]
    columns: list[list[MetricValue]] = [[] for _ in values]
    comparisons: list[GroupComparison] = []
    for collector in collectors:
        if collector.groups is not None:
            continue
        found = _by_group(collector, held, frame, kept, seed)
        for place, column in enumerate(columns, 1):
            value, interval = float(found.found.value[place]), found.intervals[place]
            possible = found.ranges[place]
            column.append(valued(collector.spec, value, interval, None, possible))
        if len(values) > 1:
            comparisons.append(_compared(collector.spec, held, found, places, compared))
    codes = held.codes(frame)
    slices = [
        SliceValue(
            slice=held.name,
            value=name,
            source=held.values[name].source,
            n=held.values[name].n,
            clusters=len(np.unique(frame.codes[codes == held.labels.code(((held.name, name),))])),
            unparsed=held.values[name].unparsed,
            metrics=tuple(column),
            refusals=held.values[name].refusals,
        )
        for name, column in zip(values, columns, strict=True)
    ]
    return slices, comparisons


def _by_group(
    collector: Collector, held: SliceOf, frame: Frame, kept: Samples, seed: int
) -> _ByGroup:
    if collector.additive is not None:
        return _sums_by_group(collector, collector.additive, held, frame, seed)
    assert collector.ranks is not None
    return _ranks_by_group(collector, collector.ranks, held, frame, kept, seed)


def _sums_by_group(
    collector: Collector, metric: AdditiveMetric, held: SliceOf, frame: Frame, seed: int
) -> _ByGroup:
    parts, size = held.parts, metric.size
    labelled = Labelled(
        collector.statistics.matrix(size, frame.order),
        held.codes(frame),
        held.labels.names,
        frame.codes,
        frame.sources,
        frame.strata,
    )
    rows = labelled.distinct(parts)

    def values(totals: Floats) -> Floats:
        return metric.finalize(totals.reshape(*totals.shape[:-1], len(parts), size))

    found = resampled(values, rows, seed=seed, numbers=_pairs(held))
    intervals: list[Interval | None] = [None]
    for place in range(1, len(parts)):
        clusters = _clusters(labelled, held, place, frame)
        intervals.append(_interval(metric, rows, found, place, clusters))

    def permuted() -> Iterator[Floats]:
        for totals in labelled.permuted(parts, PERMUTATIONS, seed):
            yield metric.finalize(totals)

    return _ByGroup(found, intervals, [range_of(metric)] * len(parts), permuted, labelled.within)


def _pairs(held: SliceOf) -> int:
    """Return how many numbers comparing all values of a slice takes."""
    return len(held.values) * (len(held.values) - 1) // 2


def _clusters(labelled: Labelled, held: SliceOf, place: int, frame: Frame) -> int:
    code = held.labels.code(held.parts[place])
    return len(np.unique(frame.codes[labelled.labels == code]))


def _interval(
    metric: AdditiveMetric, rows: DistinctRows, found: Resampled, place: int, clusters: int
) -> Interval | None:
    """Return one part's interval: Wilson's for a proportion that has one."""
    if clusters < 2 or not np.isfinite(found.value[place]):
        return None
    if getattr(metric, "proportion", False):
        columns = slice(place * metric.size, (place + 1) * metric.size)
        part = DistinctRows(rows.rows[:, columns], rows.counts, rows.strata)
        wilsons = of_proportion(part)
        if wilsons is not None:
            return wilsons
    interval = found.at(place).interval(clusters=clusters)
    return interval and interval.within(range_of(metric))


def _ranks_by_group(  # noqa: PLR0913, PLR0917  the twin of _sums_by_group, with samples
    collector: Collector,
    metric: RankMetric,
    held: SliceOf,
    frame: Frame,
    kept: Samples,
    seed: int,
) -> _ByGroup:
    ordered = frame.ordered(kept)
    takes = _takes(collector, ordered)
    samples = [ordered[place] for place in takes]
    named, codes = np.unique(frame.codes[takes], return_inverse=True)
    strata = None if frame.strata is None else frame.strata[named]
    labels = held.codes(frame)[takes]
    numbers = [held.labels.code(part) for part in held.parts[1:]]
    members = [np.arange(len(samples)), *(np.flatnonzero(labels == code) for code in numbers)]
    prepared = [metric.prepare([samples[place] for place in part]) for part in members]

    def values(weights: Floats) -> Floats:
        pairs = zip(prepared, members, strict=True)
        return np.stack([metric.value(one, weights[:, part]) for one, part in pairs], axis=-1)

    found = ranks_resampled(
        values, codes, cluster_rows(len(named), strata), seed=seed, numbers=_pairs(held)
    )
    ranges = [range_of(metric, one) for one in prepared]
    intervals = []
    for place, (part, one) in enumerate(zip(members, prepared, strict=True)):
        here, own = np.unique(codes[part], return_inverse=True)
        of_part = None if strata is None else strata[here]
        interval = of_units(metric, one, own, of_part) if len(here) > 1 else None
        if interval is None:
            interval = found.at(place).interval(clusters=len(here))
        intervals.append(interval and interval.within(ranges[place]))
    nothing: Matrix = csr_array((len(samples), 0))
    labelled = Labelled(
        nothing, labels, held.labels.names, codes, counted(frame.sources[takes]), strata
    )

    def permuted() -> Iterator[Floats]:
        for drawn in labelled.permuted_labels(PERMUTATIONS, seed):
            weights = np.stack([np.ones(len(drawn)), *(drawn == code for code in numbers)])
            yield metric.value(prepared[0], weights.astype(np.float64))

    return _ByGroup(found, intervals, ranges, permuted, labelled.within)


def _compared(
    spec: MetricSpec, held: SliceOf, found: _ByGroup, places: Sequence[int], names: Sequence[str]
) -> GroupComparison:
    def of(values: Floats) -> Floats:
        return measures(values[..., 0], values[..., places], spec.direction)

    whole = found.found
    value = of(whole.value)
    null = np.empty((0, len(MEASURES)))
    ends: list[Interval | None] = [None] * len(MEASURES)
    if np.isfinite(value).any():
        null = of(np.stack(list(found.permuted())))
        if whole.clusters > 1:
            ends = _bands(whole, [0, *places], spec.direction, found.ranges[0])
    listed = []
    for at, name in enumerate(MEASURES):
        measured, extreme = float(value[at]), extreme_of(name, spec.direction)
        here = bool(np.isfinite(measured))
        listed.append(
            Measure(
                name,
                measured if here else None,
                ends[at] if here else None,
                chance(measured, null[:, at], extreme, within=found.within) if here else None,
            )
        )
    by_group = found.found.value[list(places)]
    worst = None
    if np.isfinite(value[0]):
        worst = names[int(np.flatnonzero(by_group == value[0])[0])]
    return GroupComparison(
        slice=held.name,
        metric=spec.id,
        column=spec.column,
        machine=held.machine,
        worst=worst,
        min_n=MIN_N,
        left_out=tuple(name for name in sorted(held.values) if name not in names),
        measures=tuple(listed),
    )


def _bands(
    whole: Resampled, places: Sequence[int], direction: str, possible: Range
) -> list[Interval | None]:
    """Return the interval of each measure, with what the number of draws leaves open."""
    value, drawn = whole.value[list(places)], whole.drawn[:, list(places)]
    levels = LEVEL, *around(len(drawn))
    ends, inner, outer = bands(value, drawn, direction, levels)
    found: list[Interval | None] = []
    for name, end, near, far in zip(MEASURES, ends, inner, outer, strict=True):
        if end is None or near is None or far is None:
            found.append(None)
            continue
        held = banded(end, near, far, len(drawn), whole.clusters)
        found.append(held.within(groups_range(name, possible)))
    return found


def _takes(collector: Collector, kept: Samples) -> Codes:
    """Return the places of the samples that a metric of ranks takes."""
    held = [
        place
        for place, sample in enumerate(kept)
        if sample.target is not None or not collector.needs_target
    ]
    return np.array(held, dtype=np.int64)
