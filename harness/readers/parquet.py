"""Rows of parquet shards: text columns as a stream, one image at a time, neither ever whole."""

from __future__ import annotations

import hashlib
import json
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from threading import Lock
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from harness.errors import DataError, SampleError, short
from harness.readers import records
from harness.samples.roots import DataRoot

_ROWS = 4096
_IMAGES = 16  # images read on from a place in a row group, as samples are asked in order
_BUFFER = 1 << 20

Places = np.ndarray[Any, np.dtype[np.intp]]


def rows(root: DataRoot, path: str, columns: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Yield the values of some columns, row by row.

    A column ``answers.answer`` is the field ``answer`` of the structs listed in ``answers``.

    Raises:
        DataError: no parquet file, or one without a column.
    """
    for batch in _batches(root, path, columns):
        yield from _values(batch, columns)


def grouped(
    root: DataRoot, paths: Sequence[str], key: str, columns: Sequence[str]
) -> Iterator[tuple[str, int, tuple[Any, ...]]]:
    """Yield shard, row and values of some columns, rows of one key together, as keys first come.

    Shards whose rows stand so already, as they mostly do, are walked through; of others all the
    columns are held, packed.

    Raises:
        DataError: as :func:`rows`.
    """
    return ordered(root, paths, _order(root, paths, key), columns)


def ordered(
    root: DataRoot, paths: Sequence[str], order: Places, columns: Sequence[str]
) -> Iterator[tuple[str, int, tuple[Any, ...]]]:
    """Yield shard, row and values of some columns in an order of places, counted over all shards.

    Raises:
        DataError: as :func:`rows`.
    """
    if (order[1:] > order[:-1]).all():
        for path in paths:
            for row, values in enumerate(rows(root, path, columns)):
                yield path, row, values
        return
    tables = [_table(root, path, columns) for path in paths]
    starts = [0, *accumulate(table.num_rows for table in tables)]
    try:
        table = pa.concat_tables(tables).combine_chunks()
    except pa.ArrowException as error:  # shards of different types
        raise _broken(root.where(paths[0]), error) from None
    del tables
    for first in range(0, len(order), _ROWS):
        places = order[first : first + _ROWS]
        for position, values in zip(
            places.tolist(), _values(table.take(places), columns), strict=True
        ):
            shard = bisect_right(starts, position) - 1
            yield paths[shard], position - starts[shard], values


def whole(root: DataRoot, paths: Sequence[str], column: str) -> Iterator[tuple[str, int, Any]]:
    """Yield shard, row and value of one column.

    Raises:
        DataError: as :func:`rows`.
    """
    for path in paths:
        for row, (value,) in enumerate(rows(root, path, [column])):
            yield path, row, value


def _table(root: DataRoot, path: str, columns: Sequence[str]) -> Any:
    """Return some columns as a whole, which takes less memory than all their batches."""
    with opened(root, path) as file:
        for name in columns:
            _check(file.schema_arrow, name, root.where(path))
        try:
            leaves = [leaf for name in columns for leaf in _leaves(file.schema, name)]
            return file.read(columns=leaves, use_threads=False)
        except (pa.ArrowException, OSError) as error:
            raise _broken(root.where(path), error) from None


def _order(root: DataRoot, paths: Sequence[str], key: str) -> Places:
    """Return the places of rows by a column, as its values first come."""
    try:
        keys = pa.concat_tables([_table(root, path, [key]) for path in paths]).column(0)
        codes = keys.combine_chunks().dictionary_encode().indices
    except pa.ArrowException as error:  # shards of different types
        raise _broken(root.where(paths[0]), error) from None
    return np.argsort(codes.fill_null(-1).to_numpy(), kind="stable")


def need_images(root: DataRoot, paths: Iterable[str], column: str) -> None:
    """Check that shards have the column of images, which is read later than the others.

    Raises:
        DataError: as :func:`rows`.
    """
    for path in paths:
        with opened(root, path) as file:
            _check(file.schema_arrow, f"{column}.bytes", root.where(path))


def has(root: DataRoot, path: str, column: str) -> bool:
    """Whether a shard has a column that some copies lack."""
    return column in columns(root, path)


def columns(root: DataRoot, path: str) -> list[str]:
    """Return the names of a shard's columns."""
    with opened(root, path) as file:
        return list(file.schema_arrow.names)


def class_names(root: DataRoot, path: str, column: str) -> list[str] | None:
    """Return what the numbers in a column stand for, where the shard says so (``datasets``)."""
    with opened(root, path) as file:
        metadata = (file.schema_arrow.metadata or {}).get(b"huggingface", b"{}")
    try:
        names = json.loads(metadata)["info"]["features"][column]["names"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if isinstance(names, list) and all(isinstance(name, str) for name in names):
        return names
    return None


def _values(batch: Any, columns: Sequence[str]) -> Iterable[tuple[Any, ...]]:
    return zip(*(_column(batch, name) for name in columns), strict=True)


def _column(batch: Any, name: str) -> list[Any]:
    """Return a column as Python values; lists and texts without an object of Arrow for each."""
    name, _, inner = name.partition(".")
    array = batch.column(name)
    if isinstance(array, pa.ChunkedArray):
        array = array.combine_chunks()
    if inner and pa.types.is_struct(array.type):
        array = array.field(inner)
    if _is_list(array.type):
        ends = array.offsets.to_numpy()
        items = array.values[ends[0] : ends[-1]]
        texts = _list_of(items.field(inner) if pa.types.is_struct(items.type) else items)
        is_set = array.is_valid().to_numpy(zero_copy_only=False).tolist()
        cuts = (ends - ends[0]).tolist()
        return [
            texts[start:end] if present else None
            for start, end, present in zip(cuts, cuts[1:], is_set, strict=False)
        ]
    return _list_of(array)


def _is_list(kind: Any) -> bool:
    return bool(pa.types.is_list(kind) or pa.types.is_large_list(kind))


def _list_of(array: Any) -> list[Any]:
    if pa.types.is_string(array.type) or pa.types.is_large_string(array.type):
        texts: list[Any] = array.to_numpy(zero_copy_only=False).tolist()
        return texts
    values: list[Any] = array.to_pylist()
    return values


def content_hash(root: DataRoot, path: str, columns: Sequence[str]) -> str:
    """Return the SHA-256 of some columns: what a reader reads of a file that also holds images.

    Raises:
        DataError: as :func:`rows`.
    """
    digest = hashlib.sha256()
    for batch in _batches(root, path, columns):
        for name in columns:
            texts = "\x1f".join(map(str, _column(batch, name)))
            digest.update(f"{name}\x1e{texts}\x1d".encode())
    return digest.hexdigest()


def _batches(root: DataRoot, path: str, columns: Sequence[str]) -> Iterator[Any]:
    with opened(root, path) as file:
        for name in columns:
            _check(file.schema_arrow, name, root.where(path))
        try:
            leaves = [leaf for name in columns for leaf in _leaves(file.schema, name)]
            yield from file.iter_batches(batch_size=_ROWS, columns=leaves)
        except (pa.ArrowException, OSError) as error:
            raise _broken(root.where(path), error) from None


def _leaves(schema: Any, column: str) -> list[str]:
    """Return the paths in a file that hold a column, or of a nested one the field asked for."""
    name, _, inner = column.partition(".")
    paths = [schema.column(place).path for place in range(len(schema.names))]
    parts = [(path, path.split(".")) for path in paths]
    leaves = [path for path, steps in parts if steps[0] == name and inner in steps[1:]]
    return leaves or [name]


def _check(schema: Any, column: str, where: str) -> None:
    name, _, inner = column.partition(".")
    if name not in schema.names:
        raise records.missing_column(name, schema.names, where)
    kind = schema.field(name).type
    if _is_list(kind):
        kind = kind.value_type
    if inner and pa.types.is_struct(kind) and kind.get_field_index(inner) < 0:
        fields = ", ".join(kind.field(at).name for at in range(kind.num_fields))
        raise DataError(
            f"the column {name!r} has no {inner!r}; it has {short(fields, 300)}", where=where
        )


def opened(root: DataRoot, path: str) -> Any:
    """Return an open parquet file.

    Raises:
        DataError: when it is missing or no parquet file.
    """
    try:
        # Of an archive only Python can read; of the disk, Arrow reads by itself.
        local = root.local(path)
        source = root.open(path) if local is None else str(local)
        return pq.ParquetFile(source, pre_buffer=False, buffer_size=_BUFFER)
    except (pa.ArrowException, OSError) as error:
        raise _broken(root.where(path), error) from None


def _broken(where: str, error: Exception) -> DataError:
    reason = short(" ".join(str(error).splitlines()[:1]).rstrip("."), 200)
    return DataError(
        f"no parquet file that can be read: {reason}", where=where, fix="fetch it again"
    )


@dataclass(frozen=True, slots=True)
class EmbeddedImage:
    """The encoded image in one row: of a column of bytes, of structs with ``bytes``, or base64.

    Of a column that lists such structs it is the item of the row's list.
    """

    root: DataRoot
    name: str
    row: int
    column: str = "image"
    item: int | None = None

    def __call__(self) -> bytes:
        """Return the bytes.

        Raises:
            SampleError: the shard or the image in it cannot be read.
        """
        with _LOCK:
            try:
                return _cursor(self.root, self.name, self.column).read(self.row, self.item)
            except DataError as error:
                _cursor.cache_clear()
                raise SampleError("image_unreadable", str(error)) from None
            except (pa.ArrowException, OSError) as error:
                _cursor.cache_clear()
                raise SampleError(
                    "image_unreadable", f"{self.name}: {short(str(error), 200)}"
                ) from None


class _Cursor:
    """A place in one shard; reading on costs the images read, going back starts the group again."""

    def __init__(self, root: DataRoot, path: str, column: str) -> None:
        self._file, self._path = opened(root, path), path
        _check(self._file.schema_arrow, f"{column}.bytes", root.where(path))
        kind = self._file.schema_arrow.field(column).type
        self._leaf = f"{column}.bytes" if pa.types.is_struct(kind) else column
        sizes = [
            self._file.metadata.row_group(group).num_rows
            for group in range(self._file.metadata.num_row_groups)
        ]
        self._starts = [0, *accumulate(sizes)]
        self._group, self._first = -1, 0
        self._batches: Iterator[Any] = iter(())
        self._held: Any = None

    def read(self, row: int, item: int | None) -> bytes:
        group = bisect_right(self._starts, row) - 1
        if not 0 <= group < len(self._starts) - 1:
            raise SampleError("image_missing", f"there is no row {row + 1} in {self._path}")
        if group != self._group or row < self._first:
            self._batches = self._file.iter_batches(
                batch_size=_IMAGES, row_groups=[group], columns=[self._leaf]
            )
            self._group, self._first = group, self._starts[group]
            self._held = next(self._batches)
        while row >= self._first + self._held.num_rows:
            self._first += self._held.num_rows
            self._held = next(self._batches)
        cells, index = self._held.column(0), row - self._first
        if item is not None:
            cells, index = cells[index].values, item
        value = (cells.field("bytes") if pa.types.is_struct(cells.type) else cells)[index].as_py()
        where = f"{self._path}:{row + 1}"
        if isinstance(value, str):
            return records.from_base64(value, where)
        if not isinstance(value, bytes):
            raise SampleError("image_missing", f"{where} holds no image bytes")
        return value


_LOCK = Lock()


@lru_cache(maxsize=1)  # the shard that is being asked; a second would double the memory
def _cursor(root: DataRoot, path: str, column: str) -> _Cursor:
    return _Cursor(root, path, column)
