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
    records: Sequence[EvaluationRecord],
    names: Sequence[str],
    tasks: Sequence[str] | None,
    metric: str | None,
) -> tuple[list[EvaluationRecord], list[str] | None]:
    """Return records, and after those of each task one for each of its groups, as tasks beside it.

    A task without such groups keeps its number over all samples alone; where only the number shown
    has none, as of a skew, its record says so.

    Args:
        records: Evaluations, with their slices.
        names: Slices, such as ``gender``, in the order of the columns.
        tasks: Ids of the tasks that the table shows; all of them when ``None``.
        metric: Id or heading of the metric shown; each task's headline when ``None``.

    Returns:
        The records, and the ids of the tasks that the table shows now.

    Raises:
        UserError: none of the evaluations shown has a slice.
    """
    if not names:
        raise UserError("no slice is named", where="--slices", fix="such as gender")
    shown = [record for record in records if tasks is None or record.task in tasks]
    if not shown:
        return [*records], None if tasks is None else [*tasks]
    known = {part.slice for record in shown for part in record.slices}
    if not known:
        raise UserError(
            "none of these evaluations has slices",
            fix=f"`slices: [{names[0]}]` in the task's spec, and run it again",
        )
    for name in names:
        if name not in known:
            raise unknown("slice of these evaluations", name, known)
    by_task: dict[str, list[EvaluationRecord]] = {}
    for record in records:
        by_task.setdefault(record.task, []).append(record)
    extended: list[EvaluationRecord] = []
    columns: dict[str, list[str]] = {}
    for task, of_task in by_task.items():
        counting = current(of_task)[0]  # superseded ones are left out, and counted, once
        every = [part for name in names for part in _in_one_slice(counting, name)]
        parts = [_noted(part, metric) for part in every if _shown(part, metric)]
        groups = 0 if parts else len({one.task for one in every if not one.task.endswith(GAP)})
        extended += [*(_without_groups(record, groups) for record in of_task), *parts]
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


def _shown(record: EvaluationRecord, metric: str | None) -> list[MetricValue]:
    """Return the numbers of a record that the table shows."""
    if metric is None:
        return [value for value in record.metrics if value.main]
    return [value for value in record.metrics if metric in {value.id, value.column}]


def _without_groups(record: EvaluationRecord, groups: int) -> EvaluationRecord:
    note = {"groups in which this number has no value of its own": groups} if groups else {}
    return replace(record, counts=replace(record.counts, notes={**record.counts.notes, **note}))


def _noted(part: EvaluationRecord, metric: str | None) -> EvaluationRecord:
    """Return a part that notes why numbers of it that are shown are undefined."""
    notes = {
        f"samples for which {value.column} is undefined ({value.undefined})": part.counts.samples
        for value in _shown(part, metric)
        if value.value is None
    }
    return replace(part, counts=replace(part.counts, notes={**part.counts.notes, **notes}))


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
            undefined="" if measure.value is not None else _no_gap(record, name, comparison),
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


def _no_gap(record: EvaluationRecord, name: str, comparison: GroupComparison) -> str:
    """Say why there is no difference between groups."""
    large = [one for one in record.slices if one.slice == name and one.n >= MIN_N]
    if len(large) < 2:
        return f"fewer than two groups have {MIN_N} samples"
    return f"fewer than two groups have a value of {comparison.column}"


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
