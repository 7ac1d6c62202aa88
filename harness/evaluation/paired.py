"""Compare two evaluations sample by sample: differences, intervals, p values, flips, slices."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest

import numpy as np

from harness.descriptors import Direction, Json
from harness.errors import UserError
from harness.evaluation.collectors import Collector, Counted, Frame
from harness.evaluation.score import scored
from harness.metrics import ScoredSample
from harness.metrics.contract import Bounded, Floats, Label
from harness.runs.record import EvaluationRecord
from harness.runs.sample_record import SampleRecord, read_samples
from harness.specs import MetricSpec, TaskSpec
from harness.specs.resolve import read_resolved
from harness.stats.bootstrap import range_of
from harness.stats.collect import Clusters
from harness.stats.labelled import Labelled, Labels
from harness.stats.paired import Paired, corrected, mcnemar, paired_ranks, paired_sums
from harness.stats.rows import Matrix
from harness.tables.table import Column

ALPHA = 0.05


@dataclass(frozen=True, slots=True)
class Difference:
    """One metric of two evaluations, second minus first.

    Attributes:
        slice: Slice and value, both empty for all samples.
        first: Value in the first evaluation, on the samples that both have scored.
        second: In the second.
        mcnemar: Exact p value of McNemar's test, for a plain proportion of independent samples.
    """

    metric: str
    column: str
    direction: Direction
    scale: float
    main: bool
    slice: str
    value: str
    first: float | None
    second: float | None
    paired: Paired
    mcnemar: float | None = None
    options: Mapping[str, Json] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """The slice's value, or the metric's heading."""
        return f"{self.slice} = {self.value}" if self.slice else self.column


@dataclass(frozen=True, slots=True)
class Flips:
    """Ids of samples whose answer differs.

    Attributes:
        gained: Right in the second evaluation only, or scored higher there.
        lost: Right in the first only, or scored higher there.
        changed: Another answer that is as right or as wrong.
    """

    gained: tuple[str, ...]
    lost: tuple[str, ...]
    changed: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TaskComparison:
    """Two evaluations of one task.

    Attributes:
        samples: Scored in both.
        left_out: Errored in one of them.
        slices: The headline metric in each value of each slice; corrected over them.
    """

    task: str
    title: str
    first: str
    second: str
    samples: int
    left_out: int
    clusters: int
    metrics: tuple[Difference, ...]
    slices: tuple[Difference, ...]
    flips: Flips

    @property
    def main(self) -> Difference:
        """The headline metric's difference."""
        return next(one for one in self.metrics if one.main)


def compare(first: EvaluationRecord, second: EvaluationRecord, *, seed: int = 0) -> TaskComparison:
    """Compare two evaluations of one task on the samples that both have scored.

    Raises:
        UserError: their tasks or pictures differ (the message says in what), or a file is damaged.
    """
    refuse_different(first, second)
    spec = read_resolved(first.directory)
    both = _Both(spec)
    for one, other in _pairs(first, second):
        both.add(one, other)
    parts = both.parts()
    shown = [_differences(both, place, metric, parts, seed)
             for place, metric in enumerate(spec.metrics)]  # fmt: skip
    place = next(at for at, metric in enumerate(spec.metrics) if metric.main)
    slices = shown[place][1:]
    tested = corrected([one.paired for one in slices])
    return TaskComparison(
        task=first.task,
        title=first.task_title,
        first=first.model,
        second=second.model,
        samples=len(both.frame.codes),
        left_out=both.left_out,
        clusters=both.frame.number,
        metrics=tuple(found[0] for found in shown if found),
        slices=tuple(
            replace(one, paired=paired) for one, paired in zip(slices, tested, strict=True)
        ),
        flips=Flips(tuple(both.gained), tuple(both.lost), tuple(both.changed)),
    )


def compare_all(
    pairs: Sequence[tuple[EvaluationRecord, EvaluationRecord]], *, seed: int = 0
) -> list[TaskComparison]:
    """Compare several tasks; p values of their headlines are corrected over the tasks (Holm)."""
    found = [compare(first, second, seed=seed) for first, second in pairs]
    tested = corrected([one.main.paired for one in found])
    return [
        replace(
            one,
            metrics=tuple(
                replace(metric, paired=paired) if metric.main else metric for metric in one.metrics
            ),
        )
        for one, paired in zip(found, tested, strict=True)
    ]


def refuse_different(first: EvaluationRecord, second: EvaluationRecord) -> None:
    """Refuse evaluations that did not ask the same.

    Raises:
        UserError: naming the parts that differ.
    """
    if first.task != second.task:
        raise UserError(f"{first.task!r} and {second.task!r} are two tasks")
    names = sorted({*first.task_parts, *second.task_parts})
    differ = [name for name in names if first.task_parts.get(name) != second.task_parts.get(name)]
    if first.images and second.images and first.images != second.images:
        differ.append("pictures")
    if first.task_fingerprint != second.task_fingerprint or differ:
        said = ", ".join(differ) or "its fingerprint"
        raise UserError(
            f"the two evaluations of {first.task!r} differ in: {said}",
            where=f"{first.directory} and {second.directory}",
            fix="compare evaluations that asked the same of the same samples",
        )


@dataclass
class TiedWithBest:
    """Which evaluations a paired test does not tell from the best of their column.

    One of :class:`harness.tables.ranks.Tied`.
    """

    records: Sequence[EvaluationRecord]
    seed: int = 0
    note: str = "paired permutation test over clusters, p >= 0.05 after Holm over the rows"
    _held: dict[tuple[str, str], list[Difference]] = field(default_factory=dict)

    def __call__(self, column: Column, best: str, others: Sequence[str]) -> Collection[str]:
        """Return those of ``others`` that are tied with ``best``; names are fingerprints."""
        by_name = {record.fingerprint: record for record in self.records}
        tested = []
        for name in others:
            if best not in by_name or name not in by_name:
                return ()
            if (best, name) not in self._held:
                found = compare(by_name[best], by_name[name], seed=self.seed)
                self._held[best, name] = list(found.metrics)
            # A layout may give the column another heading; metric and options name the number.
            same = [
                one.paired
                for one in self._held[best, name]
                if one.metric == column.metric and dict(one.options) == dict(column.options)
            ]
            if not same:
                return ()
            tested.append(same[0])
        pairs = zip(others, corrected(tested), strict=True)
        return [name for name, one in pairs if one.corrected is not None and one.corrected >= ALPHA]


class _Both:
    """The statistics of two evaluations, sample by sample."""

    def __init__(self, spec: TaskSpec) -> None:
        self.spec = spec
        self.frame = Frame(units=None if spec.data.each is None else Clusters())
        self.collectors = tuple(
            [Collector(metric, spec, shared) for metric in spec.metrics]
            for shared in (dict[object, Counted](), dict[object, Counted]())
        )
        self.keeps = any(collector.ranks is not None for collector in self.collectors[0])
        self.kept: tuple[list[ScoredSample], list[ScoredSample]] = ([], [])
        self.labels = Labels()
        self.gained: list[str] = []
        self.lost: list[str] = []
        self.changed: list[str] = []
        self.left_out = 0

    def add(self, first: SampleRecord, second: SampleRecord) -> None:
        """Add a sample; one that errored in either evaluation is left out."""
        if first.error is not None or second.error is not None:
            self.left_out += 1
            return
        samples = scored(first, self.spec), scored(second, self.spec)
        self.frame.add(samples[0])
        groups = samples[0].groups or {}
        self.labels.add(tuple((name, groups[name]) for name in self.spec.slices if name in groups))
        for sample, collectors, kept in zip(samples, self.collectors, self.kept, strict=True):
            for collector in collectors:
                collector.add(sample)
            if self.keeps:
                kept.append(sample)
        before, after = _right(first), _right(second)
        if after > before:
            self.gained.append(first.id)
        elif after < before:
            self.lost.append(first.id)
        elif first.answer != second.answer:
            self.changed.append(first.id)

    def parts(self) -> list[Label]:
        """Return everything, then each value of each slice."""
        pairs = {pair for label in self.labels.names for pair in label}
        return [(), *((pair,) for pair in sorted(pairs))]

    def labelled(self, rows: Matrix) -> Labelled:
        """Return statistics, in the frame's order, with the slices' labels."""
        frame = self.frame
        return Labelled(
            rows,
            self.labels.codes()[frame.order],
            self.labels.names,
            frame.codes,
            frame.sources,
            frame.strata,
        )


def _pairs(
    first: EvaluationRecord, second: EvaluationRecord
) -> Iterator[tuple[SampleRecord, SampleRecord]]:
    """Yield the records of both; equal fingerprints mean equal ids in equal order."""
    streams = read_samples(first.directory), read_samples(second.directory)
    for one, other in zip_longest(*streams):
        if one is None or other is None or one.id != other.id:
            raise UserError(
                "the two evaluations do not hold the same samples",
                where=f"{first.directory} and {second.directory}",
            )
        yield one, other


def _right(record: SampleRecord) -> float:
    if record.score is not None:
        return float(record.score)
    return float(record.answer is not None and record.answer == record.target)


def _differences(
    both: _Both, place: int, spec: MetricSpec, parts: Sequence[Label], seed: int
) -> list[Difference]:
    """Return a metric's difference over all samples, and in each slice where it has slices."""
    one, other = (held[place] for held in both.collectors)
    if not len(both.frame.codes):
        none = Paired(None, None, None, None)
        return [_named(spec, (), (float("nan"), float("nan")), none)]
    binary = None
    if one.additive is not None and other.additive is not None:
        metric, size = one.additive, max(one.additive.size, other.additive.size)
        sums = [
            both.labelled(held.statistics.matrix(size, both.frame.order)).by_cluster(parts)
            for held in (one, other)
        ]

        def finalize(totals: Floats) -> Floats:
            return metric.finalize(totals.reshape(*totals.shape[:-1], len(parts), size))

        paired = paired_sums(
            finalize, *sums, strata=both.frame.strata, seed=seed, possible=range_of(metric)
        )
        values = [finalize(_whole(held)[None])[0] for held in sums]
        if getattr(metric, "proportion", False):
            binary = _binary(sums)
    elif one.ranks is not None:
        paired, values = _of_ranks(both, one, parts, seed)
    else:
        paired, values = _of_groups(both, one, other, seed)
    found = [
        _named(spec, part, (float(before), float(after)), held)
        for part, before, after, held in zip(parts, *values, paired, strict=False)
    ]
    return [replace(found[0], mcnemar=binary), *found[1:]]


def _binary(sums: Sequence[Matrix]) -> float | None:
    """Return McNemar's p value where each cluster is one sample, right or wrong."""
    (right, trials), (now, again) = (held[:, :2].toarray().T for held in sums)
    if (trials != 1).any() or (again != 1).any() or not np.isin((right, now), (0.0, 1.0)).all():
        return None
    return mcnemar(int(((now == 1) & (right == 0)).sum()), int(((now == 0) & (right == 1)).sum()))


def _of_ranks(
    both: _Both, one: Collector, parts: Sequence[Label], seed: int
) -> tuple[list[Paired], list[Floats]]:
    metric = one.ranks
    assert metric is not None
    both_kept = [both.frame.ordered(kept) for kept in both.kept]
    takes = [
        place
        for place, sample in enumerate(both_kept[0])
        if sample.target is not None or not one.needs_target
    ]
    n = len(takes)
    named, codes = np.unique(both.frame.codes[takes], return_inverse=True)
    strata = None if both.frame.strata is None else both.frame.strata[named]
    labels = both.labels.codes()[both.frame.order][takes]
    held = [set(name) for name in both.labels.names]
    inside = [
        np.flatnonzero(np.array([set(part) <= name for name in held])[labels]) for part in parts
    ]
    places = [np.concatenate([part, part + n]) for part in inside]
    samples = [kept[place] for kept in both_kept for place in takes]
    prepared = [metric.prepare([samples[place] for place in part]) for part in places]

    def value(weights: Floats) -> Floats:
        pairs = zip(prepared, places, strict=True)
        return np.stack([metric.value(one, weights[:, part]) for one, part in pairs], axis=-1)

    ones, zeros = np.ones((1, n)), np.zeros((1, n))
    values = [value(np.hstack([ones, zeros]))[0], value(np.hstack([zeros, ones]))[0]]
    possible = range_of(metric, prepared[0])
    return paired_ranks(value, codes, strata=strata, seed=seed, possible=possible), values


def _of_groups(
    both: _Both, one: Collector, other: Collector, seed: int
) -> tuple[list[Paired], list[Floats]]:
    metric, counts = one.groups, one.counted
    assert metric is not None
    assert counts is not None
    assert other.counted is not None
    labelled = [held.labelled(both.frame) for held in (counts, other.counted)]
    parts, size = metric.parts(labelled[0].names), counts.counts.size
    sums = [held.by_cluster(parts) for held in labelled]
    totals = [_whole(held).reshape(len(parts), size) for held in sums]
    settled = metric.settle(counts.counts, parts, np.minimum(*totals))

    def finalize(held: Floats) -> Floats:
        components = settled.components(held.reshape(-1, len(parts), size))
        return settled.combine(components)[:, np.newaxis]

    values = [finalize(held[None])[0] for held in totals]
    possible = settled.range() if isinstance(settled, Bounded) else (None, None)
    found = paired_sums(finalize, *sums, strata=both.frame.strata, seed=seed, possible=possible)
    return found, values


def _whole(sums: Matrix) -> Floats:
    return np.asarray(sums.sum(axis=0), dtype=np.float64)


def _named(
    spec: MetricSpec, part: Label, values: tuple[float, float], paired: Paired
) -> Difference:
    before, after = (float(value) if np.isfinite(value) else None for value in values)
    name, value = part[0] if part else ("", "")
    return Difference(
        spec.id, spec.column, spec.direction, spec.scale, spec.main, name, value, before, after,
        paired, options=spec.options,
    )  # fmt: skip
