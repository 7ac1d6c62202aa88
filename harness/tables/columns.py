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
        of_task = by_task.setdefault(record.task, [])
        for value in record.metrics:
            chosen = value.main if metric is None else metric in {value.id, value.column}
            column = column_of(record, value)
            if chosen and not any(same_column(column, other) for other in of_task):
                of_task.append(column)
    columns = tuple(column for of_task in by_task.values() for column in of_task)
    if not columns:
        metric_ids = {value.id for record in records for value in record.metrics}
        raise unknown("metric among these evaluations", str(metric), metric_ids)
    return columns


def with_readings(
    records: Sequence[EvaluationRecord], columns: Sequence[Column], metric_names: Sequence[str]
) -> tuple[tuple[Column, ...], tuple[str, ...]]:
    """Return the columns, and after those that are best at zero what says how to read them.

    A metric without a direction, such as the share of yes, tells whether a zero beside it is
    parity or a model that gives everybody one answer.

    Args:
        records: What the table shows.
        columns: Its columns.
        metric_names: The metric of each, as a layout calls it; empty without a layout.
    """
    extended, names = list(columns), list(metric_names)
    for task in dict.fromkeys(one.task for one in columns if one.direction == "zero"):
        neighbours = [one for one in columns if one.task == task]
        for record in records:
            for value in record.metrics if record.task == task else ():
                reading = replace(column_of(record, value), group=neighbours[-1].group)
                if value.direction == "none" and not any(
                    same_column(reading, one) for one in neighbours
                ):
                    position = extended.index(neighbours[-1]) + 1
                    extended.insert(position, reading)
                    names[position:position] = [value.id] if metric_names else []
                    neighbours.append(reading)
    return tuple(extended), tuple(names)


def declared_columns(
    records: Sequence[EvaluationRecord], declared: Sequence[LayoutColumn]
) -> tuple[tuple[Column, ...], tuple[str, ...], tuple[str, ...]]:
    """Return a layout's columns, each one's metric as the layout calls it, and notes.

    Raises:
        UserError: records of the task are there and none has the metric.
    """
    columns: list[Column] = []
    metric_names: list[str] = []
    missing: dict[str, None] = {}
    for declaration in declared:
        task, metric = declaration.task, declaration.metric
        of_task = [record for record in records if record.task == task]
        if not of_task:
            missing.setdefault(task)
            column = Column(task, task, metric, metric or "Score", declaration.direction, 1.0)
            columns.append(_looking(column, declaration, declaration.heading))
            metric_names.append(metric)
            continue
        matching = columns_of(of_task, metric or None)
        for column in matching:
            # One heading over two metrics would make them look like one.
            columns.append(
                _looking(column, declaration, declaration.heading if len(matching) == 1 else "")
            )
            metric_names.append(metric)
    notes = (f"No evaluation of {', '.join(missing)}.",) if missing else ()
    return tuple(columns), tuple(metric_names), notes


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


def same_column(column: Column, other: Column) -> bool:
    """Whether two columns hold the same numbers; titles and headings are looks."""
    return (column.task, column.metric, column.direction, column.scale, column.options) == (
        other.task,
        other.metric,
        other.direction,
        other.scale,
        other.options,
    )


def reported_panels(
    columns: Sequence[Column], metric_names: Sequence[str], published: Sequence[Published]
) -> tuple[Reported, ...]:
    """Return published numbers in the order of the columns; rows without any of them are left out.

    Args:
        columns: The table's columns.
        metric_names: The metric of each column, as the layout calls it; empty for a task's headline
            metric, which takes the only number that is published for the task.
        published: What others reported.
    """
    panels = []
    for table in published:
        rows = []
        for row in table.rows:
            values = tuple(
                _published(row.values.get(column.task, {}), column, metric)
                for column, metric in zip(columns, metric_names, strict=True)
            )
            if any(value is not None for value in values):
                rows.append(ReportedRow(row.label, values, row.group))
        if rows:
            panels.append(Reported(table.title, table.citation, table.read_in, tuple(rows)))
    return tuple(panels)


def _published(numbers: Mapping[str, float], column: Column, metric: str) -> float | None:
    for name in (metric, column.metric, column.name):
        if name in numbers:
            return numbers[name]
    return next(iter(numbers.values())) if not metric and len(numbers) == 1 else None
