"""Numbers in groups of samples beside those of all samples, as columns of one table."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from harness.errors import UserError, unknown
from harness.runs.record import Counts, EvaluationRecord, GroupComparison, MetricValue, SliceValue
from harness.runs.superseded import current
from harness.stats.groups import MIN_N

GAP = "difference between groups"
MACHINE = "machine-labelled slices"


def in_slices(
    records: Sequence[EvaluationRecord], names: Sequence[str], tasks: Sequence[str] | None
) -> tuple[list[EvaluationRecord], list[str] | None]:
    """Return records, and after those of each task one for each of its groups, as tasks beside it.

    A task without such groups keeps its number over all samples alone.

    Args:
        records: Evaluations, with their slices.
        names: Slices, such as ``gender``, in the order of the columns.
        tasks: Ids of the tasks that the table shows; all of them when ``None``.

    Returns:
        The records, and the ids of the tasks that the table shows now.

    Raises:
        UserError: none of the evaluations shown has a slice.
    """
    shown = [record for record in records if tasks is None or record.task in tasks]
    known = {part.slice for record in shown for part in record.slices}
    if shown and not known:
        raise UserError(
            "none of these evaluations has slices",
            fix=f"`slices: [{names[0]}]` in the task's spec, and run it again",
        )
    for name in names if shown else ():
        if name not in known:
            raise unknown("slice of these evaluations", name, known)
    by_task: dict[str, list[EvaluationRecord]] = {}
    for record in records:
        by_task.setdefault(record.task, []).append(record)
    extended: list[EvaluationRecord] = []
    columns: dict[str, list[str]] = {}
    for task, of_task in by_task.items():
        counting = current(of_task)[0]  # superseded ones are left out, and counted, once
        parts = [part for name in names for part in _in_one_slice(counting, name)]
        extended += [*of_task, *parts]
        columns[task] = list(dict.fromkeys([task, *(part.task for part in parts)]))
    chosen = None if tasks is None else [name for one in tasks for name in columns.get(one, [one])]
    return extended, chosen


def _in_one_slice(records: Sequence[EvaluationRecord], name: str) -> Iterator[EvaluationRecord]:
    """Yield the evaluations of a task in each group of a slice, then what lies between them."""
    groups = sorted(
        {part.value for record in records for part in record.slices if part.slice == name}
    )
    for group in groups:
        for record in records:
            for part in record.slices:
                if (part.slice, part.value) == (name, group):
                    yield _in_group(record, part)
    for record in records:
        comparisons = [one for one in record.comparisons if one.slice == name]
        if comparisons:
            yield _between(record, name, comparisons)


def _in_group(record: EvaluationRecord, part: SliceValue) -> EvaluationRecord:
    counts = Counts(part.n, part.n, 0, part.unparsed, part.refusals, part.clusters)
    metrics = tuple(_of(value, part.slice, part.value) for value in part.metrics)
    label = f"{part.slice} = {part.value}"
    return _part(record, label, metrics, counts, is_machine=part.source == "machine")


def _between(
    record: EvaluationRecord, name: str, comparisons: Sequence[GroupComparison]
) -> EvaluationRecord:
    metrics = []
    for comparison in comparisons:
        whole = next(one for one in record.metrics if one.id == comparison.metric
                     and one.column == comparison.column)  # fmt: skip
        measure = next(one for one in comparison.measures if one.name == GAP)
        gap = replace(
            whole,
            direction="lower",
            value=measure.value,
            interval=measure.interval,
            chance=measure.chance,
            range=(0.0, None),
        )
        metrics.append(_of(gap, name, ""))
    left_out = {group for comparison in comparisons for group in comparison.left_out}
    parts = [one for one in record.slices if one.slice == name and one.value not in left_out]
    samples = sum(part.n for part in parts)
    notes = {f"groups of fewer than {MIN_N} samples, which take no part": len(left_out)}
    counts = Counts(
        samples,
        samples,
        0,
        sum(part.unparsed for part in parts),
        sum(part.refusals for part in parts),
        record.counts.clusters,
        notes=notes if left_out else {},
    )
    is_machine = any(comparison.machine for comparison in comparisons)
    return _part(record, f"{name}: {GAP}", tuple(metrics), counts, is_machine=is_machine)


def _of(value: MetricValue, name: str, group: str) -> MetricValue:
    return replace(value, options={**value.options, "slice": name, "group": group})


def _part(
    record: EvaluationRecord,
    label: str,
    metrics: tuple[MetricValue, ...],
    counts: Counts,
    *,
    is_machine: bool,
) -> EvaluationRecord:
    marks = {*record.marks} - {MACHINE} | ({MACHINE} if is_machine else set())
    return replace(
        record,
        task=f"{record.task}, {label}",
        task_title=f"{record.task_title}, {label}",
        task_options={},
        counts=counts,
        metrics=metrics,
        slices=(),
        comparisons=(),
        details=(),
        marks=tuple(sorted(marks)),
    )
