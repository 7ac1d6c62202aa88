"""What every format of table gives: its columns, and the cells of some of them row by row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from harness.errors import DataError, nearest, quoted, short
from harness.samples import DataRoot

MAX_ROW = 64 << 20
"""Bytes of a row at most: an image of 48 MB as base64."""
COUNT = "\0count of "
"""Begins the name of a column that no spec can name; see :func:`count_of`."""


class Row(NamedTuple):
    """One row.

    Attributes:
        line: Line (of Parquet, Arrow and JSON lists: row) that it begins on, from 1.
        start: Its first byte in the file; -1 where a row cannot be found again by it.
        cells: Values of the columns that were asked for, in their order.
    """

    line: int
    start: int
    cells: Sequence[Any]


class Table(Protocol):
    """One file of rows.

    Attributes:
        root: Where it lies.
        name: Its name in the root.
        columns: Names of its columns.
        notes: What was settled by looking at it.
        typed: Whether cells have types of their own; in a CSV all are text.
        unit: What rows are counted by: ``line`` of a text that has a row on each, else ``row``.
    """

    root: DataRoot
    name: str
    columns: Sequence[str]
    notes: Sequence[str]
    typed: bool
    unit: str

    def read(self, names: Sequence[str]) -> Iterator[Row]:
        """Yield every row with the cells of some columns.

        Raises:
            DataError: with file and line, for whatever keeps a row from being read.
        """
        ...


class MissingKey:
    """The cell of a JSON row that lacks the column's key."""


MISSING = MissingKey()


def count_of(column: str) -> str:
    """Return the column of integers that tells how many images each row of a column lists."""
    return f"{COUNT}{column}"


def text_of(cell: Any) -> str | None:
    """Return a cell as text, nothing for null; ``None`` for a list or what else is not a text."""
    if isinstance(cell, str):
        return cell
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    return str(cell) if isinstance(cell, int | float) else None


def place(table: Table, line: int) -> str:
    """Return ``file:line`` of a row, for messages; ``file: row 3`` where rows are no lines."""
    where = table.root.where(table.name)
    return f"{where}:{line}" if table.unit == "line" else f"{where}: row {line}"


def require(table: Table, names: Sequence[str], option: str) -> None:
    """Check that a table has columns.

    Raises:
        DataError: it lacks one; the message has the nearest names, and all that are there.
    """
    for name in names:
        if name not in table.columns:
            close = nearest(name, table.columns)
            column_names = short(", ".join(map(repr, table.columns)), 300)
            hint = "" if close.startswith("known") else f"; there are {column_names}"
            raise DataError(
                f"there is no column {quoted(name)} (data.options.{option}){hint}",
                where=table.root.where(table.name),
                fix=f"there are {column_names}" if close.startswith("known") else close,
            )
