"""From a row to a sample: cells become images, target, fields, groups, cluster and boxes."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from harness.descriptors import Json
from harness.errors import DataError, quoted
from harness.samples import Box, Fault, Group, ImageRef, Sample

from harness_own_data.table.batches import PlainRows
from harness_own_data.table.delimited import Delimited
from harness_own_data.table.folders import ImageFolder
from harness_own_data.table.images import (
    POINTER,
    UNUSUAL,
    Kind,
    NoImage,
    in_json,
    in_text,
    listed,
    looks_like_base64,
    names_of,
)
from harness_own_data.table.mapping import BoxColumns, ColumnMap, corners
from harness_own_data.table.rows import MissingKey, Row, count_of, place, text_of

_BLANKS = re.compile(r"[\s,;]+")


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
        needs_starts: Whether images are found again by the first byte of their rows.
        plain: Makes samples of batches; ``None`` where a mapping needs each row looked at.
        split: Place of the column that says the split; ``None`` without one.
        table: The table whose rows it takes.
    """

    def __init__(self, table: Any, mapping: ColumnMap, columns: Sequence[str], use: Use) -> None:
        self._where = table.root.where(table.name)
        self.table, self._map, self._unit = table, mapping, use.unit
        self._choosing = use.choosing
        self.kinds: dict[str, Kind] = {}
        single = [image.columns[0] for image in mapping.images if not image.pattern]
        embedded = [name for name in single if not isinstance(table, Delimited | ImageFolder)
                and hasattr(table, "holds_images") and table.holds_images(name)]  # fmt: skip
        self._refuse_as_others(embedded)
        self._counts = {name: count_of(name) for name in embedded if table.lists_images(name)}
        self.columns = [name for name in columns if name not in embedded]
        self.columns += self._counts.values()
        self._at = {name: index for index, name in enumerate(self.columns)}
        self.kinds |= dict.fromkeys(embedded, "bytes")
        others = [name for name in single if name not in embedded]
        self.kinds |= self._looked_at(others, use.image_as)
        self.split = None if mapping.split is None else self._at[mapping.split]
        self._groups = [
            (name, self._at[group.column], group.labelled_by)
            for name, group in mapping.groups.items()
        ]
        self._fields = [(name, self._at[column]) for name, column in mapping.fields.items()]
        self._id_at = self._place_of(mapping.id)
        self._target_at = self._place_of(mapping.target)
        self._cluster_at = self._place_of(mapping.cluster)
        self._images = [self._image_reader(index) for index in range(len(mapping.images))]
        self._pointed: dict[str, ImageRef] | None = None
        in_rows = bool(set(self.kinds.values()) - {"path"})
        self.needs_starts = in_rows
        self.plain = None if in_rows or mapping.boxes else PlainRows(
            table, mapping, self._at, use.unit
        )  # fmt: skip

    def _refuse_as_others(self, embedded: Sequence[str]) -> None:
        """Refuse columns of images that the spec reads as something else too.

        Raises:
            DataError: there is one; it says the option.
        """
        others = replace(self._map, images=()).named()
        for column, option in others:
            if column in embedded:
                raise DataError(
                    f"the column {column!r} holds images, and data.options.{option} reads texts",
                    where=self._where, fix="name another column there",
                )  # fmt: skip

    def _place_of(self, column: str | None) -> int | None:
        return None if column is None else self._at[column]

    def _id(self, name: str, row: Row) -> str:
        """Return an id that is one; with a space at an end it may be another row's once more."""
        if not name:
            raise self._wrong(row, f"the id (column {self._map.id!r}) is empty")
        if name[0].isspace() or name[-1].isspace():
            raise self._wrong(row, f"the id {quoted(name)} begins or ends with a space")
        return name

    def sample(self, row: Row) -> Sample:
        """Return a row as a sample.

        Raises:
            DataError: a cell that cannot be what the spec says it is.
        """
        cells, text = row.cells, self._text
        fault: Fault | None = None
        images: list[ImageRef] = []
        try:
            for read in self._images:
                images += read(row)
        except NoImage as error:
            fault = Fault("image_missing", str(error))
        boxes: tuple[Box, ...] = ()
        if self._map.boxes:
            boxes, fault = self._boxes(row, fault)
        notes: dict[str, int] = {}
        groups = {}
        for group, at, source in self._groups:
            value = cells[at]
            value = value if type(value) is str else text(value, at, row)
            if value:
                groups[group] = Group(value, source)
            else:
                notes[f"no value of {group}"] = 1
        name = f"{self.table.name}#{row.line}"
        if self._id_at is not None:
            name = self._id(text(cells[self._id_at], self._id_at, row), row)
        fields = {}
        for field, at in self._fields:
            value = cells[at]
            if isinstance(value, MissingKey):
                raise self._wrong(row, f"the key {self.columns[at]!r} is missing")
            fields[field] = value
        target = None
        if self._target_at is not None:
            target = self._target(cells[self._target_at], row)
            if target is None or target == "":
                notes["no right answer"] = 1
        return Sample(
            id=name,
            images=tuple(images),
            target=target,
            cluster=self._cluster(row, name, images),
            fields=fields,
            groups=groups,
            boxes=boxes,
            notes=notes,
            fault=fault,
        )

    def _wrong(self, row: Row, message: str) -> DataError:
        return DataError(message, where=place(self.table, row.line), fix="mend the row there")

    def _text(self, cell: Any, at: int, row: Row) -> str:
        """Return a cell as text; nothing for null.

        Raises:
            DataError: a list, a table of keys, or a key that is missing.
        """
        text = text_of(cell)
        if text is not None:
            return text
        if isinstance(cell, MissingKey):
            raise self._wrong(row, f"the key {self.columns[at]!r} is missing")
        raise self._wrong(row, f"the column {self.columns[at]!r} holds {quoted(cell)}, not a text")

    def _target(self, cell: Any, row: Row) -> Json:
        if isinstance(cell, MissingKey):
            raise self._wrong(row, f"the key {self._map.target!r} is missing")
        if self._choosing and cell is not None and not isinstance(cell, str):
            assert self._target_at is not None
            return self._text(cell, self._target_at, row)
        target: Json = cell
        return target

    def _cluster(self, row: Row, name: str, images: Sequence[ImageRef]) -> str:
        if self._cluster_at is None:
            return images[0].name if images and self._unit == "image" else name
        text = self._text(row.cells[self._cluster_at], self._cluster_at, row)
        if not text:
            raise self._wrong(row, f"the {self._unit} (column {self._map.cluster!r}) is empty")
        return text

    def _boxes(self, row: Row, fault: Fault | None) -> tuple[tuple[Box, ...], Fault | None]:
        boxes, where = [], place(self.table, row.line)
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
        first = next(iter(self.table.read(columns)), None) if columns else None
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
        table, column = self.table, image.columns[0]
        if column in self._counts:
            return lambda row: self._listed(row, column)
        if kind == "bytes":
            return lambda row: [
                ImageRef(f"{table.name}#{row.start}.{column}", load=table.image(row.start, column))
            ]
        places = [self._at[name] for name in image.columns]
        if kind == "base64":
            return lambda row: self._encoded(row, row.cells[places[0]], column)

        first, root, plain = places[0], table.root, not image.pattern

        def named(row: Row) -> list[ImageRef]:
            cell = row.cells[first]
            if plain and type(cell) is str and cell and not UNUSUAL.search(cell):
                return [ImageRef(cell, root)]
            cells = [row.cells[place] for place in places]
            return [ImageRef(name, table.root) for name in names_of(table, row, cells, image)]

        return named

    def _listed(self, row: Row, column: str) -> list[ImageRef]:
        """Return the images of a row's list, which is read no further than its length."""
        count = row.cells[self._at[self._counts[column]]]
        if not count:
            raise NoImage(f"{place(self.table, row.line)}: the column {column!r} is empty")
        name, image = f"{self.table.name}#{row.start}.{column}", self.table.image
        return [
            ImageRef(f"{name}.{item}", load=image(row.start, column, item)) for item in range(count)
        ]

    def _encoded(self, row: Row, cell: Any, column: str) -> list[ImageRef]:
        """Return the images of a cell that holds one as base64, or a list of these."""
        images = listed(cell) if isinstance(cell, str) else cell
        if not isinstance(images, list) or not images or not all(
            isinstance(image, str) and image for image in images
        ):  # fmt: skip
            raise NoImage(f"{place(self.table, row.line)}: the column {column!r} is empty")
        if not isinstance(self.table, Delimited):
            return [in_json(self.table, row, image) for image in images]
        if len(images) == 1 and images[0] == cell:
            if len(cell) > POINTER:
                return [in_text(self.table, row, cell, column)]
            return [self._pointed_at(row, cell, column)]
        return [in_text(self.table, row, image, column, item) for item, image in enumerate(images)]

    def _pointed_at(self, row: Row, cell: str, column: str) -> ImageRef:
        """Return the image of the row whose id a short cell names, as VLMEvalKit's files do."""
        where = place(self.table, row.line)
        if self._map.id is None:
            raise DataError(
                f"{quoted(cell)} is not an image; it may name the row that holds it", where=where,
                fix="set the option id, such as id: index",
            )  # fmt: skip
        if self._pointed is None:
            self._pointed = {}
            for other in self.table.read([self._map.id, column]):
                if len(other.cells[1]) > POINTER:
                    cell_text = in_text(self.table, other, other.cells[1], column)
                    self._pointed[other.cells[0]] = cell_text
        if cell not in self._pointed:
            raise NoImage(f"{where}: no row with the id {quoted(cell)} holds an image")
        return self._pointed[cell]


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
