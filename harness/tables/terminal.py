"""The table for a terminal. Model and task names are shown as they are, never as markup."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import Console, Group, RenderableType
from rich.table import Table as Grid
from rich.text import Text

from harness.errors import flat
from harness.tables.formats import rank_note, reported_rows, signed, source_of
from harness.tables.table import CellText, Column, Section, Table, cell_text


def render_terminal(table: Table, width: int = 100, *, styled: bool = True) -> RenderableType:
    """Return what a rich console prints.

    Args:
        table: The table.
        width: Characters of a line; a wide table of few models is turned, tasks downwards.
        styled: Whether bold and underlined can be seen; signs stand in their place otherwise.
    """
    parts: list[RenderableType] = []
    if table.title:
        parts.append(Text(flat(table.title), style="bold"))
    for section in table.sections:
        if section.title:
            parts.append(Text(flat(section.title), style="yellow"))
        parts.append(_grid(table.columns, _lines(table, section, styled=styled), width))
    for panel in table.reported:
        lines = [
            _Line(row.model, "", [CellText(number) for number in numbers], styled)
            for row, numbers in reported_rows(table.columns, panel)
        ]
        parts += [
            Text(flat(panel.heading), style="yellow"),
            _grid(table.columns, lines, width),
            Text(flat(source_of(panel)), style="dim"),
        ]
    ranks = rank_note(table, "Bold:", "underlined:") if styled else rank_note(table)
    parts.extend(Text(flat(note), style="dim") for note in (*table.notes, *ranks))
    return Group(*parts)


def print_table(table: Table, console: Console | None = None) -> None:
    """Print the table to a console, by default standard output."""
    console = console or Console(highlight=False)
    console.print(render_terminal(table, console.width, styled=console.is_terminal))


@dataclass(frozen=True, slots=True)
class _Line:
    name: str
    group: str
    cells: Sequence[CellText]
    styled: bool

    def cell(self, column: int, between: str) -> Text:
        shown_cell = self.cells[column]
        style = {"best": "bold", "second": "underline", "": ""}[shown_cell.rank]
        number = Text(shown_cell.number, style=style) if self.styled else Text(signed(shown_cell))
        text = Text.assemble(number, f" ({shown_cell.marks})" if shown_cell.marks else "")
        if shown_cell.rest:
            text.append(between + shown_cell.rest, style="dim")
        if shown_cell.losses:
            text.append(between + shown_cell.losses, style="yellow")
        return text


def _lines(table: Table, section: Section, *, styled: bool) -> list[_Line]:
    return [
        _Line(
            row.model,
            row.group,
            [
                cell_text(column, cell, table.looks)
                for column, cell in zip(table.columns, row.cells, strict=True)
            ],
            styled,
        )
        for row in section.rows
    ]


def _grid(columns: Sequence[Column], lines: Sequence[_Line], width: int) -> Grid:
    grid = Grid(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    if 16 * (len(columns) + 1) > width and len(lines) < len(columns):
        _turned(grid, columns, lines)
    else:
        _upright(grid, columns, lines)
    return grid


def _upright(grid: Grid, columns: Sequence[Column], lines: Sequence[_Line]) -> None:
    grid.add_column("Model", overflow="fold")
    for column in columns:
        head = Text(f"{flat(column.over)}\n{flat(column.heading)}")
        grid.add_column(head, justify="right")
    group = ""
    for line in lines:
        if line.group != group:
            grid.add_row(Text(flat(line.group), style="italic"))
        group = line.group
        cells = (line.cell(place, "\n") for place in range(len(columns)))
        grid.add_row(Text(flat(line.name)), *cells)


def _turned(grid: Grid, columns: Sequence[Column], lines: Sequence[_Line]) -> None:
    grid.add_column("Task", overflow="fold")
    grid.add_column("Metric", overflow="fold")
    for line in lines:
        grid.add_column(Text(flat(line.name)), justify="left", overflow="fold")
    between = "  " if len(lines) == 1 else "\n"  # side by side, intervals would be torn
    for index, column in enumerate(columns):
        cells = (line.cell(index, between) for line in lines)
        grid.add_row(Text(flat(column.over)), Text(flat(column.heading)), *cells)
