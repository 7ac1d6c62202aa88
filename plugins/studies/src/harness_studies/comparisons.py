"""Compare two models sample by sample: :func:`harness.compare`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.api.records import OnSkipped, newest_of, several, warn
from harness.arguments import checked
from harness.config.tasks import task_names
from harness.descriptors import Direction
from harness.errors import UserError
from harness.evaluation.paired import TaskComparison
from harness.evaluation.paired import compare as compare_records
from harness.runs.record import EvaluationRecord
from harness.specs.catalog import fitting, is_pattern
from harness.stats.equivalence import equivalent
from harness.stats.intervals import LEVEL
from harness.stats.paired import Paired, corrected

from harness_studies.seeds import SeedComparison, compare_all_seeds


@checked
def compare(  # noqa: PLR0913  one keyword for each flag
    first: Path | str | Iterable[Path | str],
    second: Path | str | Iterable[Path | str],
    *,
    tasks: str | Iterable[str] | None = None,
    seed: int = 0,
    margin: float | None = None,
    on_skipped: OnSkipped | None = None,
) -> Sequence[TaskComparison | SeedComparison]:
    """Compare two models sample by sample, second minus first, on every task that both have.

    Args:
        first: A run or an evaluation by name, a manifest or a folder of evaluations, of one model;
            several of the model with other seeds, in a list or with commas between, are compared
            as means.
        second: The same of the other model.
        tasks: Compare only these tasks.
        seed: Seed of resampling.
        margin: The largest difference that does not matter, as tables print numbers (0.5 for half a
            point of accuracy): comparisons then say what is equivalent and what is no worse.
        on_skipped: Called with what was damaged, unfinished or superseded; warns by default.

    Raises:
        UserError: no finished evaluation, no task in common, evaluations that differ in what was
            asked, or one that is compared with itself.
    """
    on_skipped = on_skipped or warn
    groups = _paired(
        _by_task(first, on_skipped), _by_task(second, on_skipped), task_names(tasks or ())
    )
    if any(len(records) > 1 for group in groups for records in group):
        return _claimed(compare_all_seeds(groups), margin)
    pairs = [(firsts[0], seconds[0]) for firsts, seconds in groups]
    return _claimed(compare_all(pairs, seed=seed), margin)


def _claimed(comparisons: Sequence[Any], margin: float | None) -> list[Any]:
    """Return comparisons with what a margin tells; headlines are a family, and slices are one."""
    if margin is None:
        return [*comparisons]
    from harness.stats.equivalence import with_margin

    def claimed(differences: Sequence[Any]) -> list[Any]:
        tested = with_margin(
            [one.paired for one in differences],
            [margin / one.scale for one in differences],
            [one.direction for one in differences],
        )
        return [
            replace(one, paired=paired) for one, paired in zip(differences, tested, strict=True)
        ]

    heads = iter(claimed([one.main for one in comparisons]))
    corrected = []
    for comparison in comparisons:
        metrics = [
            next(heads) if metric.main else claimed([metric])[0] for metric in comparison.metrics
        ]
        slices = (
            {"slices": tuple(claimed(comparison.slices))}
            if isinstance(comparison, TaskComparison)
            else {}
        )
        corrected.append(replace(comparison, metrics=tuple(metrics), **slices))
    return corrected


def _by_task(
    places: Path | str | Iterable[Path | str], on_skipped: OnSkipped
) -> dict[str, list[EvaluationRecord]]:
    """Return evaluations by task, of one place or of several with commas between."""
    names = several(places)
    if len(names) == 1 and not Path(names[0]).exists():
        names = [name.strip() for name in str(names[0]).split(",")]
    by_task: dict[str, list[EvaluationRecord]] = {}
    for name in names:
        records, _ = newest_of([name], on_skipped, details=True)
        records = [record for record in records if not record.variant] or records
        if not records:
            raise UserError(
                "there is no finished evaluation", where=str(name), fix="harness run ..."
            )
        for record in records:
            by_task.setdefault(record.task, []).append(record)
    return by_task


def _paired(
    first: Mapping[str, list[EvaluationRecord]],
    second: Mapping[str, list[EvaluationRecord]],
    tasks: Sequence[str],
) -> list[tuple[list[EvaluationRecord], list[EvaluationRecord]]]:
    in_both = [name for name in first if name in second]
    named: dict[str, None] = {}
    for name in tasks:
        named.update(dict.fromkeys(fitting(name, in_both) if is_pattern(name) else [name]))
    for name in named:
        for records in (first, second):
            if name not in records:
                fix = ", ".join(records)
                raise UserError(f"no evaluation of {name!r} in both runs", fix=fix)
    shared = [*named] or in_both
    for name in shared:
        first_places, second_places = (
            {one.directory.resolve() for one in records[name]} for records in (first, second)
        )
        if first_places == second_places:
            raise UserError(
                f"evaluations of {name!r} are compared with themselves",
                where=min(first_places),
                fix="name two runs, or the tasks to compare with --tasks",
            )
    if not shared:
        raise UserError(
            "the two runs have no task in common: "
            f"{', '.join(first)} in one, {', '.join(second)} in the other"
        )
    return [(first[name], second[name]) for name in shared]


def compare_all(
    pairs: Sequence[tuple[EvaluationRecord, EvaluationRecord]], *, seed: int = 0
) -> list[TaskComparison]:
    """Compare several tasks; p values of their headlines are corrected over the tasks (Holm)."""
    comparisons = [compare_records(first, second, seed=seed) for first, second in pairs]
    tested = corrected([comparison.main.paired for comparison in comparisons])
    return [
        replace(
            comparison,
            metrics=tuple(
                replace(metric, paired=outcome) if metric.main else metric
                for metric in comparison.metrics
            ),
        )
        for comparison, outcome in zip(comparisons, tested, strict=True)
    ]


def claim_of(outcome: Paired, direction: Direction) -> str:
    """Return what may be said of a difference in a few words, and why a margin tells nothing."""
    tested, alpha = outcome.equivalence, 1 - LEVEL
    if tested is None:
        return ""
    p = outcome.p if outcome.corrected is None else outcome.corrected
    words = []
    if p is not None and p < alpha and outcome.difference and direction in {"higher", "lower"}:
        words.append("better" if (outcome.difference > 0) == (direction == "higher") else "worse")
    elif p is not None and p < alpha:
        words.append("different")
    if equivalent(outcome):
        words.append("≈")
    elif tested.no_worse is not None and tested.no_worse < alpha and "better" not in words:
        words.append("no worse")
    words += [tested.why] * bool(tested.why)
    return ", ".join(words) or "not shown"
