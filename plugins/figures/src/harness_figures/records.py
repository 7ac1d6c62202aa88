"""From tables, evaluation records and training records to what figures show."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.analysis.results import finite
from harness.errors import UserError
from harness.jsonfiles import read_object, refuse_missing
from harness.runs.record import Detail, EvaluationRecord, MetricValue
from harness.tables.table import Cell, Column, Table

from harness_figures.shapes import Dot, Grid, Lines, Panel, Point, Scatter, Spokes, Value

BY_CONCEPT = "skew by concept and attribute"
_CONCEPT = "concept"


def forest_of_table(table: Table) -> tuple[Panel, ...]:
    """Return a panel for each column, with a point for each row; sections stand below each other.

    A row that may not be compared with the first ones says so.
    """
    panels = []
    for position, column in enumerate(table.columns):
        points = [
            _point(row.model if not index else f"{row.model} (not comparable)", row.cells[position])
            for index, section in enumerate(table.sections)
            for row in section.rows
            if row.cells[position] is not None
        ]
        if any(point.value is not None for point in points):
            line = 0.0 if column.direction == "zero" else None
            panels.append(Panel(column.over, column.heading, tuple(points), line))
    if not panels:
        raise UserError("these evaluations have no number to draw")
    return tuple(panels)


def _point(label: str, cell: Cell | None) -> Point:
    if cell is None:
        return Point(label, None)
    marks = f" ({', '.join(cell.shown)})" if cell.shown else ""
    return Point(label + marks, cell.value, cell.low, cell.high)


def forest_of_record(record: EvaluationRecord) -> tuple[Panel, ...]:
    """Return a panel for each metric: everything, then each value of each slice."""
    panels = []
    for metric in record.metrics:
        points = [_measured("all", metric)]
        for part in record.slices:
            chosen = next((one for one in part.metrics if _same(one, metric)), None)
            if chosen is not None:
                points.append(_measured(f"{part.slice}: {part.value} (n = {part.n})", chosen))
        value = points[0].value
        panels.append(Panel("", metric.column, tuple(points), value))
    return tuple(panels)


def _same(first: MetricValue, second: MetricValue) -> bool:
    return (first.id, first.column) == (second.id, second.column)


def _measured(label: str, metric: MetricValue) -> Point:
    interval = metric.interval
    return Point(
        label,
        _scaled(metric.value, metric.scale),
        None if interval is None else _scaled(interval.low, metric.scale),
        None if interval is None else _scaled(interval.high, metric.scale),
    )


def _scaled(value: Value, scale: float) -> Value:
    return None if value is None or not math.isfinite(value) else value * scale


def skew_detail(record: EvaluationRecord) -> Detail | None:
    """Return the table of skew by concept and attribute, if the task has one."""
    return next((detail for detail in record.details if detail.name == BY_CONCEPT), None)


def skew_grid(record: EvaluationRecord) -> Grid:
    """Return skew by concept (down) and attribute value (across).

    Raises:
        UserError: the task measures no skew by concept.
    """
    detail = skew_detail(record)
    if detail is None:
        raise UserError(
            f"the evaluation of {record.model!r} on {record.task!r} holds no {BY_CONCEPT}",
            fix="take an evaluation of a task whose metric is skew by concept",
        )
    cells: dict[tuple[str, str], Value] = {}
    for row in detail.rows:
        values = [f"{name}: {value}" for name, value in row.key.items() if name != _CONCEPT]
        cells[row.key.get(_CONCEPT, "all"), ", ".join(values)] = row.value
    rows = tuple(dict.fromkeys(row for row, _ in cells))
    columns = tuple(dict.fromkeys(column for _, column in cells))
    return Grid(
        f"{record.model} on {record.task_title}",
        rows,
        columns,
        tuple(tuple(cells.get((row, column)) for column in columns) for row in rows),
        "skew (log ratio; 0 is parity)",
    )


def scatter_of(x: tuple[Table, Column], y: tuple[Table, Column]) -> Scatter:
    """Return a dot for each row that has both numbers.

    Args:
        x: A table and which of its columns goes to the right.
        y: A table of the same records, and which of its columns goes up.

    Raises:
        UserError: no row has both.
    """
    across, up = _by_row(*x), _by_row(*y)
    dots = tuple(
        Dot(name, point, up[name])
        for name, point in across.items()
        if name in up and point.value is not None and up[name].value is not None
    )
    if not dots:
        raise UserError(f"none of the models has both {_said(x[1])} and {_said(y[1])}")
    return Scatter("", _said(x[1]), _said(y[1]), dots)


def with_front(plot: Scatter, x: Column, y: Column) -> Scatter:
    """Return models on two axes with those that none beats in both, from left to right.

    Args:
        plot: Models on two axes.
        x: The column across, which says which way is better.
        y: The column up.

    Raises:
        UserError: a number that is neither better high, nor low, nor near zero.
    """
    for column in (x, y):
        if column.direction == "none":
            raise UserError(f"{_said(column)} has no better or worse values")
    badness = [(x.badness(dot.x.value or 0.0), y.badness(dot.y.value or 0.0)) for dot in plot.dots]
    front = [
        dot
        for dot, mine in zip(plot.dots, badness, strict=True)
        if not any(
            other[0] <= mine[0] and other[1] <= mine[1] and other != mine for other in badness
        )
    ]
    places = sorted((dot.x.value or 0.0, dot.y.value or 0.0) for dot in front)
    return replace(plot, front=tuple(places))


def _by_row(table: Table, column: Column) -> dict[str, Point]:
    index = table.columns.index(column)
    return {
        row.model: _point(row.model, row.cells[index])
        for row in table.rows
        if row.cells[index] is not None
    }


def _said(column: Column) -> str:
    return f"{column.over}: {column.heading}"


def spokes_of(table: Table) -> Spokes:
    """Return each row's numbers, each column from its worst (0) to its best (1) row.

    Raises:
        UserError: under three columns.
    """
    if len(table.columns) < 3:
        raise UserError("a radar needs at least three tasks; use a forest plot")
    badness: list[list[Value]] = []
    for position, column in enumerate(table.columns):
        cells = [row.cells[position] for row in table.rows]
        bad = [
            None if cell is None or cell.value is None else column.badness(cell.value)
            for cell in cells
        ]
        defined = [value for value in bad if value is not None]
        low, high = (min(defined), max(defined)) if defined else (0.0, 0.0)
        width = high - low or 1.0
        badness.append([None if value is None else (high - value) / width for value in bad])
    outlines = {
        row.model: tuple(values[index] for values in badness)
        for index, row in enumerate(table.rows)
    }
    names = tuple(f"{column.over}: {column.heading}" for column in table.columns)
    return Spokes("each spoke from its worst row to its best", names, outlines)


def epochs_of(folder: Path) -> Lines:
    """Return the skew that a training measured before each epoch.

    Args:
        folder: The folder that ``harness train`` wrote, or its ``train.json``.

    Raises:
        UserError: no training record, or one whose recipe measured no skew.
    """
    with _training(folder) as (path, epochs, marks):
        numbers = tuple(int(epoch["epoch"]) + 1 for epoch in epochs)
        lines = {
            name: [finite(epoch.get(key)) for epoch in epochs]
            for name, key in (("MaxSkew@C", "max_skew"), ("MinSkew@C", "min_skew"))
        }
    if all(value is None for values in lines.values() for value in values):
        raise UserError(
            "the training measured no skew",
            where=path,
            fix="use a training whose recipe measures skew",
        )
    return Lines("", "epoch", "skew on the training pool", numbers, lines, marks, parity=0.0)


def losses_of(path: Path) -> Lines:
    """Return the mean loss of a training's samples every few steps.

    Args:
        path: The folder that ``harness train`` wrote, or its ``train.json``.

    Raises:
        UserError: no training record, or one of a version that kept no such curve.
    """
    steps: list[int] = []
    losses: list[Value] = []
    with _training(path) as (_, epochs, marks):
        for epoch in epochs:
            before = steps[-1] if steps else 0
            for step, loss in epoch["curve"]:
                steps.append(before + int(step))
                losses.append(finite(loss))
    return Lines("", "step", "loss", tuple(steps), {"loss": losses}, marks)


@contextmanager
def _training(folder: Path) -> Iterator[tuple[Path, list[dict[str, Any]], tuple[str, ...]]]:
    """Give a training's file, epochs and marks; what is wrong with them is one message."""
    refuse_missing(folder)
    path = folder / "train.json" if folder.is_dir() else folder
    try:  # a loss that is not a number has no point in the curve, as null has none
        record = read_object(path, undefined=True)
    except UserError as error:
        raise UserError(f"not a training record: {error.message}", where=path) from None
    try:
        epochs = [dict(epoch) for epoch in record["epochs"]]
        yield path, epochs, tuple(str(mark) for mark in record["marks"])
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"not a training record: {error!r:.200}", where=path) from None
