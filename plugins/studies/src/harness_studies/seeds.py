"""Two models over several seeds each: mean differences with Student's t intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from harness.descriptors import Direction
from harness.errors import UserError
from harness.evaluation.paired import refuse_different
from harness.runs.record import EvaluationRecord, MetricValue
from harness.stats.intervals import of_difference, over_seeds
from harness.stats.paired import Paired, corrected
from harness.tables.duplicates import Seed, seed_of


@dataclass(frozen=True, slots=True)
class SeedDifference:
    """One metric of two models, second minus first, each a mean over the same seeds.

    Attributes:
        paired: The interval and p value are Student's over the seeds' differences. They tell how
            trainings vary, on these samples; it holds for no other samples.
        undefined: Why a value of the two is undefined; empty where both are there.
    """

    metric: str
    column: str
    scale: float
    main: bool
    first: float | None
    second: float | None
    paired: Paired
    direction: Direction = "none"
    undefined: str = ""

    @property
    def label(self) -> str:
        """The metric's heading."""
        return self.column


@dataclass(frozen=True, slots=True)
class SeedComparison:
    """Two models on one task; ``seeds`` says how many pairs of evaluations."""

    task: str
    title: str
    first: str
    second: str
    seeds: int
    metrics: tuple[SeedDifference, ...]
    marks: tuple[str, ...] = ()

    @property
    def main(self) -> SeedDifference:
        """The headline metric's difference."""
        return next(one for one in self.metrics if one.main)


def compare_seeds(
    first: Sequence[EvaluationRecord], second: Sequence[EvaluationRecord]
) -> SeedComparison:
    """Compare two models that were evaluated with the same several seeds.

    Raises:
        UserError: the seeds of the two differ, a seed stands twice, or they did not ask the same.
    """
    own_runs, other = _by_seed(first), _by_seed(second)
    if own_runs.keys() != other.keys():
        raise UserError(
            f"the seeds differ: {_said(own_runs)} in one, {_said(other)} in the other",
            fix="compare evaluations of the same seeds",
        )
    pairs = [(own_runs[seed], other[seed]) for seed in own_runs]
    head = pairs[0][0]
    for pair in pairs:
        refuse_different(head, pair[0])
        refuse_different(*pair)
    return SeedComparison(
        head.task,
        head.task_title,
        head.model,
        pairs[0][1].model,
        len(pairs),
        tuple(_difference(place, pairs) for place in range(len(head.metrics))),
        marks=tuple(sorted({mark for pair in pairs for side in pair for mark in side.marks})),
    )


def compare_all_seeds(
    groups: Sequence[tuple[Sequence[EvaluationRecord], Sequence[EvaluationRecord]]],
) -> list[SeedComparison]:
    """Compare several tasks; p values of their headlines are corrected over the tasks (Holm)."""
    comparisons = [compare_seeds(*group) for group in groups]
    tested = corrected([comparison.main.paired for comparison in comparisons])
    return [
        replace(
            comparison,
            metrics=tuple(replace(m, paired=paired) if m.main else m for m in comparison.metrics),
        )
        for comparison, paired in zip(comparisons, tested, strict=True)
    ]


def _by_seed(records: Sequence[EvaluationRecord]) -> Mapping[Seed, EvaluationRecord]:
    by_seed: dict[Seed, EvaluationRecord] = {}
    for record in records:
        other = by_seed.setdefault(seed_of(record), record)
        if other is not record or other.model != records[0].model:
            raise UserError(
                f"more than one evaluation of {record.task!r} that differs in more than the seed: "
                f"{records[0].directory} and {record.directory}",
                fix="give runs that differ only in their seed",
            )
    return by_seed


def _said(records: Mapping[Seed, EvaluationRecord]) -> str:
    names = (" / ".join(str(part) for part in seed if part is not None) for seed in records)
    return ", ".join(names)


def _difference(
    position: int, pairs: Sequence[tuple[EvaluationRecord, EvaluationRecord]]
) -> SeedDifference:
    head = pairs[0][0].metrics[position]
    values = [tuple(_value(record, head) for record in pair) for pair in pairs]
    named = head.id, head.column, head.scale, head.main
    defined = [(a, b) for a, b in values if a is not None and b is not None]
    if len(defined) < len(values):  # a mean of some seeds is another number
        none = Paired(None, None, None, None)
        why = "one of the seeds has no value"
        return SeedDifference(*named, None, None, none, head.direction, why)
    differences = [b - a for a, b in defined]
    n = len(defined)
    vary = len(set(differences)) > 1
    spread = over_seeds(differences) if vary else None
    from scipy.stats import ttest_1samp

    paired = Paired(
        difference=math.fsum(differences) / n,
        interval=spread and spread.within(of_difference(head.range)),
        p=float(ttest_1samp(differences, 0.0).pvalue) if vary else None,
        detectable=None,
        spread=float(np.std(differences, ddof=1)) / math.sqrt(n) if vary else None,
        units=n,
        largest=of_difference(head.range)[1],
    )
    first, second = (math.fsum(held) / n for held in zip(*defined, strict=True))
    return SeedDifference(*named, first, second, paired, head.direction)


def _value(record: EvaluationRecord, like: MetricValue) -> float | None:
    same = (m.value for m in record.metrics if (m.id, m.options) == (like.id, like.options))
    value = next(same, None)
    return value if value is not None and math.isfinite(value) else None
