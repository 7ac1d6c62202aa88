"""The table for a terminal. Model and task names are shown as they are, never as markup."""

from __future__ import annotations

from rich.console import Console, Group, RenderableType
from rich.table import Table as Grid
from rich.text import Text

from harness.tables.table import Cell, Column, Section, Table, cell_texts, one_line


def render_terminal(table: Table, width: int = 100) -> RenderableType:
    """Return what a rich console prints.

    Args:
        table: The table.
        width: Characters of a line; a wide table of few models is turned, tasks downwards.
    """
    parts: list[RenderableType] = []
    for section in table.sections:
        if section.title:
            parts.append(Text(one_line(section.title), style="yellow"))
        turned = 16 * (len(table.columns) + 1) > width and len(section.rows) < len(table.columns)
        parts.append(_turned(table, section) if turned else _upright(table, section))
    parts.extend(Text(one_line(note), style="dim") for note in table.notes)
    return Group(*parts)


def print_table(table: Table, console: Console | None = None) -> None:
    """Print the table to a console, by default standard output."""
    console = console or Console(highlight=False)
    console.print(render_terminal(table, console.width))


def _grid() -> Grid:
    return Grid(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")


def _upright(table: Table, section: Section) -> Grid:
    grid = _grid()
    grid.add_column("Model", overflow="fold")
    for column in table.columns:
        grid.add_column(
            Text(f"{one_line(column.title)}\n{one_line(column.heading)}"), justify="right"
        )
    for row in section.rows:
        cells = zip(table.columns, row.cells, strict=True)
        grid.add_row(Text(one_line(row.model)), *(_joined(*pair, "\n") for pair in cells))
    return grid


def _turned(table: Table, section: Section) -> Grid:
    grid = _grid()
    grid.add_column("Task", overflow="fold")
    grid.add_column("Metric", overflow="fold")
    for row in section.rows:
        grid.add_column(Text(one_line(row.model)), justify="left", overflow="fold")
    between = "  " if len(section.rows) == 1 else "\n"  # side by side, intervals would be torn
    for index, column in enumerate(table.columns):
        grid.add_row(
            Text(one_line(column.title)),
            Text(one_line(column.heading)),
            *(_joined(column, row.cells[index], between) for row in section.rows),
        )
    return grid


def _joined(column: Column, cell: Cell | None, between: str) -> Text:
    number, interval, lost = cell_texts(column, cell)
    text = Text(number)
    if interval:
        text.append(between + interval, style="dim")
    if lost:
        text.append(between + lost, style="yellow")
    return text
