"""JSON rows as a stream: one object per line (JSONL), or a list of objects."""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any, cast

from harness.errors import DataError, UserError, quoted
from harness.jsonfiles import parse_json
from harness.readers.json_stream import elements
from harness.samples import DataRoot

from harness_own_data.table.rows import MAX_ROW, MISSING, Row, place

_HEAD = 1 << 20
_MEND = "mend the JSON there"
_CUT = "the file ends within this line: download it, or write it, again"
_LOOKED_AT = 100  # rows whose keys are the columns
_DEEPEST = 4  # keys within one another that a column's name joins


class _Objects:
    """Rows that are objects; see :class:`harness_own_data.table.rows.Table`.

    A key of an object within a row is a column too: ``annotations.emotion``.
    """

    typed = True
    notes: Sequence[str] = ()
    seekable = False
    unit: str

    def __init__(self, root: DataRoot, name: str) -> None:
        self.root, self.name = root, name
        self._where = root.where(name)
        keys: dict[str, None] = {}
        for _, record in islice(self._objects(), _LOOKED_AT):
            keys.update(dict.fromkeys(_keys(record)))
        self.columns: Sequence[str] = list(keys)
        if not keys:
            raise DataError("holds no row", where=self._where, fix="a row for each sample")

    def read(self, names: Sequence[str]) -> Iterator[Row]:
        """Yield every row with the cells of some columns."""
        within = [name for name in names if "." in name]
        for line, record in self._objects():
            if within:
                record |= {name: _cell(record, name) for name in within if name not in record}
            yield Row(line, -1, [record.get(name, MISSING) for name in names])

    def _objects(self) -> Iterator[tuple[int, dict[str, Any]]]:
        raise NotImplementedError

    def _object(self, value: Any, line: int) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise DataError("a row is not an object of columns", where=place(self, line),
                            fix='write each row as {"COLUMN": VALUE, ...}')  # fmt: skip
        return value


def _keys(record: Mapping[str, Any], before: str = "", depth: int = 1) -> Iterator[str]:
    for key, value in record.items():
        yield f"{before}{key}"
        if isinstance(value, dict) and depth < _DEEPEST:
            yield from _keys(value, f"{before}{key}.", depth + 1)


def _cell(record: Any, name: str) -> Any:
    """Return the value of a key within keys; also of keys that hold a dot themselves."""
    if not isinstance(record, dict):
        return MISSING
    if name in record:
        return record[name]
    head, dot, remainder = name.partition(".")
    while dot:
        if head in record and (value := _cell(record[head], remainder)) is not MISSING:
            return value
        more, dot, remainder = remainder.partition(".")
        head = f"{head}.{more}"
    return MISSING


class JsonLines(_Objects):
    """A file with one JSON object a line."""

    unit = "line"

    def _objects(self) -> Iterator[tuple[int, dict[str, Any]]]:
        with self.root.open(self.name) as file:
            for line, data in enumerate(iter(partial(file.readline, MAX_ROW), b""), 1):
                if len(data) >= MAX_ROW:
                    raise DataError(f"a line of over {MAX_ROW >> 20} MiB",
                                    where=place(self, line), fix=_MEND)  # fmt: skip
                if data.strip():
                    try:
                        yield line, self._object(parse_json(data, f"{self._where}:{line}"), line)
                    except UserError as error:
                        fix = error.fix or (_MEND if data.endswith(b"\n") else _CUT)
                        raise DataError(error.message, where=error.where, fix=fix) from None


class JsonList(_Objects):
    """A file with one list of JSON objects; a row's line is its number, from 1."""

    unit = "row"

    def _objects(self) -> Iterator[tuple[int, dict[str, Any]]]:
        if key := _first_key(self.root, self.name):
            raise DataError(
                f"one object, whose first key is {quoted(key)}, not a list of rows",
                where=f"{self._where}:1",
                fix="write [{...}, {...}], or one object per line: rows under a key (as in COCO's "
                "files) as a list of their own",
            )
        bounded = _Bounded(self.root)
        try:
            for index, record in elements(cast("DataRoot", bounded), self.name):
                bounded.row = index + 2
                yield index + 1, self._object(record, index + 1)
        except DataError as error:
            error.fix = error.fix or _MEND
            raise


class _Bounded:
    """A data root whose file ends in an error where one row is too long to be one.

    Attributes:
        row: Number of the row that is read.
    """

    def __init__(self, root: DataRoot) -> None:
        self._root, self.row = root, 1
        self._read = self._before = 0
        self._counted = 1
        self._name = ""

    def where(self, name: str) -> str:
        """Return where a file lies, for messages."""
        return self._root.where(name)

    def open(self, name: str) -> _Bounded:
        """Open the file; there is one at a time."""
        self._file, self._name = self._root.open(name), name
        return self

    def read(self, size: int) -> bytes:
        """Return the next bytes.

        Raises:
            DataError: the row that is read is longer than a row may be.
        """
        if self.row != self._counted:
            self._counted, self._before = self.row, self._read
        if self._read - self._before > MAX_ROW:
            raise DataError(
                f"a row of over {MAX_ROW >> 20} MiB",
                where=f"{self.where(self._name)}: row {self.row}",
                fix="large images lie in files of their own",
            )
        data = self._file.read(size)
        self._read += len(data)
        return data

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def _first_key(root: DataRoot, name: str) -> str:
    """Return the first key of a JSON text that is one object; empty of any other text."""
    with root.open(name) as file:
        text = file.read(_HEAD).removeprefix(codecs.BOM_UTF8).decode(errors="replace").lstrip()
    key = re.match(r'\{\s*"([^"]*)', text)
    return (key[1] if key else "") or ("{" if text.startswith("{") else "")


def first_sign(root: DataRoot, name: str) -> bytes:
    """Return the first character of a JSON text that is no blank; empty without one."""
    with root.open(name) as file:
        return file.read(_HEAD).removeprefix(codecs.BOM_UTF8).lstrip()[:1]


def holds_lines(root: DataRoot, name: str) -> bool:
    """Whether a file called .json holds an object per line, as many exports do."""
    if first_sign(root, name) != b"{":
        return False
    with root.open(name) as file:
        heads = (file.readline(_HEAD) for _ in range(_LOOKED_AT))
        lines = list(islice((line for line in heads if line.strip()), 2))
    try:
        return len(lines) == 2 and all(isinstance(json.loads(line), dict) for line in lines)
    except (ValueError, RecursionError):
        return False
