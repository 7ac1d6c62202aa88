"""CSV, TSV and their kin as a stream; encoding and delimiter are found from the file itself."""

from __future__ import annotations

import codecs
import csv
from collections.abc import Iterator, Sequence
from functools import partial
from io import BufferedReader, TextIOWrapper
from operator import itemgetter
from typing import cast

from harness.errors import DataError, quoted, reason_of
from harness.samples import DataRoot

from harness_own_data.table.encodings import OTHERS, detect_encoding, known_encoding
from harness_own_data.table.pieces import BY_LINE, Piece, Readable, pieces
from harness_own_data.table.rows import MAX_ROW, Row

_CHUNK = 1 << 20
_HEAD = 1 << 16
_CANDIDATES = ",;\t|"
_LOOKED_AT = 50  # records that tell the delimiter
_NAMES = {",": "a comma", ";": "a semicolon", "\t": "a tab", "|": "a bar"}


class Delimited:
    """A table of lines with a delimiter; see :class:`harness_own_data.table.rows.Table`.

    A quoted cell may hold line ends. Every cell is text: empty ones and "NA" too.

    Args:
        root: Where the data lie.
        name: The file.
        usual: Its format's delimiter.
        delimiter: As the spec says; found from the first lines when empty.
        encoding: As the spec says; found from the bytes when empty.

    Raises:
        DataError: no table with a header, or an encoding that is not known.
    """

    typed = False
    unit = "line"

    def __init__(
        self, root: DataRoot, name: str, usual: str, delimiter: str = "", encoding: str = ""
    ) -> None:
        self.root, self.name = root, name
        self._where = root.where(name)
        self._encoding = known_encoding(encoding) if encoding else detect_encoding(root, name)
        self._wide = self._encoding.startswith(("utf-16", "utf-32", "utf_16", "utf_32"))
        self._delimiter = delimiter or self._sniffed(usual)
        self._spaced = False
        header = next(self._records(), None)
        if header is not None and _is_spaced(header[2]):
            self._spaced = True
            header = next(self._records(), None)
        if header is None:
            raise DataError("the file is empty: a header with the columns' names is needed",
                            where=self._where,
                            fix="a header, then a line for each sample")  # fmt: skip
        self._start, self.columns = header[0], self._checked(header[2])
        settled = []
        if not delimiter and self._delimiter != usual:
            settled.append(f"its delimiter is {_NAMES[self._delimiter]}")
        if self._spaced:
            settled.append("the space after each delimiter is none of a cell")
        if not encoding and self._encoding not in {"utf-8", "utf-8-sig"}:
            settled.append(f"its encoding {self._encoding}, for it is not UTF-8")
        self._settled = f"{name} was looked at: {', '.join(settled)}" if settled else ""
        self._joined: list[int] = []  # lines of rows that may be several, of the latest reading

    @property
    def notes(self) -> Sequence[str]:
        """What was settled by looking, and rows of the latest reading that may be several."""
        notes = [self._settled] if self._settled else []
        if self._joined:
            rows = f"{len(self._joined):,} {'row' if len(self._joined) == 1 else 'rows'}"
            notes.append(
                f"{rows} of {self.name} may be several, joined by a quote that opens a cell and is "
                f"closed in a later line; the first is line {self._joined[0]}"
            )
        return notes

    def read(self, names: Sequence[str]) -> Iterator[Row]:
        """Yield every row with the cells of some columns."""
        places = [self.columns.index(name) for name in names]
        pick = itemgetter(*places) if len(places) > 1 else lambda cells: [cells[n] for n in places]
        width = len(self.columns)
        records, self._joined = self._records(), []
        next(records)
        for line, start, cells in records:
            if len(cells) != width:
                raise self._uneven(line, cells)
            self._note_joined(line, cells)
            yield Row(line, start, pick(cells))

    @property
    def by_piece(self) -> bool:
        """Whether :meth:`read_many` can read it."""
        return self._encoding in BY_LINE

    def read_many(self) -> Iterator[tuple[Sequence[int], list[list[str]]]]:
        """Yield lines and all cells of many rows at a time: the rows of :meth:`read`.

        Raises:
            DataError: as :meth:`read`, after the rows before.
        """
        header, width, self._joined = True, len(self.columns), []
        for piece in self._many():
            skipped = int(header and bool(piece.rows))
            header = header and not skipped
            lines, rows = piece.lines[skipped:], piece.rows[skipped:]
            if not isinstance(lines, range):  # else each row is one line
                for line, cells in zip(lines, rows, strict=True):
                    self._note_joined(line, cells)
            uneven = -1
            if not set(map(len, rows)) <= {width}:
                uneven = next(place for place, cells in enumerate(rows) if len(cells) != width)
            yield (lines, rows) if uneven < 0 else (lines[:uneven], rows[:uneven])
            if uneven >= 0:
                raise self._uneven(lines[uneven], rows[uneven])

    def _many(self) -> Iterator[Piece]:
        _allow_long_cells()
        with self.root.open(self.name) as file:
            chunks = pieces(file, self._encoding, self._delimiter, spaced=self._spaced)
            while True:
                try:
                    piece = next(chunks, None)
                except OSError as error:
                    raise DataError(
                        f"cannot be read: {reason_of(error)}", where=self._where
                    ) from None
                if piece is None:
                    return
                if isinstance(piece, Piece):
                    yield piece
                    continue
                # Row by row it raises with the line, or goes on.
                for line, _, cells in self._parsed(piece.file, piece.start, piece.before):
                    yield Piece([line], [cells])

    def cell_at(self, start: int, column: str) -> str:
        """Return a cell of the row that begins at a byte.

        Raises:
            DataError: the file is another than it was.
        """
        with self.root.open(self.name) as file:
            file.seek(start)
            _, _, cells = next(self._parsed(file, start), (0, 0, []))
        if len(cells) != len(self.columns):
            raise DataError("changed while it was read", where=self._where, fix="run it again")
        return cells[self.columns.index(column)]

    @property
    def form(self) -> tuple[str, str]:
        """Delimiter and encoding."""
        return self._delimiter, self._encoding

    @property
    def seekable(self) -> bool:
        """Whether rows can be found again by their first byte."""
        return not self._wide

    def _checked(self, header: list[str]) -> list[str]:
        # Columns without a name, which spreadsheets leave at an end, can be named by no option.
        twice = next((name for name in header if name and header.count(name) > 1), None)
        if twice is not None:
            raise DataError(f"the column {quoted(twice)} occurs twice", where=f"{self._where}:1",
                            fix="rename one of them in the header")  # fmt: skip
        first = ",".join(header).lower()
        if first.startswith("sep=") and len(header) <= 2:
            raise DataError("the first line is one of Excel's, sep=, and no header",
                            where=f"{self._where}:1",
                            fix=f"remove this line; delimiter: {self._delimiter!r}")  # fmt: skip
        if len(header) == 1:
            other = next((sign for sign in _CANDIDATES if sign in header[0]), None)
            if other is not None and other != self._delimiter:
                raise DataError(
                    f"the delimiter {self._delimiter!r} does not fit: the header is a single "
                    f"column "
                    f"{quoted(header[0])}",
                    where=f"{self._where}:1",
                    fix=f"delimiter: {other!r}",
                )
        return header

    def _uneven(self, line: int, cells: list[str]) -> DataError:
        header = f" ({quoted(self.columns[0])})" if len(self.columns) == 1 else ""
        noun = "cell" if len(cells) == 1 else "cells"
        sign = _NAMES.get(self._delimiter, self._delimiter)
        above = "remove lines above the header; " if header else ""
        return DataError(
            f"the row has {len(cells)} {noun}, the header {len(self.columns)}{header}",
            where=f"{self._where}:{line}",
            fix=f"{above}quote cells that hold the delimiter ({sign}), or set delimiter",
        )

    def _records(self) -> Iterator[tuple[int, int, list[str]]]:
        """Yield line, first byte and cells of each record, the header's first."""
        with self.root.open(self.name) as file:
            yield from self._parsed(file, 0)

    def _parsed(
        self, file: Readable, start: int, before: int = 0
    ) -> Iterator[tuple[int, int, list[str]]]:
        """Yield line, first byte and cells of each record, from a byte and a line on."""
        _allow_long_cells()
        counted = _Counted(file, start, self._encoding, self._where, wide=self._wide)
        reader = csv.reader(
            counted.lines(), delimiter=self._delimiter, strict=True, skipinitialspace=self._spaced
        )
        while True:
            line, begin = before + reader.line_num + 1, counted.taken
            counted.row, counted.line = 0, line
            try:
                cells = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                raise self._broken(line, str(error)) from None
            except UnicodeError as error:
                raise DataError(
                    f"not {self._encoding}: {getattr(error, 'reason', error)}",
                    where=f"{self._where}:{before + reader.line_num + 1}",
                    fix=OTHERS,
                ) from None
            except OSError as error:
                raise DataError(f"cannot be read: {reason_of(error)}", where=self._where) from None
            if cells:
                yield line, begin if not self._wide else -1, cells

    def _note_joined(self, line: int, cells: Sequence[str]) -> None:
        """Note a row whose cells hold as many delimiters as the lines within them would need."""
        ends = sum(cell.count("\n") for cell in cells)
        signs = sum(cell.count(self._delimiter) for cell in cells) if ends else 0
        if signs and signs == ends * (len(self.columns) - 1):
            self._joined.append(line)

    def _broken(self, line: int, problem: str) -> DataError:
        fix = "close the quote, or double a quote within a cell"
        if problem.startswith("new-line"):
            problem = "a line ends with a carriage return alone, as programs of old Macs write it"
            fix = "save it with line ends of Unix or Windows"
        elif "expected after" in problem:
            problem = "a cell that begins with a quote goes on after the quote that ends it"
            fix = 'quote the whole cell and double the quotes within it: """Yes"" or no?"'
        return DataError(f"not valid CSV: {problem}", where=f"{self._where}:{line}", fix=fix)

    def _sniffed(self, usual: str) -> str:
        """Return the delimiter that cuts the first records into equally many cells."""
        with self.root.open(self.name) as file:
            head = file.read(_HEAD)
        decoder = codecs.getincrementaldecoder(self._encoding)(errors="replace")
        text = decoder.decode(head)
        complete = text.rpartition("\n")[0] if len(head) == _HEAD else text
        best, most = usual, 1
        for sign in (usual, *_CANDIDATES):
            widths = _widths(complete, sign)
            if widths and widths[0] > most and len(set(widths)) == 1:
                best, most = sign, widths[0]
        if most > 1:
            return best
        for sign in _CANDIDATES:
            width = next(iter(_widths(complete, sign)), 0)
            if width > most:
                best, most = sign, width
        return best


class _Counted:
    """Lines of a file, with the bytes taken so far, and bytes and first line of the row begun."""

    def __init__(
        self, file: Readable, start: int, encoding: str, where: str, *, wide: bool
    ) -> None:
        self._file, self._where, self._wide = file, where, wide
        self._encoding = "utf-8" if encoding == "utf-8-sig" and start else encoding
        self.taken, self.row, self.line = start, 0, 1

    def lines(self) -> Iterator[str]:
        if self._wide:
            with TextIOWrapper(
                cast("BufferedReader", self._file), self._encoding, newline=""
            ) as text:
                for line in iter(partial(text.readline, MAX_ROW), ""):
                    self._count(len(line))
                    yield line
            return
        encoding = self._encoding
        for data in iter(partial(self._file.readline, MAX_ROW), b""):
            self._count(len(data))
            yield data.decode(encoding)
            if encoding == "utf-8-sig":
                encoding = "utf-8"

    def _count(self, size: int) -> None:
        self.taken += size
        self.row += size
        if self.row >= MAX_ROW:
            raise DataError(
                f"a row of over {MAX_ROW >> 20} MiB: is a quote never closed?",
                where=f"{self._where}:{self.line}",
                fix="close the quote; large images lie in files of their own",
            )


def _is_spaced(header: list[str]) -> bool:
    """Whether a space follows each delimiter of a header, as hand-written tables have it."""
    return len(header) > 1 and all(name.startswith(" ") for name in header[1:])


def _allow_long_cells() -> None:
    csv.field_size_limit(max(csv.field_size_limit(), MAX_ROW))  # belongs to the process


def _widths(text: str, delimiter: str) -> list[int]:
    widths: list[int] = []
    try:
        for cells in csv.reader(text.splitlines(keepends=True), delimiter=delimiter):
            if cells:
                widths.append(len(cells))
            if len(widths) == _LOOKED_AT:
                break
    except csv.Error:  # a cell longer than the limit of the process: what was counted tells enough
        return widths
    return widths
