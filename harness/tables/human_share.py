"""The share of the human ceiling: beside each number, how much of the annotators' it reaches."""

from __future__ import annotations

from dataclasses import replace

from harness.errors import UserError
from harness.tables.table import Cell, Column, Section

SHARE = "share of the human ceiling"
HUMAN = "human"
"""The mark of what stands for annotators."""

NOTE = (
    "Share of the human ceiling, in percent: the number over that of the annotators, or the other "
    "way round where less is better. A model is scored against all annotators, each of them "
    "against the others; harness human compares both against the same."
)


def with_shares(
    columns: tuple[Column, ...], sections: tuple[Section, ...], metrics: tuple[str, ...]
) -> tuple[tuple[Column, ...], tuple[Section, ...], tuple[str, ...]]:
    """Return a table's parts with a column of shares after each that has a human number.

    Args:
        columns: The table's columns.
        sections: Its rows; shares are of the annotators of the same section.
        metrics: The metric of each column, as a layout calls it; empty without a layout.

    Raises:
        UserError: no column has a human number.
    """
    ceilings = [[_ceiling(section, place) for place in range(len(columns))] for section in sections]
    has_ceiling = [any(one[place] for one in ceilings) for place in range(len(columns))]
    if not any(has_ceiling):
        raise UserError(
            "no row of the table is for annotators",
            fix="harness run --model human --tasks ...",
        )
    extended: list[Column] = []
    names: list[str] = []
    for position, column in enumerate(columns):
        extended.append(column)
        names += metrics[position : position + 1]
        if has_ceiling[position]:
            extended.append(
                replace(column, metric=SHARE, name="of human", renamed="", direction="none",
                        scale=100.0, digits=None, group=column.over)
            )  # fmt: skip
            names += [SHARE] if metrics else []
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
    return tuple(extended), tuple(rows), tuple(names)


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
