"""Slices: which value each sample has, each metric in every value, and comparisons over all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from harness.evaluation.collectors.base import ByPart, Collector
from harness.evaluation.collectors.frame import Frame, Parts
from harness.runs.record import GroupComparison, Measure, MetricValue, SliceValue
from harness.samples.sample import Group
from harness.specs import MetricSpec
from harness.stats.groups import MEASURES, MIN_N, bands, extreme_of, measures, range_of
from harness.stats.interval import Interval, Range
from harness.stats.intervals import LEVEL, Resampled, around, banded
from harness.stats.labelled import Labels, chance
from harness.stats.types import Floats


@dataclass(slots=True)
class ValueCounts:
    """What is counted of the samples that have one value of a slice.

    Attributes:
        code: What stands for the value's label in :meth:`Labels.again`.
        source: Who said that samples have the value, such as ``machine``.
        n: Scored samples.
    """

    code: int
    source: str
    n: int = 0
    unparsed: int = 0
    refusals: int = 0


@dataclass(slots=True)
class SliceCounts:
    """Which value each scored sample has in a slice, and what is counted of each value."""

    name: str
    labels: Labels = field(default_factory=Labels)
    values: dict[str, ValueCounts] = field(default_factory=dict)
    _bare: int = 0

    def add(self, group: Group | None, problem: str, *, counts: bool = True) -> None:
        """Add the next sample.

        Args:
            group: Its value and who said so; ``None`` where it has none.
            problem: What was wrong with its answer; empty for nothing.
            counts: False for another annotator's answer to the same sample.
        """
        if group is None:
            # Data without the slice leave nothing here but how many samples there are.
            if self.values:
                self.labels.add(())
            else:
                self._bare += 1
            return
        value = self.values.get(group.value)
        if value is None:
            if self._bare and not self.values:
                self.labels.add((), self._bare)
            code = self.labels.add(((self.name, group.value),))
            value = self.values[group.value] = ValueCounts(code, group.source)
        else:
            self.labels.again(value.code)
        value.n += counts
        if problem:
            value.refusals += problem == "refusal"
            value.unparsed += problem != "refusal"

    def parts(self, frame: Frame) -> Parts:
        """Return everything, then each value, sorted."""
        names = [(), *(((self.name, value),) for value in sorted(self.values))]
        pairs = len(self.values) * (len(self.values) - 1) // 2
        return Parts(names, self.labels.codes()[frame.order], self.labels.names, pairs)

    @property
    def machine(self) -> bool:
        """Whether a machine said who is in which group."""
        return any(counts.source == "machine" for counts in self.values.values())


def by_slice(
    counted: SliceCounts, collectors: Sequence[Collector], frame: Frame, seed: int
) -> tuple[list[SliceValue], list[GroupComparison]]:
    """Return the metrics in each value of a slice, and comparisons over all values.

    All values share their bootstrap draws, so that differences have intervals.
    """
    if not counted.values:
        return [], []
    values, parts = sorted(counted.values), counted.parts(frame)
    columns: list[list[MetricValue]] = [[] for _ in values]
    comparisons: list[GroupComparison] = []
    for collector in collectors:
        measured = collector.by_slice(parts, frame, seed)
        if measured is None:
            continue
        for position, column in enumerate(columns, 1):
            value = float(measured.resampled.value[position])
            column.append(
                collector.recorded(value, measured.intervals[position], measured.ranges[position])
            )
        if len(values) > 1:
            comparisons.append(_comparison(collector.spec, counted, measured))
    members = parts.members(np.arange(len(frame.codes)))[1:]
    slices = [
        SliceValue(
            slice=counted.name,
            value=value,
            source=counted.values[value].source,
            n=counted.values[value].n,
            clusters=len(np.unique(frame.codes[inside])),
            unparsed=counted.values[value].unparsed,
            metrics=tuple(column),
            refusals=counted.values[value].refusals,
        )
        for value, column, inside in zip(values, columns, members, strict=True)
    ]
    return slices, comparisons


def _comparison(spec: MetricSpec, counted: SliceCounts, measured: ByPart) -> GroupComparison:
    """Return the comparison of a metric over the values that have enough samples."""
    values = sorted(counted.values)
    names = [name for name in values if counted.values[name].n >= MIN_N]
    places = [values.index(name) + 1 for name in names]

    def compared(by_part: Floats) -> Floats:
        return measures(by_part[..., 0], by_part[..., places], spec.direction)

    resampled = measured.resampled
    value = compared(resampled.value)
    permuted = np.empty((0, len(MEASURES)))
    ends: list[Interval | None] = [None] * len(MEASURES)
    if np.isfinite(value).any():
        permuted = compared(np.stack(list(measured.permuted())))
        if resampled.clusters > 1:
            ends = _bands(resampled, [0, *places], spec.direction, measured.ranges[0])
    listed = []
    for at, name in enumerate(MEASURES):
        measure = float(value[at])
        if not np.isfinite(measure):
            listed.append(Measure(name, None, None, None))
            continue
        extreme = extreme_of(name, spec.direction)
        expected = chance(measure, permuted[:, at], extreme, within=measured.within)
        listed.append(Measure(name, measure, ends[at], expected))
    worst = None
    if np.isfinite(value[0]):
        worst = names[int(np.flatnonzero(resampled.value[places] == value[0])[0])]
    return GroupComparison(
        slice=counted.name,
        metric=spec.id,
        column=spec.column,
        machine=counted.machine,
        worst=worst,
        min_n=MIN_N,
        left_out=tuple(name for name in values if name not in names),
        measures=tuple(listed),
    )


def _bands(
    resampled: Resampled, places: Sequence[int], direction: str, possible: Range
) -> list[Interval | None]:
    """Return the interval of each measure, with what the number of draws leaves open."""
    value, drawn = resampled.value[list(places)], resampled.drawn[:, list(places)]
    levels = LEVEL, *around(len(drawn))
    ends, inner, outer = bands(value, drawn, direction, levels)
    intervals: list[Interval | None] = []
    for name, end, near, far in zip(MEASURES, ends, inner, outer, strict=True):
        if end is None or near is None or far is None:
            intervals.append(None)
            continue
        interval = banded(end, near, far, len(drawn), resampled.clusters)
        intervals.append(interval.within(range_of(name, possible)))
    return intervals
