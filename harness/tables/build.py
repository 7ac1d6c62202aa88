"""Records to table: which rows may stand together, and what must be said about them.

Pure: the same records in the same order give the same table. Nothing is averaged.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from harness.descriptors import Json
from harness.errors import UserError, unknown
from harness.runs.record import EvaluationRecord, MetricValue
from harness.tables.notes import notes_of
from harness.tables.table import Cell, Column, Row, Section, Table


def build_table(
    records: Iterable[EvaluationRecord],
    *,
    tasks: Sequence[str] | None = None,
    metric: str | None = None,
) -> Table:
    """Return the table of these records.

    Args:
        records: Sealed evaluations; rows and columns come in order of first appearance.
        tasks: Ids of the tasks to show, in this order; all when ``None``.
        metric: Id or heading of the metric to show instead of each task's headline metric.

    Raises:
        UserError: no record, a task or metric that no record has, or two different evaluations
            for one place in the table.
    """
    chosen = _chosen(list(records), tasks)
    columns = _columns(chosen, metric)
    sections = _sections(chosen)
    names = _names([record for records in sections for record in records])
    common = frozenset.intersection(*(frozenset(record.marks) for record in chosen))
    built = tuple(
        Section(
            _why(sections, index) if index else "",
            _rows(held, columns, names, common),
        )
        for index, held in enumerate(sections)
    )
    return Table(columns, built, notes_of(sections, columns, common))


def _chosen(records: list[EvaluationRecord], tasks: Sequence[str] | None) -> list[EvaluationRecord]:
    if not records:
        raise UserError("no finished evaluation to show", fix="harness run ... makes them")
    if tasks is None:
        return records
    known = {record.task for record in records}
    for task in tasks:
        if task not in known:
            raise unknown("task among these evaluations", task, known)
    place = {task: index for index, task in reversed(list(enumerate(tasks)))}
    kept = [record for record in records if record.task in place]
    return sorted(kept, key=lambda record: place[record.task])


# --- columns --------------------------------------------------------------------------------------


def _columns(records: Sequence[EvaluationRecord], metric: str | None) -> tuple[Column, ...]:
    by_task: dict[str, list[Column]] = {}
    for record in records:
        held = by_task.setdefault(record.task, [])
        for value in record.metrics:
            wanted = value.main if metric is None else metric in {value.id, value.column}
            column = _column(record, value)
            if wanted and not any(_same_column(column, other) for other in held):
                held.append(column)
    columns = tuple(column for held in by_task.values() for column in held)
    if not columns:
        known = {value.id for record in records for value in record.metrics}
        raise unknown("metric among these evaluations", str(metric), known)
    return columns


def _column(record: EvaluationRecord, value: MetricValue) -> Column:
    return Column(
        record.task,
        record.task_title,
        value.id,
        value.column,
        value.direction,
        value.scale,
        dict(value.options),
    )


def _same_column(one: Column, other: Column) -> bool:
    # Titles are looks; a changed title must not split a column.
    return (one.task, one.metric, one.name, one.direction, one.scale, one.options) == (
        other.task,
        other.metric,
        other.name,
        other.direction,
        other.scale,
        other.options,
    )


# --- sections: what may be compared ---------------------------------------------------------------


def _sections(records: Sequence[EvaluationRecord]) -> list[list[EvaluationRecord]]:
    """Put records apart so that, within a section, a task means one and the same thing.

    Of each task the most frequent variant goes to the first section, the next to the second, and
    so on; ties go by first appearance.
    """
    places: dict[str, dict[_Variant, int]] = {}
    variants = _variants(records)
    for task in {record.task: None for record in records}:
        counted = Counter(
            variant
            for record, variant in zip(records, variants, strict=True)
            if record.task == task
        )
        places[task] = {variant: i for i, (variant, _) in enumerate(counted.most_common())}
    sections: dict[int, list[EvaluationRecord]] = {}
    for record, variant in zip(records, variants, strict=True):
        sections.setdefault(places[record.task][variant], []).append(record)
    return [sections[index] for index in sorted(sections)]


@dataclass(frozen=True, slots=True)
class _Variant:
    fingerprint: str
    images: str | None


def _variants(records: Sequence[EvaluationRecord]) -> list[_Variant]:
    """Return each record's variant; one that opened no image joins those of its fingerprint."""
    seen: dict[tuple[str, str], Counter[str]] = {}
    for record in records:
        if record.images is not None:
            key = (record.task, record.task_fingerprint)
            seen.setdefault(key, Counter())[record.images] += 1
    variants = []
    for record in records:
        images = record.images
        digests = seen.get((record.task, record.task_fingerprint))
        if images is None and digests is not None:
            images = digests.most_common(1)[0][0]
        variants.append(_Variant(record.task_fingerprint, images))
    return variants


def _why(sections: Sequence[Sequence[EvaluationRecord]], index: int) -> str:
    """Say in what the tasks of a section differ from those of the first."""
    reasons = []
    for task in {record.task: None for record in sections[index]}:
        here = next(record for record in sections[index] if record.task == task)
        first = next(record for record in sections[0] if record.task == task)
        reasons.append(f"{here.task_title} differs in {_difference(first, here)}")
    return "Not comparable with the rows above: " + "; ".join(reasons)


def _difference(one: EvaluationRecord, other: EvaluationRecord) -> str:
    names = [*one.task_parts, *(name for name in other.task_parts if name not in one.task_parts)]
    parts = [name for name in names if one.task_parts.get(name) != other.task_parts.get(name)]
    if one.images is not None and other.images is not None and one.images != other.images:
        parts.append("images")
    return ", ".join(parts) or "its fingerprint"


# --- rows -----------------------------------------------------------------------------------------

_Key = tuple[str, str, str]


def _key(record: EvaluationRecord) -> _Key:
    """What makes two records one row: the model, and the settings that change its numbers."""
    return record.model, record.model_fingerprint, _canonical(record.raw.get("settings"))


def _canonical(value: Json) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _names(records: Sequence[EvaluationRecord]) -> dict[_Key, str]:
    """Return a name for each row: the model's, with what tells it from its namesakes."""
    rows = {_key(record): record for record in records}
    names: dict[_Key, str] = {}
    for key, record in rows.items():
        namesakes = [other for other in rows.values() if other.model == record.model]
        names[key] = record.model
        if len(namesakes) > 1:
            names[key] += f" ({_telling(record, namesakes)})"
    taken = Counter(names.values())
    return {
        key: name if taken[name] == 1 else f"{name} #{key[1][:8]}" for key, name in names.items()
    }


def _telling(record: EvaluationRecord, namesakes: Sequence[EvaluationRecord]) -> str:
    def facts(one: EvaluationRecord) -> dict[str, Json]:
        settings = one.raw.get("settings")
        return {**one.model_options, **(settings if isinstance(settings, dict) else {})}

    every = [facts(one) for one in namesakes]
    names = list(dict.fromkeys(name for held in every for name in held))
    differing = [name for name in names if len({_canonical(held.get(name)) for held in every}) > 1]
    mine = facts(record)
    told = [f"{name}={_plain(mine.get(name))}" for name in differing]
    return ", ".join(told) or f"#{record.model_fingerprint[:8]}"


def _plain(value: Json) -> str:
    if value is None:
        return "unset"
    return value if isinstance(value, str) else _canonical(value)


def _rows(
    records: Sequence[EvaluationRecord],
    columns: Sequence[Column],
    names: dict[_Key, str],
    common: Collection[str],
) -> tuple[Row, ...]:
    rows: dict[_Key, dict[str, EvaluationRecord]] = {}
    for record in records:
        held = rows.setdefault(_key(record), {})
        other = held.setdefault(record.task, record)
        if other is not record and not _equal(record, other):
            raise UserError(
                f"two different evaluations of {record.model!r} on {record.task!r}: "
                f"{other.directory} and {record.directory}",
                fix="name the one to show, or move the other away",
            )
    return tuple(
        Row(
            names[key],
            key[1],
            tuple(_cell(held.get(column.task), column, common) for column in columns),
        )
        for key, held in rows.items()
    )


def _equal(one: EvaluationRecord, other: EvaluationRecord) -> bool:
    return (one.counts, one.metrics, one.slices, one.marks, one.images) == (
        other.counts,
        other.metrics,
        other.slices,
        other.marks,
        other.images,
    )


def _cell(record: EvaluationRecord | None, column: Column, common: Collection[str]) -> Cell | None:
    if record is None:
        return None
    value = next(
        (one for one in record.metrics if _same_column(_column(record, one), column)), None
    )
    if value is None:
        return None
    counts, interval = record.counts, value.interval
    scored = max(counts.scored, 1)
    return Cell(
        value=None if value.value is None else value.value * value.scale,
        low=None if interval is None else interval.low * value.scale,
        high=None if interval is None else interval.high * value.scale,
        level=None if interval is None else interval.level,
        n=counts.scored,
        clusters=counts.clusters,
        unparsed=counts.unparsed / scored,
        refusals=counts.refusals / scored,
        errors=counts.errors,
        marks=record.marks,
        shown=tuple(mark for mark in record.marks if mark not in common),
        evaluation=str(record.raw.get("fingerprint", "")),
    )
