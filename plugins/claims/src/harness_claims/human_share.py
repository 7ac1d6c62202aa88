"""The share of the human ceiling: beside each number, how much of the annotators' it reaches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from harness.errors import UserError
from harness.tables.table import Cell, Column, Reported, Section, Table

SHARE = "share of the human ceiling"
HUMAN = "human"
"""The mark of what stands for annotators."""

NOTE = (
    "Share of the human ceiling, in percent: the number over that of the annotators, or the other "
    "way round where less is better. A model is scored against all annotators, each of them "
    "against the others; harness human compares both against the same."
)


def with_human_shares(table: Table) -> Table:
    """Return a table with a column of shares after each that has a human number.

    Shares are of the annotators of the same section; published numbers have none.

    Raises:
        UserError: no column has a human number.
    """
    columns, sections = table.columns, table.sections
    ceilings = [[_ceiling(section, place) for place in range(len(columns))] for section in sections]
    has_ceiling = [any(one[place] for one in ceilings) for place in range(len(columns))]
    if not any(has_ceiling):
        raise UserError(
            "no row of the table is for annotators",
            fix="harness run --model human --tasks ...",
        )
    extended: list[Column] = []
    for column, has_share in zip(columns, has_ceiling, strict=True):
        extended.append(column)
        if has_share:
            extended.append(
                replace(column, metric=SHARE, name="of human", renamed="", direction="none",
                        scale=100.0, digits=None, group=column.over)
            )  # fmt: skip
    rows = []
    for section, of_section in zip(sections, ceilings, strict=True):
        made = []
        for row in section.rows:
            cells: list[Cell | None] = []
            for column, cell, ceiling, share in zip(
                columns, row.cells, of_section, has_ceiling, strict=True
            ):
                cells += [cell, _share(column, cell, ceiling)] if share else [cell]
            made.append(replace(row, cells=tuple(cells)))
        rows.append(replace(section, rows=tuple(made)))
    return replace(
        table,
        columns=tuple(extended),
        sections=tuple(rows),
        reported=tuple(_extended(panel, has_ceiling) for panel in table.reported),
        notes=(*table.notes, NOTE),
    )


def _extended(panel: Reported, has_ceiling: Sequence[bool]) -> Reported:
    rows = []
    for row in panel.rows:
        values: list[float | None] = []
        for value, has_share in zip(row.values, has_ceiling, strict=True):
            values += [value, None] if has_share else [value]
        rows.append(replace(row, values=tuple(values)))
    return replace(panel, rows=tuple(rows))


def _ceiling(section: Section, position: int) -> float | None:
    for row in section.rows:
        cell = row.cells[position]
        if cell is not None and HUMAN in cell.marks:
            return cell.value
    return None


def _share(column: Column, cell: Cell | None, ceiling: float | None) -> Cell | None:
    """Return a number's share; none where it or the ceiling is 0, or 0 is the best."""
    if cell is None or not cell.value or not ceiling or column.direction not in {"higher", "lower"}:
        return None
    share = cell.value / ceiling if column.direction == "higher" else ceiling / cell.value
    return replace(cell, value=100 * share, low=None, high=None, level=None, rank="", tied=False,
                   delta=None, warning="", shown=())  # fmt: skip
