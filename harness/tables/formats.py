"""Markdown, JSON and plain text of a table."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict

from tabulate import tabulate

from harness.errors import flat
from harness.tables.table import (
    MISSING,
    Cell,
    CellText,
    Column,
    Reported,
    ReportedRow,
    Row,
    Table,
    cell_text,
)

FORMAT = 1


def markdown(table: Table) -> str:
    """Return GitHub-flavoured Markdown."""
    parts = [f"**{escape_markdown(table.title)}**"] if table.title else []
    titles = [(column.over, column.heading) for column in table.columns]
    head = ["Model", *("<br>".join(map(escape_markdown, title)) for title in titles)]
    for section in table.sections:
        if section.title:
            parts.append(f"**{escape_markdown(section.title)}**")
        rows = [
            [
                _markdown_name(row.group, row.model),
                *(_markdown_cell(text) for text in _texts(table, row)),
            ]
            for row in section.rows
        ]
        parts.append(_markdown_grid(head, rows))
    for panel in table.reported:
        parts.append(f"**{escape_markdown(panel.heading)}**")
        rows = [
            [escape_markdown(row.model), *numbers]
            for row, numbers in reported_rows(table.columns, panel)
        ]
        parts += [_markdown_grid(head, rows), escape_markdown(source_of(panel))]
    if table.notes:
        parts.append("\n".join(f"- {escape_markdown(note)}" for note in table.notes))
    return "\n\n".join(parts) + "\n"


def _markdown_grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, [":--", *["--:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _markdown_name(group: str, model: str) -> str:
    named = not group or model.startswith(group)  # a row may say its group itself
    return escape_markdown(model if named else f"{group}: {model}")


def _markdown_cell(text: CellText) -> str:
    figure = escape_markdown(text.number)
    if text.rank:
        figure = f"**{figure}**" if text.rank == "best" else f"<ins>{figure}</ins>"
    marks = f" ({escape_markdown(text.marks)})" if text.marks else ""
    details = f" {escape_markdown(text.rest)}" if text.rest else ""
    losses = f"; {escape_markdown(text.losses)}" if text.losses else ""
    return figure + marks + details + losses


def escape_markdown(text: str) -> str:
    """Return text that Markdown shows as it is, in a table cell too."""
    line = flat(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_|~#{}\[\]$^])", r"\\\1", line)


def plain(table: Table) -> str:
    """Return text in columns, without any markup; ``*`` is the best, ``+`` the second."""
    parts = [flat(table.title)] if table.title else []
    head = ["Model", *(f"{flat(c.over)}\n{flat(c.heading)}" for c in table.columns)]
    for section in table.sections:
        if section.title:
            parts.append(flat(section.title))
        rows: list[list[str]] = []
        for group, group_rows in by_group(section.rows):
            rows += [[f"{flat(group)}:", *[""] * len(table.columns)]] if group else []
            rows += [[flat(row.model), *map(_plain_cell, _texts(table, row))] for row in group_rows]
        parts.append(_plain_grid(head, rows))
    for panel in table.reported:
        parts.append(flat(panel.heading))
        rows = [[flat(row.model), *numbers] for row, numbers in reported_rows(table.columns, panel)]
        parts += [_plain_grid(head, rows), flat(source_of(panel))]
    notes = [*table.notes, *rank_note(table)]
    if notes:
        parts.append("\n".join(flat(note) for note in notes))
    return "\n\n".join(parts) + "\n"


def _plain_grid(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    align = ["left", *["right"] * (len(head) - 1)]
    return tabulate(rows, headers=head, tablefmt="simple", disable_numparse=True, colalign=align)


def _plain_cell(text: CellText) -> str:
    marks = f" ({text.marks})" if text.marks else ""
    joined = f"{signed(text)}{marks} {text.rest}".strip()
    return flat(f"{joined}; {text.losses}" if text.losses else joined)


def as_json(table: Table) -> str:
    """Return every number unrounded, with all that stands beside it."""
    value = {"format": FORMAT, **asdict(table)}
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


# --- shared by formats ----------------------------------------------------------------------------


def signed(text: CellText) -> str:
    """Return a number with a sign of its rank, where nothing can be bold."""
    return text.number + {"best": "*", "second": "+", "": ""}[text.rank]


def rank_note(table: Table, best: str = "*", second: str = "+") -> tuple[str, ...]:
    """Say what the signs of rank mean, where there are any."""
    cells = [cell for row in table.rows for cell in row.cells if cell is not None]
    if not any(cell.rank for cell in cells):
        return ()
    return (f"{best} best, {second} second, on unrounded values of the rows ranked together.",)


def _texts(table: Table, row: Row) -> Iterator[CellText]:
    pairs: Iterator[tuple[Column, Cell | None]] = zip(table.columns, row.cells, strict=True)
    return (cell_text(column, cell, table.looks) for column, cell in pairs)


def by_group(rows: Sequence[Row]) -> Iterator[tuple[str, list[Row]]]:
    """Yield runs of neighbouring rows of one group."""
    rows_of_group: list[Row] = []
    for row in rows:
        if rows_of_group and rows_of_group[-1].group != row.group:
            yield rows_of_group[-1].group, rows_of_group
            rows_of_group = []
        rows_of_group.append(row)
    if rows_of_group:
        yield rows_of_group[-1].group, rows_of_group


def spans(columns: Sequence[Column]) -> list[tuple[str, int]]:
    """Return the headings over the columns, each with how many neighbours it covers."""
    merged: list[tuple[str, int]] = []
    for column in columns:
        if merged and merged[-1][0] == column.over:
            merged[-1] = (column.over, merged[-1][1] + 1)
        else:
            merged.append((column.over, 1))
    return merged


def reported_rows(
    columns: Sequence[Column], panel: Reported
) -> Iterator[tuple[ReportedRow, list[str]]]:
    """Yield each reported row with its numbers as text."""
    for row in panel.rows:
        pairs = zip(columns, row.values, strict=True)
        yield row, [MISSING if value is None else column.number(value) for column, value in pairs]


def source_of(panel: Reported) -> str:
    """Say where reported numbers come from."""
    return f"Source: {panel.citation} {panel.note}"
