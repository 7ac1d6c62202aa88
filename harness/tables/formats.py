"""Markdown, JSON and plain text of a table."""

from __future__ import annotations

import json
import re
from dataclasses import asdict

from tabulate import tabulate

from harness.tables.table import Cell, Column, Table, cell_texts, one_line

FORMAT = 1


def markdown(table: Table) -> str:
    """Return GitHub-flavoured Markdown."""
    parts = []
    for section in table.sections:
        if section.title:
            parts.append(f"**{escape_markdown(section.title)}**")
        head = ["Model", *(_markdown_heading(column) for column in table.columns)]
        lines = [
            "| " + " | ".join(head) + " |",
            "| :-- |" + " --: |" * len(table.columns),
        ]
        for row in section.rows:
            cells = [
                escape_markdown(_joined(column, cell))
                for column, cell in zip(table.columns, row.cells, strict=True)
            ]
            lines.append("| " + " | ".join([escape_markdown(row.model), *cells]) + " |")
        parts.append("\n".join(lines))
    if table.notes:
        parts.append("\n".join(f"- {escape_markdown(note)}" for note in table.notes))
    return "\n\n".join(parts) + "\n"


def _markdown_heading(column: Column) -> str:
    return f"{escape_markdown(column.title)}<br>{escape_markdown(column.heading)}"


def escape_markdown(text: str) -> str:
    """Return text that Markdown shows as it is, in a table cell too."""
    flat = one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return re.sub(r"([\\`*_|~#{}\[\]])", r"\\\1", flat)


def plain(table: Table) -> str:
    """Return text in columns, without any markup."""
    parts = []
    for section in table.sections:
        if section.title:
            parts.append(one_line(section.title))
        head = ["Model"]
        head += [
            f"{one_line(column.title)}\n{one_line(column.heading)}" for column in table.columns
        ]
        rows = [
            [
                one_line(row.model),
                *(
                    one_line(_joined(column, cell))
                    for column, cell in zip(table.columns, row.cells, strict=True)
                ),
            ]
            for row in section.rows
        ]
        parts.append(
            tabulate(
                rows,
                headers=head,
                tablefmt="simple",
                disable_numparse=True,
                colalign=["left", *["right"] * len(table.columns)],
            )
        )
    if table.notes:
        parts.append("\n".join(one_line(note) for note in table.notes))
    return "\n\n".join(parts) + "\n"


def as_json(table: Table) -> str:
    """Return every number unrounded, with all that stands beside it."""
    value = {
        "format": FORMAT,
        "columns": [asdict(column) for column in table.columns],
        "sections": [asdict(section) for section in table.sections],
        "notes": list(table.notes),
    }
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def _joined(column: Column, cell: Cell | None) -> str:
    number, interval, lost = cell_texts(column, cell)
    text = f"{number} {interval}".strip()
    return f"{text}; {lost}" if lost else text
