"""From collected statistics to values with intervals: overall, by slice, and over groups."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from harness.evaluation.collect import Collector, Frame, SliceOf
from harness.metrics import AdditiveMetric, RankMetric, ScoredSample
from harness.metrics.contract import Floats
from harness.runs.record import (
    Chance,
    GroupComparison,
    Interval,
    Measure,
    MetricValue,
    SliceValue,
)
from harness.specs import MetricSpec
from harness.stats.bootstrap import (
    additive_interval,
    cluster_rows,
    plain,
    rank_interval,
    ranks_resampled,
    resampled,
)
from harness.stats.collect import Codes, counted
from harness.stats.groups import MEASURES, MIN_N, bands, extreme_of, measures
from harness.stats.intervals import BAND, LEVEL, Resampled, few, wilson
from harness.stats.labelled import PERMUTATIONS, Labelled, chance
from harness.stats.rows import DistinctRows, Matrix, distinct_rows

Samples = Sequence[ScoredSample]


def valued(
    spec: MetricSpec, value: float, interval: Interval | None, chance: Chance | None = None
) -> MetricValue:
    """Return a metric's value as it is recorded; undefined ones are ``None``."""
    defined = bool(np.isfinite(value))
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
    )


def overall(collector: Collector, frame: Frame, kept: Samples, seed: int) -> MetricValue:
    """Return a metric of sums or ranks over all scored samples."""
    value, interval = float("nan"), None
    if len(frame.codes) and collector.additive is not None:
        metric = collector.additive
        totals = collector.statistics.totals(metric.size, frame.codes, frame.order)
        value, interval = additive_interval(metric, totals, strata=frame.strata, seed=seed)
    elif len(frame.codes) and collector.ranks is not None:
        ordered = frame.ordered(kept)
        places = _takes(collector, ordered)
        codes = frame.codes[places]
        strata = None if frame.strata is None else frame.strata[np.unique(codes)]
        value, interval = rank_interval(
            collector.ranks, [ordered[place] for place in places], codes, strata=strata, seed=seed
        )
    return valued(collector.spec, value, interval)


@dataclass(frozen=True)
class _ByGroup:
    """One metric in every value of a slice. Part 0 is everything."""

    found: Resampled
    intervals: Sequence[Interval | None]
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
            column.append(valued(collector.spec, value, interval))
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
    rows = distinct_rows(labelled.by_cluster(parts), frame.strata)

    def values(totals: Floats) -> Floats:
        return metric.finalize(totals.reshape(*totals.shape[:-1], len(parts), size))

    found = resampled(values, rows, seed=seed)
    intervals: list[Interval | None] = [None]
    for place in range(1, len(parts)):
        clusters = _clusters(labelled, held, place, frame)
        intervals.append(_interval(metric, rows, found, place, clusters))

    def permuted() -> Iterator[Floats]:
        for totals in labelled.permuted(parts, PERMUTATIONS, seed):
            yield metric.finalize(totals)

    return _ByGroup(found, intervals, permuted, labelled.within)


def _clusters(labelled: Labelled, held: SliceOf, place: int, frame: Frame) -> int:
    code = held.labels.code(held.parts[place])
    return len(np.unique(frame.codes[labelled.labels == code]))


def _interval(
    metric: AdditiveMetric, rows: DistinctRows, found: Resampled, place: int, clusters: int
) -> Interval | None:
    """Return one part's interval: Wilson's for a plain proportion."""
    if clusters < 2 or not np.isfinite(found.value[place]):
        return None
    if getattr(metric, "proportion", False):
        columns = slice(place * metric.size, (place + 1) * metric.size)
        part = DistinctRows(rows.rows[:, columns], rows.counts, rows.strata)
        totals = part.sums(rows.counts[np.newaxis, :].astype(np.float64))[0]
        if plain(part, totals):
            return wilson(float(totals[0]), float(totals[1]))
    return found.at(place).interval(clusters=clusters)


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

    found = ranks_resampled(values, codes, cluster_rows(len(named), strata), seed=seed)
    intervals = [
        found.at(place).interval(clusters=len(np.unique(codes[part])))
        for place, part in enumerate(members)
    ]
    nothing: Matrix = csr_array((len(samples), 0))
    labelled = Labelled(
        nothing, labels, held.labels.names, codes, counted(frame.sources[takes]), strata
    )

    def permuted() -> Iterator[Floats]:
        for drawn in labelled.permuted_labels(PERMUTATIONS, seed):
            weights = np.stack([np.ones(len(drawn)), *(drawn == code for code in numbers)])
            yield metric.value(prepared[0], weights.astype(np.float64))

    return _ByGroup(found, intervals, permuted, labelled.within)


def _compared(
    spec: MetricSpec, held: SliceOf, found: _ByGroup, places: Sequence[int], names: Sequence[str]
) -> GroupComparison:
    def of(values: Floats) -> Floats:
        return measures(values[..., 0], values[..., places], spec.direction)

    whole = found.found
    value = of(whole.value)
    null = np.empty((0, len(MEASURES)))
    ends: Sequence[tuple[float, float] | None] = [None] * len(MEASURES)
    if np.isfinite(value).any():
        null = of(np.stack(list(found.permuted())))
        if whole.clusters > 1:
            held_ends = [0, *places]
            ends = bands(whole.value[held_ends], whole.drawn[:, held_ends], spec.direction)
    listed = []
    for at, name in enumerate(MEASURES):
        measured, extreme = float(value[at]), extreme_of(name, spec.direction)
        here, end = np.isfinite(measured), ends[at]
        listed.append(
            Measure(
                name,
                measured if here else None,
                Interval(*end, LEVEL, BAND, len(whole.drawn), few(whole.clusters))
                if here and end is not None
                else None,
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


def _takes(collector: Collector, kept: Samples) -> Codes:
    """Return the places of the samples that a metric of ranks takes."""
    held = [
        place
        for place, sample in enumerate(kept)
        if sample.target is not None or not collector.needs_target
    ]
    return np.array(held, dtype=np.int64)
