"""The columns of a table: from what records hold, or as a layout declares them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from harness.errors import unknown
from harness.runs.record import EvaluationRecord, MetricValue
from harness.tables.layout import LayoutColumn, Published
from harness.tables.table import Column, Reported, ReportedRow


def columns_of(records: Sequence[EvaluationRecord], metric: str | None) -> tuple[Column, ...]:
    """Return a column for each headline metric, or for each one of this id or heading.

    Raises:
        UserError: no record has the metric.
    """
    by_task: dict[str, list[Column]] = {}
    for record in records:
        held = by_task.setdefault(record.task, [])
        for value in record.metrics:
            wanted = value.main if metric is None else metric in {value.id, value.column}
            column = column_of(record, value)
            if wanted and not any(same_column(column, other) for other in held):
                held.append(column)
    columns = tuple(column for held in by_task.values() for column in held)
    if not columns:
        known = {value.id for record in records for value in record.metrics}
        raise unknown("metric among these evaluations", str(metric), known)
    return columns


def declared_columns(
    records: Sequence[EvaluationRecord], declared: Sequence[LayoutColumn]
) -> tuple[tuple[Column, ...], tuple[str, ...], tuple[str, ...]]:
    """Return a layout's columns, each one's metric as the layout calls it, and notes.

    Raises:
        UserError: records of the task are there and none has the metric.
    """
    columns: list[Column] = []
    asked: list[str] = []
    missing: dict[str, None] = {}
    for one in declared:
        of_task = [record for record in records if record.task == one.task]
        if not of_task:
            missing.setdefault(one.task)
            name = one.metric or "Score"
            column = Column(one.task, one.task, one.metric, name, one.direction, 1.0)
            columns.append(_looking(column, one, one.heading))
            asked.append(one.metric)
            continue
        found = columns_of(of_task, one.metric or None)
        for column in found:
            # One heading over two metrics would make them look like one.
            columns.append(_looking(column, one, one.heading if len(found) == 1 else ""))
            asked.append(one.metric)
    notes = (f"No evaluation of {', '.join(missing)}.",) if missing else ()
    return tuple(columns), tuple(asked), notes


def _looking(column: Column, declared: LayoutColumn, heading: str) -> Column:
    return replace(column, group=declared.group, digits=declared.decimals, renamed=heading)


def column_of(record: EvaluationRecord, value: MetricValue) -> Column:
    """Return the column that a value of a record stands in."""
    return Column(
        record.task,
        record.task_title,
        value.id,
        value.column,
        value.direction,
        value.scale,
        dict(value.options),
    )


def same_column(one: Column, other: Column) -> bool:
    """Whether two columns hold the same numbers; titles and headings are looks."""
    return (one.task, one.metric, one.direction, one.scale, one.options) == (
        other.task,
        other.metric,
        other.direction,
        other.scale,
        other.options,
    )


def reported_panels(
    columns: Sequence[Column], asked: Sequence[str], published: Sequence[Published]
) -> tuple[Reported, ...]:
    """Return published numbers in the order of the columns; rows without any of them are left out.

    Args:
        columns: The table's columns.
        asked: Each one's metric as the layout calls it; empty for a task's headline metric, which
            takes the only number that is published for the task.
        published: What others reported.
    """
    panels = []
    for table in published:
        rows = []
        for row in table.rows:
            values = tuple(
                _published(row.values.get(column.task, {}), column, metric)
                for column, metric in zip(columns, asked, strict=True)
            )
            if any(value is not None for value in values):
                rows.append(ReportedRow(row.label, values, row.group))
        if rows:
            panels.append(Reported(table.title, table.citation, table.read_in, tuple(rows)))
    return tuple(panels)


def _published(held: Mapping[str, float], column: Column, metric: str) -> float | None:
    for name in (metric, column.metric, column.name):
        if name in held:
            return held[name]
    return next(iter(held.values())) if not metric and len(held) == 1 else None
