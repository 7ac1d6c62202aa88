"""The table for a terminal. Model and task names are shown as they are, never as markup."""

from __future__ import annotations

from collections.abc import Callable

from rich.console import Console, Group, RenderableType
from rich.table import Table as Grid
from rich.text import Text

from harness.tables.formats import by_group, rank_note, reported_rows, signed, source_of
from harness.tables.table import CellText, Reported, Section, Table, cell_text, one_line

_Look = Callable[[CellText], tuple[Text, CellText]]


def render_terminal(table: Table, width: int = 100, *, styled: bool = True) -> RenderableType:
    """Return what a rich console prints.

    Args:
        table: The table.
        width: Characters of a line; a wide table of few models is turned, tasks downwards.
        styled: Whether bold and underlined can be seen; signs stand in their place otherwise.
    """
    look = _styled if styled else _signed
    parts: list[RenderableType] = []
    if table.title:
        parts.append(Text(one_line(table.title), style="bold"))
    for section in table.sections:
        if section.title:
            parts.append(Text(one_line(section.title), style="yellow"))
        turned = 16 * (len(table.columns) + 1) > width and len(section.rows) < len(table.columns)
        parts.append(_turned(table, section, look) if turned else _upright(table, section, look))
    for panel in table.reported:
        parts += [
            Text(one_line(panel.heading), style="yellow"),
            _panel(table, panel),
            Text(one_line(source_of(panel)), style="dim"),
        ]
    notes = [
        *table.notes,
        *rank_note(table, "Bold:" if styled else "*", "underlined:" if styled else "+"),
    ]
    parts.extend(Text(one_line(note), style="dim") for note in notes)
    return Group(*parts)


def print_table(table: Table, console: Console | None = None) -> None:
    """Print the table to a console, by default standard output."""
    console = console or Console(highlight=False)
    console.print(render_terminal(table, console.width, styled=console.is_terminal))


def _grid() -> Grid:
    return Grid(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")


def _upright(table: Table, section: Section, look: _Look) -> Grid:
    grid = _headed(table)
    for group, rows in by_group(section.rows):
        if group:
            grid.add_row(Text(one_line(group), style="italic"))
        for row in rows:
            cells = zip(table.columns, row.cells, strict=True)
            grid.add_row(
                Text(one_line(row.model)),
                *(_joined(look(cell_text(*pair, table.looks)), "\n") for pair in cells),
            )
    return grid


def _headed(table: Table) -> Grid:
    grid = _grid()
    grid.add_column("Model", overflow="fold")
    for column in table.columns:
        grid.add_column(
            Text(f"{one_line(column.over)}\n{one_line(column.heading)}"), justify="right"
        )
    return grid


def _panel(table: Table, panel: Reported) -> Grid:
    grid = _headed(table)
    for group, name, numbers in reported_rows(table.columns, panel):
        named = f"{group}: {name}" if group else name
        grid.add_row(Text(one_line(named)), *(Text(number) for number in numbers))
    return grid


def _turned(table: Table, section: Section, look: _Look) -> Grid:
    grid = _grid()
    grid.add_column("Task", overflow="fold")
    grid.add_column("Metric", overflow="fold")
    for row in section.rows:
        grid.add_column(Text(one_line(row.model)), justify="left", overflow="fold")
    between = "  " if len(section.rows) == 1 else "\n"  # side by side, intervals would be torn
    for index, column in enumerate(table.columns):
        grid.add_row(
            Text(one_line(column.over)),
            Text(one_line(column.heading)),
            *(
                _joined(look(cell_text(column, row.cells[index], table.looks)), between)
                for row in section.rows
            ),
        )
    return grid


def _styled(said: CellText) -> tuple[Text, CellText]:
    return Text(said.number, style={"best": "bold", "second": "underline", "": ""}[said.rank]), said


def _signed(said: CellText) -> tuple[Text, CellText]:
    return Text(signed(said)), said


def _joined(pair: tuple[Text, CellText], between: str) -> Text:
    number, said = pair
    text = Text.assemble(number, f" ({said.marks})" if said.marks else "")
    if said.rest:
        text.append(between + said.rest, style="dim")
    if said.losses:
        text.append(between + said.losses, style="yellow")
    return text
