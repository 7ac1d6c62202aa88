"""Parquet files and Arrow files of `datasets` as tables; images in them are read when opened."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pyarrow as pa
from harness.errors import DataError, SampleError, short
from harness.readers import parquet, records
from harness.samples import DataRoot

from harness_own_data.table.rows import Row


class _Columnar:
    """What tables of typed columns have in common."""

    typed = True
    notes: Sequence[str] = ()
    seekable = True

    def __init__(self, root: DataRoot, name: str, schema: Any) -> None:
        self.root, self.name, self._schema = root, name, schema
        self.columns: Sequence[str] = list(schema.names)

    def holds_images(self, column: str) -> bool:
        """Whether a column holds encoded images: bytes, or structs with bytes."""
        kind = self._schema.field(column).type
        if pa.types.is_struct(kind):
            return bool(kind.get_field_index("bytes") >= 0)
        return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))

    def image(self, row: int, column: str) -> Callable[[], bytes]:
        """Return what fetches an image that stands in a row."""
        raise NotImplementedError

    def read(self, names: Sequence[str]) -> Iterator[Row]:
        """Yield every row with the cells of some columns."""
        for name in names:
            self._refuse(name)
        if not names:  # rows are still to be counted
            names = [next((one for one in self.columns if not self.holds_images(one)),
                          self.columns[0])]  # fmt: skip
        classes = {
            place: class_names
            for place, name in enumerate(names)
            if (class_names := self._names(name))
        }
        for row, values in enumerate(self._values(names)):
            cells = list(values)
            for position, texts in classes.items():
                cells[position] = _class(cells[position], texts)
            yield Row(row + 1, row, cells)

    def _refuse(self, name: str) -> None:
        kind = self._schema.field(name).type
        if isinstance(kind, pa.BaseExtensionType):
            raise DataError(
                f"the column {name!r} is of the extension type {short(str(kind), 80)}; texts, "
                "numbers, lists and images are read",
                where=self.root.where(self.name),
                fix="write it as a plain column",
            )
        if pa.types.is_temporal(kind) or pa.types.is_map(kind) or pa.types.is_union(kind):
            raise DataError(
                f"the column {name!r} holds {kind}, which is no plain data",
                where=self.root.where(self.name),
                fix="write it as text",
            )

    def _names(self, column: str) -> list[str] | None:
        raise NotImplementedError

    def _values(self, names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        raise NotImplementedError


def _class(value: Any, names: Sequence[str]) -> Any:
    if value is None or not isinstance(value, int):
        return value
    return names[value] if 0 <= value < len(names) else value


class Parquet(_Columnar):
    """One Parquet file."""

    def __init__(self, root: DataRoot, name: str) -> None:
        with parquet.opened(root, name) as file:
            super().__init__(root, name, file.schema_arrow)

    def image(self, row: int, column: str) -> Callable[[], bytes]:
        """Return what fetches an image that stands in a row."""
        return parquet.EmbeddedImage(self.root, self.name, row, column)

    def content_hash(self, columns: Sequence[str]) -> str:
        """Return the hash of some columns: the labels, but not the images beside them."""
        return parquet.content_hash(self.root, self.name, columns)

    def _names(self, column: str) -> list[str] | None:
        return parquet.class_names(self.root, self.name, column)

    def _values(self, names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        return parquet.rows(self.root, self.name, names)


class Arrow(_Columnar):
    """One Arrow file of a folder that ``Dataset.save_to_disk`` wrote (an IPC stream)."""

    def __init__(self, root: DataRoot, name: str) -> None:
        super().__init__(root, name, _arrow(root, name).schema)

    def image(self, row: int, column: str) -> Callable[[], bytes]:
        """Return what fetches an image that stands in a row."""
        return ArrowImage(self.root, self.name, row, column)

    def content_hash(self, columns: Sequence[str]) -> str:
        """Return the hash of the whole file."""
        del columns
        return self.root.sha256(self.name)

    def _names(self, column: str) -> list[str] | None:
        import json

        metadata: Mapping[bytes, bytes] = self._schema.metadata or {}
        try:
            class_names = json.loads(metadata[b"huggingface"])["info"]["features"][column]["names"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return None
        return class_names if isinstance(class_names, list) else None

    def _values(self, names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        for batch in _arrow(self.root, self.name).select(names).to_batches(max_chunksize=4096):
            yield from zip(*(column.to_pylist() for column in batch.columns), strict=True)


@dataclass(frozen=True, slots=True)
class ArrowImage:
    """The encoded image in one row of an Arrow file."""

    root: DataRoot
    name: str
    row: int
    column: str

    def __call__(self) -> bytes:
        """Return the bytes.

        Raises:
            SampleError: the file or the image in it cannot be read.
        """
        try:
            value = _arrow(self.root, self.name).column(self.column)[self.row].as_py()
        except (DataError, pa.ArrowException, IndexError) as error:
            raise SampleError("image_unreadable", short(str(error), 200)) from None
        if isinstance(value, dict):
            value = value.get("bytes")
        if isinstance(value, str):
            return records.from_base64(value, f"row {self.row + 1}")
        if not isinstance(value, bytes):
            raise SampleError("image_missing", f"row {self.row + 1} holds no image bytes")
        return value


@lru_cache(maxsize=4)
def _arrow(root: DataRoot, name: str) -> Any:
    """Return an Arrow file as a table, mapped into memory where it lies on the disk."""
    local = root.local(name)
    try:
        source = (
            pa.BufferReader(root.read_bytes(name)) if local is None else pa.memory_map(str(local))
        )
        try:
            return pa.ipc.open_stream(source).read_all()
        except pa.ArrowInvalid:
            source.seek(0)
            return pa.ipc.open_file(source).read_all()
    except (pa.ArrowException, OSError) as error:
        raise DataError(
            f"no Arrow file that can be read: {short(str(error), 200)}", where=root.where(name)
        ) from None
