"""Comma-separated values: long (one line per number) and wide (one line per row of the table)."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable

from harness.errors import flat
from harness.tables.table import UNSUPPORTED, Cell, Column, Table

LONG = (
    "section", "group", "model", "task", "task_title", "metric", "heading", "direction", "source",
    "value", "low", "high", "level", "n", "clusters", "unparsed", "refusals", "errors", "seeds",
    "rank", "tied", "delta", "marks", "evaluation", "undefined",
)  # fmt: skip

Field = str | float | None


def csv_long(table: Table) -> str:
    """Return one line for each number; a cell without a record has no line."""
    lines: list[list[Field]] = []
    for section in table.sections:
        for row in section.rows:
            for column, cell in zip(table.columns, row.cells, strict=True):
                if cell is not None:
                    head = [section.title, row.group, row.model, *_column(column)]
                    lines.append([*head, "measured", *_long(cell)])
    for panel in table.reported:
        for reported in panel.rows:
            for column, value in zip(table.columns, reported.values, strict=True):
                if value is not None:
                    head = [panel.heading, reported.group, reported.model, *_column(column)]
                    source = f"reported: {panel.citation} {panel.note}"
                    lines.append([*head, source, value, *[None] * (len(LONG) - 10)])
    return _written([LONG, *lines])


def _column(column: Column) -> list[str]:
    return [column.task, column.title, column.metric, column.name, column.direction]


def _long(cell: Cell) -> list[Field]:
    return [
        cell.value if cell.supported else UNSUPPORTED,
        cell.low, cell.high, cell.level, cell.n, cell.clusters, cell.unparsed, cell.refusals,
        cell.errors, cell.seeds, cell.rank, "yes" if cell.tied else "", cell.delta,
        " ".join(cell.marks), cell.evaluation, cell.undefined,
    ]  # fmt: skip


def csv_wide(table: Table) -> str:
    """Return one line for each row: of every column the value, its interval and its marks.

    A value that is not defined is a cell of words: why it is not.
    """
    head = ["section", "group", "model"]
    for column in table.columns:
        name = f"{column.over} {column.label}"
        head += [name, f"{name} low", f"{name} high", f"{name} marks"]
    lines: list[list[Field]] = [
        [section.title, row.group, row.model, *(f for cell in row.cells for f in _wide(cell))]
        for section in table.sections
        for row in section.rows
    ]
    lines += [
        [panel.heading, row.group, row.model, *(f for v in row.values for f in (v, None, None, ""))]
        for panel in table.reported
        for row in panel.rows
    ]
    return _written([head, *lines])


def _wide(cell: Cell | None) -> list[Field]:
    if cell is None:
        return [None, None, None, ""]
    if not cell.supported:
        return [UNSUPPORTED, None, None, ""]
    value = f"undefined: {cell.undefined}" if cell.undefined else cell.value
    return [value, cell.low, cell.high, " ".join(cell.marks)]


def _written(lines: Iterable[Iterable[Field]]) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerows([_safe(field) for field in line] for line in lines)
    return out.getvalue()


def _safe(field: Field) -> Field:
    """Return text that no spreadsheet takes for a formula; numbers stay numbers."""
    if not isinstance(field, str):
        return field
    line = flat(field)
    return f"'{line}" if line.startswith(("=", "+", "-", "@")) else line
