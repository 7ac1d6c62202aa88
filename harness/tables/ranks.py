"""Best and second, ties, and differences to a named row: decided once, on twelve digits."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Literal, Protocol

from harness.errors import unknown
from harness.tables.table import Cell, Column, Row, Section, Trend

# A number over other samples, over samples the model has learnt, or of people is no winner.
UNRANKED = frozenset({"contaminated", "errored", "human"})

Within = Literal["section", "group"]


class Tied(Protocol):
    """A paired test: which numbers of a column it does not tell from the best."""

    @property
    def note(self) -> str:
        """What ``≈`` is, after the sign: test, level, and how it is corrected over rows."""
        ...

    def __call__(self, column: Column, best: str, others: Sequence[str]) -> Collection[str]:
        """Return those of ``others`` that are tied with ``best``; all are ``Cell.evaluation``."""
        ...


def ranked(
    sections: Sequence[Section],
    columns: Sequence[Column],
    *,
    within: Within = "section",
    tied: Tied | None = None,
) -> tuple[Section, ...]:
    """Mark the best and the second of each column among the rows that are ranked together.

    Args:
        sections: Rows that may be compared.
        columns: The table's columns.
        within: Rank all rows of a section together, or each group of rows by itself.
        tied: Tells which are tied with the best; nothing is tested without it.
    """
    return tuple(_ranked(section, columns, within, tied) for section in sections)


def _ranked(
    section: Section, columns: Sequence[Column], within: Within, tied: Tied | None
) -> Section:
    cells = [list(row.cells) for row in section.rows]
    for members in _together(section.rows, within):
        for index, column in enumerate(columns):
            competing = {row: cell for row in members if _counts(cell := cells[row][index])}
            for row, cell in _marked(column, competing, tied).items():
                cells[row][index] = cell
    rows = (replace(row, cells=tuple(held)) for row, held in zip(section.rows, cells, strict=True))
    return replace(section, rows=tuple(rows))


def _together(rows: Sequence[Row], within: Within) -> Iterator[list[int]]:
    if within == "section":
        yield list(range(len(rows)))
        return
    for group in dict.fromkeys(row.group for row in rows):
        yield [place for place, row in enumerate(rows) if row.group == group]


def _counts(cell: Cell | None) -> bool:
    return cell is not None and cell.value is not None and not UNRANKED & set(cell.marks)


def _marked(
    column: Column, competing: Mapping[int, Cell | None], tied: Tied | None
) -> dict[int, Cell]:
    """Return the cells of one column with their places; one number alone has no place."""
    cells = {row: cell for row, cell in competing.items() if cell is not None}
    if len(cells) < 2 or column.direction == "none":
        return {}
    raw = {row: column.badness(cell.value or 0.0) for row, cell in cells.items()}
    badness = {row: float(f"{value:.12g}") for row, value in raw.items()}
    first, *more = sorted(set(badness.values()))
    marked = {
        row: replace(cell, rank="best" if badness[row] == first else "second")
        for row, cell in cells.items()
        if badness[row] == first or more[:1] == [badness[row]]
    }
    if tied is not None:
        best = next(row for row in marked if badness[row] == first)
        others = {row: cell for row, cell in cells.items() if badness[row] != first}
        names = [cell.evaluation for cell in others.values()]
        equal = tied(column, cells[best].evaluation, names) if names else ()
        for row, cell in others.items():
            if cell.evaluation in equal:
                marked[row] = replace(marked.get(row, cell), tied=True)
    return marked


def compared(
    sections: Sequence[Section],
    columns: Sequence[Column],
    baseline: str,
    versus: Mapping[str, str] | None = None,
) -> tuple[Section, ...]:
    """Add to each cell the difference to its reference row of the same section.

    Args:
        sections: Rows that may be compared.
        columns: The table's columns.
        baseline: Name of the row that all others are compared with; empty for none.
        versus: Row to the row it is compared with instead.

    Raises:
        UserError: the baseline is no row of the table.
    """
    names = {row.model for section in sections for row in section.rows}
    if baseline and baseline not in names:
        raise unknown("row for a baseline", baseline, names)
    baselines = versus or {}
    return tuple(
        replace(section, rows=tuple(_compared(section.rows, columns, baseline, baselines)))
        for section in sections
    )


def _compared(
    rows: Sequence[Row], columns: Sequence[Column], baseline: str, versus: Mapping[str, str]
) -> Iterator[Row]:
    by_name = {row.model: row for row in rows}
    for row in rows:
        reference = by_name.get(versus.get(row.model, baseline))
        if reference is None or reference is row:
            yield row
            continue
        trio = zip(columns, row.cells, reference.cells, strict=True)
        yield replace(row, cells=tuple(_difference(*each) for each in trio))


def _difference(column: Column, cell: Cell | None, reference: Cell | None) -> Cell | None:
    if cell is None or reference is None or cell.value is None or reference.value is None:
        return cell
    change = column.badness(cell.value) - column.badness(reference.value)
    if column.direction == "none":
        return replace(cell, delta=cell.value - reference.value)
    trend: Trend = "same" if change == 0 else "better" if change < 0 else "worse"
    return replace(cell, delta=cell.value - reference.value, trend=trend)
