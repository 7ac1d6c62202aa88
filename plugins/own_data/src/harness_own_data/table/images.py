"""From an image cell to an image: a path in the data folder, base64, or bytes in the table."""

from __future__ import annotations

import ast
import binascii
import json
import re
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any, Literal

from harness.errors import DataError, SampleError, quoted
from harness.readers import records
from harness.samples import DataRoot, ImageRef

from harness_own_data.table.delimited import Delimited
from harness_own_data.table.mapping import ImageColumn
from harness_own_data.table.rows import MissingKey, Row, place

Kind = Literal["path", "base64", "bytes"]
_SHORTEST = 100  # characters of an image as base64
_BEGINNINGS = ("iVBORw0KGgo", "/9j/", "R0lGOD", "UklGR")
"""How PNG, JPEG, GIF and WebP begin as base64: an image of few pixels is shorter than others."""
POINTER = 64
"""Characters of a cell at most that names the row whose image is meant (VLMEvalKit)."""


UNUSUAL = re.compile(r"^[/\\\[]|\.\.|://|\0|^.:")
"""What only cells have that may be no plain path within the data folder."""


class NoImage(Exception):
    """A cell that names no image; the message says why."""


def looks_like_base64(cell: object) -> bool:
    """Whether a cell is an encoded image, or a list of these, rather than a path."""
    if isinstance(cell, str):
        cell = next(iter(listed(cell)), "")
    elif isinstance(cell, list) and cell:
        cell = cell[0]
    if not isinstance(cell, str):
        return False
    text = _payload(cell)[:_SHORTEST]
    if len(text) < _SHORTEST and (len(text) <= POINTER or not text.startswith(_BEGINNINGS)):
        return False
    try:
        b64decode(text[: len(text) // 4 * 4], validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _payload(cell: str) -> str:
    """Return a data URI's content; another text as it is."""
    return cell.partition(",")[2] if cell.startswith("data:") else cell


@dataclass(frozen=True, slots=True)
class InText:
    """Fetches an image that stands as base64 in a row of a text file: ``ImageRef.load``.

    Attributes:
        item: Its place in the cell's list; ``None`` where the cell is the image.
    """

    root: DataRoot
    name: str
    column: str
    start: int
    line: int
    delimiter: str
    encoding: str
    item: int | None = None

    def __call__(self) -> bytes:
        """Return the bytes.

        Raises:
            SampleError: the file or the image in it cannot be read.
        """
        try:
            table = Delimited(self.root, self.name, ",", self.delimiter, self.encoding)
            cell = table.cell_at(self.start, self.column)
        except DataError as error:
            raise SampleError("image_unreadable", str(error)) from None
        if self.item is not None:
            cell = listed(cell)[self.item]
        return records.from_base64(_payload(cell), f"{self.name}:{self.line}")


def names_of(table: Any, row: Row, cells: Sequence[Any], image: ImageColumn) -> list[str]:
    """Return the paths that a row's cells of one image column name.

    Raises:
        DataError: a path that leads out of the data folder, or no path.
        NoImage: an empty cell.
    """
    where = place(table, row.line)
    for column, cell in zip(image.columns, cells, strict=True):
        if cell is None or cell in ("", []) or isinstance(cell, MissingKey):
            raise NoImage(f"{where}: the column {column!r} is empty")
    if image.pattern:
        for column, cell in zip(image.columns, cells, strict=True):
            if isinstance(cell, list | dict):
                raise DataError(f"the column {column!r} holds a list, not a part of a name",
                                where=where)  # fmt: skip
        texts: Any = [image.pattern.format(*cells)]
    else:
        texts = cells[0]
        if isinstance(texts, str):
            texts = listed(texts)
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise DataError(f"{quoted(texts)} names no image", where=where)
    return [inside(text, where, table.root) for text in texts]


def listed(text: str) -> list[Any]:
    """Return the images of a cell: one, or those of a list of texts.

    VLMEvalKit reads a list as Python writes it (``['a.jpg', 'b.jpg']``), other files are in JSON.
    """
    if text.startswith(('["', "['")) and text.endswith(('"]', "']")):
        for parse in (json.loads, ast.literal_eval):
            try:
                parsed = parse(text)
            except (ValueError, SyntaxError, RecursionError, MemoryError):
                continue
            return list(parsed)
    return [text]


def inside(text: str, where: str, root: DataRoot) -> str:
    """Return the path from the data folder that a text names, which may be an absolute one.

    Raises:
        DataError: an address, or a path that leads out of the data folder.
    """
    if text.startswith("/"):
        text = text.removeprefix(f"{Path(str(root)).absolute()}/")
    if "://" in text:
        raise DataError(
            f"{quoted(text)} is a URL; the harness downloads no images", where=where,
            fix="download the images and name the files",
        )  # fmt: skip
    windows = text[1:2] == ":" or (text.startswith("\\") or ".." in text.split("\\"))
    if text.startswith("/") or windows or ".." in text.split("/") or "\0" in text:
        raise DataError(
            f"the image path {quoted(text)} leads out of the data folder",
            where=where,
            fix="write image paths relative to the data folder, such as images/1.jpg",
        )
    return text


def in_text(
    table: Delimited, row: Row, cell: str, column: str, item: int | None = None
) -> ImageRef:
    """Return an image that stands as base64 in a row; equal images have one name.

    Raises:
        DataError: rows of the file cannot be found again by their first byte.
    """
    if not table.seekable:
        raise DataError("images in a UTF-16 table are not read", where=table.root.where(table.name),
                        fix="save it as UTF-8")  # fmt: skip
    digest = blake2b(cell.encode(), digest_size=12).hexdigest()
    load = InText(table.root, table.name, column, row.start, row.line, *table.form, item)
    return ImageRef(f"{table.name}#{digest}", load=load)


@dataclass(frozen=True, slots=True)
class InJson:
    """Decodes an image that stands as base64 in a JSON row: ``ImageRef.load``."""

    cell: str
    where: str

    def __call__(self) -> bytes:
        """Return the bytes; SampleError when they are no base64."""
        return records.from_base64(_payload(self.cell), self.where)


def in_json(table: Any, row: Row, cell: str) -> ImageRef:
    """Return an image that stands as base64 in a JSON row; equal images have one name."""
    digest = blake2b(cell.encode(), digest_size=12).hexdigest()
    return ImageRef(f"{table.name}#{digest}", load=InJson(cell, place(table, row.line)))
