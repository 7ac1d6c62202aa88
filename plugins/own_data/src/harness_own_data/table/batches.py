"""Many rows at a time: samples of rows in which no cell is out of the ordinary.

A row whose cells are plain texts costs most of its time in calls, one a cell. A batch of such rows
is looked at column by column instead, and its samples are made in one loop. They are those that
:class:`harness_own_data.table.samples.SampleMaker` makes row by row, which is left whatever needs a
message, a type or a second look.
"""

from __future__ import annotations

import dataclasses
import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import compress, islice, repeat
from typing import Any, NamedTuple, TypeVar

from harness.samples import Group, ImageRef, Sample

from harness_own_data.table.delimited import Delimited
from harness_own_data.table.images import UNUSUAL
from harness_own_data.table.mapping import ColumnMap
from harness_own_data.table.rows import Row, Table

_ROWS = 512  # rows of a table that yields them one by one
_MADE_AT_ONCE = 48
"""Samples that exist at one time: with more of them the garbage collector starts again and again,
and looks at every object of the process, which took half of the time of reading."""
_Made = TypeVar("_Made")
_SIGNS = ("..", ":", "\0", "\n/", "\n\\", "\n[")  # one of them is in whatever the pattern matches
_UNUSUAL = re.compile(UNUSUAL.pattern, re.MULTILINE)


class Batch(NamedTuple):
    """Rows that follow one another, turned into columns.

    Attributes:
        lines: Line of each row; see :class:`Row`.
        starts: First byte of each row.
        columns: Values of each column that was asked for; as many as ``lines``.
    """

    lines: Sequence[int]
    starts: Sequence[int]
    columns: Sequence[Sequence[Any]]

    def rows(self) -> Iterator[Row]:
        """Yield the rows one by one."""
        cells = zip(*self.columns, strict=True) if self.columns else repeat(())
        yield from map(Row, self.lines, self.starts, cells)

    def where(self, column: int, value: str) -> Batch:
        """Return the rows that have a value in a column."""
        chosen = [str(cell) == value for cell in self.columns[column]]
        if all(chosen):
            return self
        return Batch(
            list(compress(self.lines, chosen)),
            list(compress(self.starts, chosen)),
            [list(compress(cells, chosen)) for cells in self.columns],
        )

    def is_text(self) -> bool:
        """Whether every cell is a text."""
        return all(set(map(type, cells)) <= {str} for cells in self.columns)


def batches(table: Any, names: Sequence[str], *, starts: bool) -> Iterator[Batch]:
    """Yield all rows of a table, with the cells of some columns.

    Args:
        table: A :class:`Table`.
        names: Of columns.
        starts: Whether rows will be found again by their first byte.

    Raises:
        DataError: as :meth:`Table.read`, after the rows before.
    """
    if isinstance(table, Delimited) and table.by_piece and not starts:
        places = [table.columns.index(name) for name in names]
        for lines, cells in table.read_many():
            if not cells:
                continue
            columns = list(zip(*cells, strict=True))
            yield Batch(lines, [-1] * len(lines), [columns[place] for place in places])
        return
    rows = table.read(names)
    while some := list(_until_error(islice(rows, _ROWS))):
        failed = some.pop() if isinstance(some[-1], Exception) else None
        if some:
            yield Batch(
                [row.line for row in some],
                [row.start for row in some],
                list(zip(*(row.cells for row in some), strict=True)),
            )
        if failed is not None:
            raise failed


def _until_error(rows: Iterator[Row]) -> Iterator[Any]:
    """Yield rows, and last what was raised: the rows before an error come before it."""
    try:
        yield from rows
    except Exception as error:  # noqa: BLE001 (raised again by the caller)
        yield error


@dataclass(frozen=True, slots=True)
class PlainRows:
    """Makes samples of batches of texts.

    Attributes:
        table: Whose rows they are.
        mapping: Which column is what; without boxes.
        at: Column to its place in a batch.
        unit: What statistics resample.
    """

    table: Table
    mapping: ColumnMap
    at: Mapping[str, int]
    unit: str

    def samples(self, batch: Batch) -> tuple[Sequence[str], Sequence[Any], Iterator[Sample]] | None:
        """Return ids, targets and samples of a batch; ``None`` if a cell needs more than that."""
        columns, size, at, mapping = batch.columns, len(batch.lines), self.at, self.mapping
        images = self._images(columns)
        if images is None:
            return None
        ids: Sequence[str]
        if mapping.id is None:
            ids = [f"{self.table.name}#{line}" for line in batch.lines]
        else:
            ids = columns[at[mapping.id]]
        clusters = ids if self.unit != "image" or not images else images[0]
        if mapping.cluster is not None:
            clusters = columns[at[mapping.cluster]]
        if "" in ids or "" in clusters:
            return None
        targets = [None] * size if mapping.target is None else columns[at[mapping.target]]
        if "" in targets:
            return None
        fields = {name: columns[at[column]] for name, column in mapping.fields.items()}
        values = _rows([columns[at[group.column]] for group in mapping.groups.values()], size)
        return ids, targets, self._made((ids, targets, clusters, values), images, fields)

    def _made(
        self,
        texts: tuple[Sequence[Any], ...],
        images: Sequence[Sequence[str]],
        fields: Mapping[str, Sequence[str]],
    ) -> Iterator[Sample]:
        """Yield samples of ids, targets, clusters and cells of groups, and of images and fields."""
        groups, notes, root = _Known(self._groups), _Known(self._notes), repeat(self.table.root)
        for first in range(0, len(texts[0]), _MADE_AT_ONCE):
            some = slice(first, first + _MADE_AT_ONCE)
            ids, targets, clusters, values = (column[some] for column in texts)
            size = len(ids)
            references = [filled(ImageRef, {"name": paths[some], "root": root}, size)
                          for paths in images]  # fmt: skip
            yield from filled(
                Sample,
                {
                    "id": ids,
                    "images": _rows(references, size),
                    "target": targets,
                    "cluster": clusters,
                    "fields": _keyed({name: cells[some] for name, cells in fields.items()}, size),
                    "groups": map(dict.copy, map(groups.__getitem__, values)),
                    "notes": map(dict.copy, map(notes.__getitem__, values)),
                },
                size,
            )

    def _groups(self, values: Sequence[str]) -> dict[str, Group]:
        named = zip(self.mapping.groups.items(), values, strict=True)
        return {name: Group(value, group.labelled_by) for (name, group), value in named if value}

    def _notes(self, values: Sequence[str]) -> dict[str, int]:
        named = zip(self.mapping.groups, values, strict=True)
        return {f"no value of {name}": 1 for name, value in named if not value}

    def _images(self, columns: Sequence[Sequence[str]]) -> list[Sequence[str]] | None:
        """Return the paths of each image, ``None`` if one is missing or needs a second look."""
        images: list[Sequence[str]] = []
        for image in self.mapping.images:
            cells = [columns[self.at[name]] for name in image.columns]
            if any("" in column for column in cells):
                return None
            paths = list(map(image.pattern.format, *cells)) if image.pattern else cells[0]
            text = "\n".join(["", *paths])
            # Plain substrings are ten times as fast as the pattern, which few files need then.
            if any(sign in text for sign in _SIGNS) and _UNUSUAL.search(text[1:]):
                return None
            images.append(paths)
        return images


def filled(kind: type[_Made], columns: Mapping[str, Iterable[Any]], count: int) -> list[_Made]:
    """Make many objects of a frozen dataclass with slots, one field of all of them at a time.

    Its constructor calls a function for each field of each object, which takes five times as long.

    Args:
        kind: The class; it has no ``__post_init__``, which would not be called.
        columns: Field to a value for each object; other fields have a default that is no factory.
        count: How many objects.
    """
    objects = [kind.__new__(kind) for _ in range(count)]
    for field in dataclasses.fields(kind):  # type: ignore[arg-type]
        assert field.name in columns or field.default is not dataclasses.MISSING, field.name
        values = columns.get(field.name, repeat(field.default))
        # Exhausts the iterator without a step of Python for each object.
        deque(map(getattr(kind, field.name).__set__, objects, values), maxlen=0)
    return objects


def _keyed(columns: Mapping[str, Sequence[str]], count: int) -> list[dict[str, Any]]:
    """Return a mapping for each row, from the columns' names to its cells."""
    mappings: list[dict[str, Any]] = [{} for _ in range(count)]
    for name, cells in columns.items():
        deque(map(dict.__setitem__, mappings, repeat(name), cells), maxlen=0)
    return mappings


def _rows(columns: Sequence[Sequence[Any]], count: int) -> list[tuple[Any, ...]]:
    """Turn columns into rows; of no column there are rows without a cell."""
    return list(zip(*columns, strict=True)) if columns else [()] * count


class _Known(dict[tuple[str, ...], dict[str, Any]]):
    """What a function makes of a row's cells, made once for equal cells."""

    def __init__(self, make: Callable[[Sequence[str]], dict[str, Any]]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, cells: tuple[str, ...]) -> dict[str, Any]:
        self[cells] = self._make(cells)
        return self[cells]
