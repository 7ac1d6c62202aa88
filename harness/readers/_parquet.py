"""Rows of parquet shards: text columns as a stream, one image at a time, neither ever whole."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from threading import Lock
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from harness.errors import DataError, SampleError
from harness.samples.mounts import MountedPath

_ROWS = 4096
_IMAGES = 16  # images read on from a place in a row group, as samples are asked in order
_BUFFER = 1 << 20


def rows(path: Path, columns: Sequence[str]) -> Iterator[tuple[Any, ...]]:
    """Yield the values of some columns, row by row.

    Raises:
        DataError: no parquet file, or one without a column.
    """
    for batch in _batches(path, columns):
        yield from zip(*(batch.column(name).to_pylist() for name in columns), strict=True)


def content_hash(path: Path, columns: Sequence[str]) -> str:
    """Return the SHA-256 of some columns: what a reader reads of a file that also holds images.

    Raises:
        DataError: as :func:`rows`.
    """
    digest = hashlib.sha256()
    for batch in _batches(path, columns):
        for name in columns:
            texts = "\x1f".join(str(value) for value in batch.column(name).to_pylist())
            digest.update(f"{name}\x1e{texts}\x1d".encode())
    return digest.hexdigest()


def _batches(path: Path, columns: Sequence[str]) -> Iterator[Any]:
    with opened(path) as file:
        names = file.schema_arrow.names
        for name in columns:
            if name not in names:
                raise DataError(
                    f"the column {name!r} is missing; there are {', '.join(names)}", where=path
                )
        try:
            yield from file.iter_batches(batch_size=_ROWS, columns=list(columns))
        except (pa.ArrowException, OSError) as error:
            raise _broken(path, error) from None


def opened(path: Path) -> Any:
    """Return an open parquet file.

    Raises:
        DataError: when it is missing or no parquet file.
    """
    try:
        # Of an archive only Python can read; of the disk, Arrow reads by itself.
        source = path.open("rb") if isinstance(path, MountedPath) else str(path)
        return pq.ParquetFile(source, pre_buffer=False, buffer_size=_BUFFER)
    except (pa.ArrowException, OSError) as error:
        raise _broken(path, error) from None


def _broken(path: Path, error: Exception) -> DataError:
    said = str(error).splitlines()[0].rstrip(".")
    return DataError(f"no parquet file that can be read: {said}", where=path, fix="fetch it again")


@dataclass(frozen=True, slots=True)
class EmbeddedImage:
    """The encoded image in one row: of a column of bytes, or of structs with ``bytes``."""

    path: Path
    row: int
    column: str = "image"

    def __call__(self) -> bytes:
        """Return the bytes.

        Raises:
            SampleError: the shard or the image in it cannot be read.
        """
        with _LOCK:
            try:
                return _cursor(self.path, self.column).read(self.row)
            except DataError as error:
                _cursor.cache_clear()
                raise SampleError("image_unreadable", str(error)) from None
            except (pa.ArrowException, OSError) as error:
                _cursor.cache_clear()
                raise SampleError("image_unreadable", f"{self.path.name}: {error}") from None


class _Cursor:
    """A place in one shard; reading on costs the images read, going back starts the group again."""

    def __init__(self, path: Path, column: str) -> None:
        self._file = opened(path)
        if column not in self._file.schema_arrow.names:
            raise DataError(f"the column {column!r} is missing", where=path)
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

    def read(self, row: int) -> bytes:
        group = bisect_right(self._starts, row) - 1
        if not 0 <= group < len(self._starts) - 1:
            raise SampleError("image_missing", f"there is no row {row}")
        if group != self._group or row < self._first:
            self._batches = self._file.iter_batches(
                batch_size=_IMAGES, row_groups=[group], columns=[self._leaf]
            )
            self._group, self._first = group, self._starts[group]
            self._held = next(self._batches)
        while row >= self._first + self._held.num_rows:
            self._first += self._held.num_rows
            self._held = next(self._batches)
        cells = self._held.column(0)
        value = (cells.field("bytes") if pa.types.is_struct(cells.type) else cells)[
            row - self._first
        ].as_py()
        if not isinstance(value, bytes):
            raise SampleError("image_missing", f"row {row} holds no image bytes")
        return value


_LOCK = Lock()


@lru_cache(maxsize=1)  # the shard that is being asked; a second would double the memory
def _cursor(path: Path, column: str) -> _Cursor:
    return _Cursor(path, column)
