"""Compare two evaluations sample by sample: differences, intervals, p values, flips, slices."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import zip_longest

import numpy as np

from harness.descriptors import Direction, Json
from harness.errors import UserError
from harness.evaluation.collectors import Collector, Shared, collector_of
from harness.evaluation.collectors.frame import Parts, frame_of
from harness.evaluation.score import each_annotator, scored
from harness.metrics import ScoredSample
from harness.runs.record import EvaluationRecord
from harness.runs.sample_record import SampleRecord, read_samples
from harness.specs import TaskSpec
from harness.specs.resolve import read_resolved
from harness.stats.equivalence import equivalent, with_margin
from harness.stats.intervals import warning
from harness.stats.labelled import Labels
from harness.stats.paired import Paired, corrected
from harness.stats.types import Label
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
        undefined: Why a value of the two is undefined; empty where both are there.
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
    undefined: str = ""

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


@dataclass(slots=True)
class ScoreDifferences:
    """Options that both score in one way; total and largest absolute difference; its sample."""

    options: int = 0
    total: float = 0.0
    largest: float = 0.0
    sample: str = ""

    def add(self, first: SampleRecord, second: SampleRecord) -> None:
        """Add the options of a sample that both score."""
        before, after = first.scores, second.scores
        if before is None or after is None or before.kind != after.kind:
            return
        pairs = zip(before.values, after.values, strict=False)
        differences = [abs(value - other) for value, other in pairs]
        self.options += len(differences)
        self.total += sum(differences)
        if differences and (max(differences) > self.largest or not self.sample):
            self.largest, self.sample = max(differences), first.id


@dataclass(frozen=True, slots=True)
class TaskComparison:
    """Two evaluations of one task.

    Attributes:
        samples: Scored in both.
        left_out: Errored in one of them.
        same: Answered alike in both.
        slices: The headline metric in each value of each slice; corrected over them.
        marks: What either evaluation is marked with.
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
    same: int
    scores: ScoreDifferences
    marks: tuple[str, ...] = ()

    @property
    def main(self) -> Difference:
        """The headline metric's difference."""
        return next(one for one in self.metrics if one.main)


def compare(first: EvaluationRecord, second: EvaluationRecord, *, seed: int = 0) -> TaskComparison:
    """Compare two evaluations of one task on the samples that both have scored.

    Raises:
        UserError: their tasks or images differ (the message says in what), or a file is damaged.
    """
    refuse_different(first, second)
    spec = read_resolved(first.directory)
    both = _Both(spec)
    for sample, other in _pairs(first, second):
        both.add(sample, other)
    differences = both.differences(both.parts(), seed)
    main = next(at for at, metric in enumerate(spec.metrics) if metric.main)
    slices = differences[main][1:]
    tested = corrected([one.paired for one in slices])
    return TaskComparison(
        task=first.task,
        title=first.task_title,
        first=first.model,
        second=second.model,
        samples=both.samples,
        left_out=both.left_out,
        clusters=both.frame.number,
        metrics=tuple(of_metric[0] for of_metric in differences),
        slices=tuple(
            replace(one, paired=paired) for one, paired in zip(slices, tested, strict=True)
        ),
        flips=Flips(tuple(both.gained), tuple(both.lost), tuple(both.changed)),
        same=both.same,
        scores=both.scores,
        marks=tuple(sorted({*first.marks, *second.marks})),
    )


def refuse_different(first: EvaluationRecord, second: EvaluationRecord) -> None:
    """Refuse evaluations that did not ask the same.

    Raises:
        UserError: naming the parts that differ.
    """
    if first.task != second.task:
        raise UserError(f"{first.task!r} and {second.task!r} are different tasks")
    names = sorted({*first.task_parts, *second.task_parts})
    differ = [name for name in names if first.task_parts.get(name) != second.task_parts.get(name)]
    if first.images and second.images and first.images != second.images:
        differ.append("images")
    if first.task_fingerprint != second.task_fingerprint or differ:
        causes = ", ".join(differ) or "its fingerprint"
        raise UserError(
            f"the two evaluations of {first.task!r} differ in: {causes}",
            where=f"{first.directory} and {second.directory}",
            fix="compare evaluations with the same questions on the same samples",
        )


@dataclass
class TiedWithBest:
    """Which evaluations a paired test does not tell from the best of their column.

    With a margin: which of them two one-sided tests show to be equivalent to the best.
    One of :class:`harness.tables.ranks.Tied`.
    """

    records: Sequence[EvaluationRecord]
    seed: int = 0
    margin: float | None = None
    _held: dict[tuple[str, str], list[Difference]] = field(default_factory=dict)

    @property
    def note(self) -> str:
        """What ``≈`` is, after the sign."""
        if self.margin is None:
            return (
                "is not told apart from the best of its column: paired permutation test over "
                "clusters, p >= 0.05 after Holm over the rows"
            )
        return (
            f"is shown to differ by less than {self.margin:g} from the best of its column: two "
            "one-sided tests over clusters, p < 0.05 after Holm over the rows"
        )

    def __call__(self, column: Column, best: str, others: Sequence[str]) -> Collection[str]:
        """Return those of ``others`` that are tied with ``best``; names are fingerprints."""
        by_name = {record.fingerprint: record for record in self.records}
        tested = []
        for name in others:
            if best not in by_name or name not in by_name:
                return ()
            if (best, name) not in self._held:
                comparison = compare(by_name[best], by_name[name], seed=self.seed)
                self._held[best, name] = list(comparison.metrics)
            # A layout may give the column another heading; metric and options name the number.
            same = [
                diff.paired
                for diff in self._held[best, name]
                if diff.metric == column.metric and dict(diff.options) == dict(column.options)
            ]
            if not same:
                return ()
            tested.append(same[0])
        if self.margin is not None:
            margins = [self.margin / column.scale] * len(tested)
            differences = with_margin(tested, margins, ["none"] * len(tested))
            return [
                name for name, diff in zip(others, differences, strict=True) if equivalent(diff)
            ]
        pairs = zip(others, corrected(tested), strict=True)
        return [
            name for name, diff in pairs if diff.corrected is not None and diff.corrected >= ALPHA
        ]


class _Both:
    """The statistics of two evaluations, sample by sample."""

    def __init__(self, spec: TaskSpec) -> None:
        self.spec = spec
        self.frame = frame_of(spec)
        self.collectors = tuple(_collectors(spec) for _ in range(2))
        self.labels = Labels()
        self.gained: list[str] = []
        self.lost: list[str] = []
        self.changed: list[str] = []
        self.samples = self.left_out = self.same = 0
        self.scores = ScoreDifferences()

    def add(self, first: SampleRecord, second: SampleRecord) -> None:
        """Add a sample; one that errored in either evaluation is left out."""
        if first.error is not None or second.error is not None:
            self.left_out += 1
            return
        self.samples += 1
        self.same += first.answer == second.answer
        self.scores.add(first, second)
        for samples in _alike(first, second, self.spec):
            self.frame.add(samples[0])
            groups = samples[0].groups or {}
            label = tuple((name, groups[name]) for name in self.spec.slices if name in groups)
            self.labels.add(label)
            for sample, collectors in zip(samples, self.collectors, strict=True):
                for collector in collectors:
                    collector.add(sample)
        before, after = _right(first), _right(second)
        if after > before:
            self.gained.append(first.id)
        elif after < before:
            self.lost.append(first.id)
        elif first.answer != second.answer:
            self.changed.append(first.id)

    def parts(self) -> Parts:
        """Return everything, then each value of each slice."""
        names = self.labels.names
        pairs = {pair for label in names for pair in label}
        codes = self.labels.codes()[self.frame.order]
        return Parts([(), *((pair,) for pair in sorted(pairs))], codes, names)

    def differences(self, parts: Parts, seed: int) -> list[list[Difference]]:
        """Return each metric's difference over all samples, and in the slices that it has."""
        codes = self.frame.codes
        clusters = [
            len(np.unique(codes[members])) for members in parts.members(np.arange(len(codes)))
        ]
        differences = [
            self._difference(first, second, parts, seed)
            for first, second in zip(*self.collectors, strict=True)
        ]
        return [
            [_within(*one) for one in zip(of_metric, clusters, strict=False)]
            for of_metric in differences
        ]

    def _difference(
        self, first: Collector, second: Collector, parts: Parts, seed: int
    ) -> list[Difference]:
        if not len(self.frame.codes):
            undefined = Paired(None, None, None, None)
            return [_named(first, (), (float("nan"), float("nan")), undefined)]
        compared = first.paired(second, parts, self.frame, seed)
        # A metric of groups has a value over everything alone: the first part.
        values = [
            _named(first, part, (float(before), float(after)), paired)
            for part, before, after, paired in zip(
                parts.names, compared.first, compared.second, compared.paired, strict=False
            )
        ]
        return [replace(values[0], mcnemar=compared.mcnemar), *values[1:]]


def _within(difference: Difference, clusters: int) -> Difference:
    """Return a difference with the number of its part's clusters; one alone tests nothing."""
    paired = replace(difference.paired, units=min(difference.paired.units, clusters))
    if paired.units < 2:
        paired = replace(paired, interval=None, p=None, detectable=None, spread=None)
    elif (ends := paired.interval) is not None and difference.slice:
        of_part = replace(ends, warning=warning(ends.low, ends.high, paired.units))
        paired = replace(paired, interval=of_part)
    return replace(difference, paired=paired)


def _collectors(spec: TaskSpec) -> list[Collector]:
    shared: Shared = {}
    return [collector_of(metric, spec, shared) for metric in spec.metrics]


def _pairs(
    first: EvaluationRecord, second: EvaluationRecord
) -> Iterator[tuple[SampleRecord, SampleRecord]]:
    """Yield the records of both; equal fingerprints mean equal ids in equal order."""
    streams = read_samples(first.directory), read_samples(second.directory)
    for sample, other in zip_longest(*streams):
        if sample is None or other is None or sample.id != other.id:
            raise UserError(
                "the two evaluations do not hold the same samples",
                where=f"{first.directory} and {second.directory}",
            )
        yield sample, other


def _alike(
    first: SampleRecord, second: SampleRecord, spec: TaskSpec
) -> Iterator[tuple[ScoredSample, ScoredSample]]:
    """Yield a sample of both, each time against the same: all annotators but one, if one is."""
    sides = scored(first, spec), scored(second, spec)
    left_out = first.annotators if first.annotators is not None else second.annotators
    if left_out is None:
        yield sides
        return
    pairs = [each_annotator(sample, left_out) for sample in sides]
    of_people = [record.annotators is not None for record in (first, second)]
    for first_sample, other in zip(*pairs, strict=True):
        yield first_sample[of_people[0]], other[of_people[1]]


def _right(record: SampleRecord) -> float:
    if record.score is not None:
        return float(record.score)
    return float(record.answer is not None and record.answer == record.target)


def _named(
    collector: Collector, part: Label, values: tuple[float, float], paired: Paired
) -> Difference:
    spec = collector.spec
    before, after = (float(value) if np.isfinite(value) else None for value in values)
    name, value = part[0] if part else ("", "")
    return Difference(
        spec.id, spec.column, spec.direction, spec.scale, spec.main, name, value, before, after,
        paired, options=spec.options,
        undefined=collector.reason() if before is None or after is None else "",
    )  # fmt: skip
