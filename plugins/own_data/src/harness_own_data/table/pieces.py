"""A file of delimited lines in pieces: each is decoded and cut into cells at once."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from functools import partial
from io import BytesIO, StringIO
from typing import NamedTuple, Protocol

from harness_own_data.table.rows import MAX_ROW

_BYTES = 1 << 13  # of a piece: a hundred rows; many more at one time start the garbage collector

BY_LINE = frozenset({"utf-8", "utf-8-sig", "cp1252", "ascii", "iso8859-1"})
"""Encodings in which a line end is one byte and no line depends on those before it."""


class Readable(Protocol):
    """What lines of bytes are read from."""

    def readline(self, size: int, /) -> bytes:
        """Return the next line, of `size` bytes at most; nothing at the end."""
        ...


class File(Readable, Protocol):
    """What bytes are read from as well."""

    def read(self, size: int, /) -> bytes:
        """Return the next bytes, `size` at most; nothing at the end."""
        ...


class Piece(NamedTuple):
    """Complete records that follow one another.

    Attributes:
        lines: Line of the file on which each begins, from 1.
        rows: Their cells.
    """

    lines: Sequence[int]
    rows: list[list[str]]


class Doubtful(NamedTuple):
    """The rest of a file, from a record on that could not be cut.

    Attributes:
        file: At that record.
        start: Bytes before it.
        before: Lines before it.
    """

    file: Readable
    start: int
    before: int


def pieces(
    file: File, encoding: str, delimiter: str, *, spaced: bool = False
) -> Iterator[Piece | Doubtful]:
    """Yield all records of a file, the header's first.

    Args:
        file: At its beginning.
        encoding: One of :data:`BY_LINE`.
        delimiter: One character.
        spaced: Whether a space after it is not part of the cell.
    """
    start, before, remainder = 0, 0, b""
    while True:
        more = file.read(max(_BYTES, len(remainder)))  # doubled: a long row is not parsed too often
        data = remainder + more
        complete = data[: data.rfind(b"\n") + 1] if more else data
        if start and encoding == "utf-8-sig":
            encoding = "utf-8"
        cut = _cut(complete, encoding, delimiter, spaced=spaced)
        yield Piece(_moved(cut.lines, before), cut.rows)
        start, before, remainder = start + cut.size, before + cut.ends, data[cut.size :]
        if cut.failed or len(remainder) >= MAX_ROW or (remainder and not more):
            yield Doubtful(_Joined(remainder, file), start, before)
            return
        if not more:
            return


def _moved(lines: Sequence[int], by: int) -> Sequence[int]:
    if isinstance(lines, range):
        return range(lines.start + by, lines.stop + by)
    return [line + by for line in lines]


class _Joined:
    """Bytes that were read, and the file that goes on after them."""

    def __init__(self, head: bytes, file: Readable) -> None:
        self._head, self._file = BytesIO(head), file

    def readline(self, size: int, /) -> bytes:
        line = self._head.readline(size)
        if line.endswith(b"\n") or len(line) == size:
            return line
        return line + self._file.readline(size - len(line))


class _Cut(NamedTuple):
    lines: Sequence[int]
    rows: list[list[str]]
    size: int  # bytes of the records
    ends: int  # lines of the records, and blank ones
    failed: bool


def _cut(data: bytes, encoding: str, delimiter: str, *, spaced: bool) -> _Cut:
    """Cut complete lines into records; a record that is not closed within them is left out."""
    try:
        text = data.decode(encoding)
    except UnicodeError:
        return _Cut((), [], 0, 0, failed=True)
    parsed = partial(csv.reader, delimiter=delimiter, strict=True, skipinitialspace=spaced)
    reader = parsed(StringIO(text, newline="\n"))
    try:
        rows = list(reader)
    except csv.Error:
        rows = []
    count = reader.line_num
    if len(rows) == count and all(rows):
        return _Cut(range(1, count + 1), rows, len(data), count, failed=False)
    lines, rows, ends = [], [], 0
    reader = parsed(StringIO(text, newline="\n"))
    try:
        for cells in reader:
            if cells:
                lines.append(ends + 1)
                rows.append(cells)
            ends = reader.line_num
    except csv.Error:
        last = text.count("\n") + (not text.endswith("\n"))
        size = 0
        for _ in range(ends):
            size = data.index(b"\n", size) + 1
        return _Cut(lines, rows, size, ends, failed=reader.line_num < last)
    return _Cut(lines, rows, len(data), ends, failed=False)
