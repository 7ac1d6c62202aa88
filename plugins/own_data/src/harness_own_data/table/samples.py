"""From a row to a sample: cells become images, target, fields, groups, cluster and boxes."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from harness.descriptors import Json
from harness.errors import DataError, quoted
from harness.samples import Box, Fault, Group, ImageRef, Sample

from harness_own_data.table.delimited import Delimited
from harness_own_data.table.folders import ImageFolder
from harness_own_data.table.images import (
    POINTER,
    Kind,
    NoImage,
    in_json,
    in_text,
    looks_like_base64,
    names_of,
)
from harness_own_data.table.mapping import BoxColumns, ColumnMap, corners
from harness_own_data.table.rows import MissingKey, Row, place

_BLANKS = re.compile(r"[\s,;]+")
_KINDS: dict[type, str] = {
    str: "text", bool: "true or false", int: "a number", float: "a number",
    list: "a list", dict: "a table of keys",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Use:
    """What a task makes of rows.

    Attributes:
        unit: What statistics resample.
        image_as: What image cells hold: ``auto``, ``path``, ``base64``, ``bytes``.
        choosing: Whether targets are labels, which are texts.
    """

    unit: str
    image_as: str
    choosing: bool


class SampleMaker:
    """Makes samples of one table's rows.

    Attributes:
        columns: What :meth:`Table.read` is asked for; images within a typed table are left out.
        kinds: Image column to what its cells hold.
        split: Place of the column that says the split; ``None`` without one.
        where: The file, for messages.
    """

    def __init__(self, table: Any, mapping: ColumnMap, columns: Sequence[str], use: Use) -> None:
        self._table, self._map, self._unit = table, mapping, use.unit
        self._choosing = use.choosing
        self.where = table.root.where(table.name)
        self.kinds: dict[str, Kind] = {}
        single = [image.columns[0] for image in mapping.images if not image.pattern]
        held = [name for name in single if not isinstance(table, Delimited | ImageFolder)
                and hasattr(table, "holds_images") and table.holds_images(name)]  # fmt: skip
        self.columns = [name for name in columns if name not in held]
        self._at = {name: index for index, name in enumerate(self.columns)}
        self.kinds |= dict.fromkeys(held, "bytes")
        others = [name for name in single if name not in held]
        self.kinds |= self._looked_at(others, use.image_as)
        self.split = None if mapping.split is None else self._at[mapping.split]
        self._images = [self._image_reader(index) for index in range(len(mapping.images))]
        self._pointed: dict[str, ImageRef] | None = None

    def sample(self, row: Row) -> Sample:
        """Return a row as a sample.

        Raises:
            DataError: a cell that cannot be what the spec says it is.
        """
        cells, at, columns = row.cells, self._at, self._map
        where = f"{self.where}:{row.line}"
        name = self._id(row, where)
        fault: Fault | None = None
        images: tuple[ImageRef, ...] = ()
        try:
            images = tuple(image for read in self._images for image in read(row))
        except NoImage as error:
            fault = Fault("image_missing", str(error))
        boxes, fault = self._boxes(row, where, fault)
        notes: dict[str, int] = {}
        groups = {}
        for group, column in columns.groups.items():
            text = _text(cells[at[column.column]], column.column, where)
            if text:
                groups[group] = Group(text, column.labelled_by)
            else:
                notes[f"no value of {group}"] = 1
        return Sample(
            id=name,
            images=images,
            target=self._target(cells, where),
            cluster=self._cluster(cells, name, images, where),
            fields={
                field: _there(cells[at[column]], column, where)
                for field, column in columns.fields.items()
            },
            groups=groups,
            boxes=boxes,
            notes=notes,
            fault=fault,
        )

    def _id(self, row: Row, where: str) -> str:
        if self._map.id is not None:
            text = _text(row.cells[self._at[self._map.id]], self._map.id, where)
            if not text:
                raise DataError(f"the id (column {self._map.id!r}) is empty", where=where)
            return text
        return f"{self._table.name}#{row.line}"

    def _target(self, cells: Sequence[Any], where: str) -> Json:
        column = self._map.target
        if column is None:
            return None
        cell = cells[self._at[column]]
        if isinstance(cell, MissingKey):
            raise DataError(f"the key {column!r} is missing", where=where)
        if self._choosing and cell is not None and not isinstance(cell, str):
            return _text(cell, column, where)
        target: Json = cell
        return target

    def _cluster(
        self, cells: Sequence[Any], name: str, images: Sequence[ImageRef], where: str
    ) -> str:
        column = self._map.cluster
        if column is not None:
            text = _text(cells[self._at[column]], column, where)
            if not text:
                raise DataError(f"the {self._unit} (column {column!r}) is empty", where=where)
            return text
        return images[0].name if images and self._unit == "image" else name

    def _boxes(
        self, row: Row, where: str, fault: Fault | None
    ) -> tuple[tuple[Box, ...], Fault | None]:
        boxes = []
        for box in self._map.boxes:
            cells = [row.cells[self._at[column]] for column in box.columns]
            if all(cell is None or cell == "" for cell in cells):
                fault = fault or Fault("box_missing", f"{where}: the box {box.name!r} is empty")
                continue
            numbers = _numbers(box, cells, where)
            boxes.append(Box(box.name, *corners(numbers, self._map.form), unit=self._map.unit))
        return tuple(boxes), fault

    def _looked_at(self, columns: Sequence[str], image_as: str) -> dict[str, Kind]:
        """Return what image cells hold: as the spec says, or as the first row shows."""
        if image_as in {"path", "base64"}:
            return dict.fromkeys(columns, "path" if image_as == "path" else "base64")
        first = next(iter(self._table.read(columns)), None) if columns else None
        if first is None:
            return dict.fromkeys(columns, "path")
        return {
            name: "base64" if looks_like_base64(cell) else "path"
            for name, cell in zip(columns, first.cells, strict=True)
        }

    def _image_reader(self, index: int) -> Callable[[Row], list[ImageRef]]:
        """Return what makes images of a row's cells of one image column."""
        image = self._map.images[index]
        kind = "path" if image.pattern else self.kinds[image.columns[0]]
        table, column = self._table, image.columns[0]
        if kind == "bytes":
            return lambda row: [
                ImageRef(f"{table.name}#{row.start}.{column}", load=table.image(row.start, column))
            ]
        places = [self._at[name] for name in image.columns]
        if kind == "base64":
            return lambda row: [self._encoded(row, row.cells[places[0]], column)]

        def named(row: Row) -> list[ImageRef]:
            cells = [row.cells[place] for place in places]
            return [ImageRef(name, table.root) for name in names_of(table, row, cells, image)]

        return named

    def _encoded(self, row: Row, cell: Any, column: str) -> ImageRef:
        if not isinstance(cell, str) or not cell:
            raise NoImage(f"{place(self._table, row.line)}: the column {column!r} is empty")
        if not isinstance(self._table, Delimited):
            return in_json(self._table, row, cell)
        if len(cell) > POINTER:
            return in_text(self._table, row, cell, column)
        return self._pointed_at(row, cell, column)

    def _pointed_at(self, row: Row, cell: str, column: str) -> ImageRef:
        """Return the image of the row whose id a short cell names, as VLMEvalKit's files do."""
        where = place(self._table, row.line)
        if self._map.id is None:
            raise DataError(
                f"{quoted(cell)} is no image; it may name the row that holds it", where=where,
                fix="set the option id, such as id: index",
            )  # fmt: skip
        if self._pointed is None:
            self._pointed = {}
            for other in self._table.read([self._map.id, column]):
                if len(other.cells[1]) > POINTER:
                    held = in_text(self._table, other, other.cells[1], column)
                    self._pointed[other.cells[0]] = held
        if cell not in self._pointed:
            raise NoImage(f"{where}: no row with the id {quoted(cell)} holds an image")
        return self._pointed[cell]


class TableTypes:
    """The type that each column has had so far; a cell of another is refused."""

    def __init__(self) -> None:
        self._first: dict[str, tuple[str, str]] = {}

    def check(self, maker: SampleMaker, row: Row) -> None:
        """Compare a row's cells with those above.

        Raises:
            DataError: a cell of another type than the first in its column.
        """
        for name, cell in zip(maker.columns, row.cells, strict=True):
            if cell is None or isinstance(cell, MissingKey):
                continue
            kind = _KINDS.get(type(cell))
            where = f"{maker.where}:{row.line}"
            if kind is None:
                raise DataError(
                    f"the column {name!r} holds {quoted(cell)}, which is no plain data",
                    where=where, fix="write it as text",
                )  # fmt: skip
            before = self._first.setdefault(name, (kind, where))
            if before[0] != kind:
                raise DataError(
                    f"the column {name!r} holds {kind} ({quoted(cell)}), and {before[0]} in "
                    f"{before[1]}",
                    where=where,
                    fix="give all its cells one type",
                )


def _text(cell: Any, column: str, where: str) -> str:
    """Return a cell as text; nothing for null.

    Raises:
        DataError: a list, a table of keys, or a key that is missing.
    """
    if isinstance(cell, str):
        return cell
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, int | float):
        return str(cell)
    if isinstance(cell, MissingKey):
        raise DataError(f"the key {column!r} is missing", where=where)
    raise DataError(f"the column {column!r} holds {quoted(cell)}, not a text", where=where)


def _there(cell: Any, column: str, where: str) -> Json:
    if isinstance(cell, MissingKey):
        raise DataError(f"the key {column!r} is missing", where=where)
    value: Json = cell
    return value


def _numbers(box: BoxColumns, cells: Sequence[Any], where: str) -> list[float]:
    """Return a box's four numbers."""
    values: Any = cells
    if len(cells) == 1:
        [values] = cells
        if isinstance(values, str):
            values = [part for part in _BLANKS.split(values.strip("[]() ")) if part]
    try:
        numbers = [float(value) for value in values]
    except (TypeError, ValueError):
        numbers = []
    if len(numbers) != 4 or not all(map(math.isfinite, numbers)):
        raise DataError(f"the box {box.name!r} is {quoted(values)}, not four numbers", where=where)
    return numbers
