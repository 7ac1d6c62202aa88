"""Parquet files and Arrow files of `datasets` as tables; images in them are read when opened."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from harness.errors import DataError, SampleError, short
from harness.readers import parquet, records
from harness.samples import DataRoot

from harness_own_data.table.rows import COUNT, MAX_ROW, Row, count_of

_ROWS = 4096
_DEEPEST = 4  # fields within one another that a column's name joins
_NOT_PLAIN = (
    pa.types.is_temporal, pa.types.is_decimal, pa.types.is_map, pa.types.is_union,
)  # fmt: skip

_Fields = dict[str, tuple[tuple[str, ...], Any]]
"""Column to the names that lead to it from the top, and its field of the schema."""


class _Columnar:
    """What tables of typed columns have in common."""

    typed = True
    unit = "row"
    notes: Sequence[str] = ()
    seekable = True

    def __init__(self, root: DataRoot, name: str, schema: Any) -> None:
        self.root, self.name, self._schema = root, name, schema
        self._fields: _Fields = {}
        for field in schema:
            _add(self._fields, field, ())
        self.columns: Sequence[str] = list(self._fields)
        for field in schema:
            if _are_image_lists(field.type):
                self._fields[count_of(field.name)] = ((field.name,), field)

    def holds_images(self, column: str) -> bool:
        """Whether a column holds encoded images: bytes, structs with bytes, or lists of those."""
        keys, field = self._fields[column]
        return len(keys) == 1 and (_are_images(field.type) or _are_image_lists(field.type))

    def lists_images(self, column: str) -> bool:
        """Whether each row lists images; the column :func:`count_of` tells how many."""
        return count_of(column) in self._fields

    def problem(self, column: str) -> tuple[str, str] | None:
        """Return why a column is not read and what mends it; ``None`` for one that is read."""
        (top, *_), field = self._fields[column]
        if self._schema.names.count(top) > 1:
            return f"the column {top!r} occurs twice", "rename one of them"
        # An extension that is not registered comes as its storage, and says its name beside it.
        extension = (field.metadata or {}).get(b"ARROW:extension:name", b"").decode()
        if isinstance(field.type, pa.BaseExtensionType) or extension:
            name = extension or short(str(field.type), 80)
            message = f"the column {column!r} is of the extension type {name}; texts, numbers, "
            return f"{message}lists and images are read", "write it as a plain column"
        if any(check(field.type) for check in _NOT_PLAIN):
            return f"the column {column!r} holds {field.type}, not plain data", "write it as text"
        if _is_list(field.type) and _are_images(field.type.value_type):
            if not _are_image_lists(field.type):
                message = f"the column {column!r} holds lists of images without the field path"
                return message, "write lists of {bytes, path}, as the library datasets does"
            if column != count_of(field.name):
                return f"the column {column!r} holds lists of images", "image reads such a column"
        return None

    def image(self, row: int, column: str, item: int | None = None) -> Callable[[], bytes]:
        """Return what fetches the image in a row, or an item of the row's list of images."""
        raise NotImplementedError

    def read(self, names: Sequence[str]) -> Iterator[Row]:
        """Yield every row with the cells of some columns."""
        self._check(names)
        if not names:  # rows are still to be counted
            readable = [one for one in self.columns if not self.problem(one)]
            counted = [one for one in readable if not self.holds_images(one)] or readable
            yield from (Row(row + 1, row, []) for row, _ in enumerate(self._values(counted[:1])))
            return
        classes = {
            index: class_names
            for index, name in enumerate(names)
            if (class_names := self._names(name))
        }
        # NaN is how data frames write an empty cell among numbers.
        floats = [
            index
            for index, name in enumerate(names)
            if pa.types.is_floating(self._fields[name][1].type)
        ]
        texts = [index for index, name in enumerate(names) if _is_text(self._fields[name][1].type)]
        for row, values in enumerate(self._values(names)):
            cells = list(values)
            for position in texts:
                if cells[position] is not None and len(cells[position]) > MAX_ROW:
                    raise DataError(
                        f"a cell of over {MAX_ROW >> 20} MiB in the column {names[position]!r}",
                        where=f"{self.root.where(self.name)}: row {row + 1}",
                        fix="leave the column out of the spec, or shorten the cell",
                    )
            for position, labels in classes.items():
                cells[position] = _class(cells[position], labels)
            for position in floats:
                if cells[position] != cells[position]:
                    cells[position] = None
            yield Row(row + 1, row, cells)

    def _check(self, names: Sequence[str]) -> None:
        for name in names:
            if problem := self.problem(name):
                message, fix = problem
                raise DataError(message, where=self.root.where(self.name), fix=fix)

    def first_without_bytes(self, column: str) -> str:
        """Return the path that a first image names instead of having bytes; empty if it has them.

        The column is one of structs ``{bytes, path}``, as `datasets` writes them. In a column of
        lists, such an image is reported when it is opened.
        """
        if f"{column}.path" not in self._fields:
            return ""
        first = next(iter(self.read([f"{column}.path"])), None)
        path = first.cells[0] if first is not None else None
        try:
            self.image(0, column)()
        except SampleError as error:
            return path if error.kind == "image_missing" and isinstance(path, str) else ""
        return ""

    def _nested(self, batch: Any, names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a batch; a name is that of a column, or of a field within its rows."""
        columns = []
        for name in names:
            top, *keys = self._fields[name][0]
            column = batch.column(top)
            if name == count_of(top):
                column = pc.list_value_length(column)
            columns.append(pc.struct_field(column, keys) if keys else column)
        yield from zip(*(column.to_pylist() for column in columns), strict=True)

    def _names(self, column: str) -> list[str] | None:
        raise NotImplementedError

    def _values(self, names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        raise NotImplementedError


def _add(fields: _Fields, field: Any, above: tuple[str, ...]) -> None:
    """Add a field, and those of the structs in it: `meta.label`; of images their paths."""
    keys = (*above, field.name)
    fields.setdefault(".".join(keys), (keys, field))
    if not pa.types.is_struct(field.type) or len(keys) >= _DEEPEST:
        return
    inside = [field.type.field(index) for index in range(field.type.num_fields)]
    for inner in inside:
        if not _are_images(inner.type) and (inner.name == "path" or not _are_images(field.type)):
            _add(fields, inner, keys)


def _are_image_lists(kind: Any) -> bool:
    """Whether a type is that of lists of ``{bytes, path}``; paths are counted, not the bytes."""
    inner = kind.value_type if _is_list(kind) else None
    return inner is not None and _are_images(inner) and _is_struct_with(inner, "path")


def _is_struct_with(kind: Any, name: str) -> bool:
    return bool(pa.types.is_struct(kind) and kind.get_field_index(name) >= 0)


def _are_images(kind: Any) -> bool:
    is_binary = pa.types.is_binary(kind) or pa.types.is_large_binary(kind)
    return bool(is_binary or _is_struct_with(kind, "bytes"))


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def _is_list(kind: Any) -> bool:
    lists = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    return any(check(kind) for check in lists)


def _class(value: Any, names: Sequence[str]) -> Any:
    if value is None or not isinstance(value, int):
        return value
    return names[value] if 0 <= value < len(names) else value


def _are_inside(names: Sequence[str]) -> bool:
    """Whether any column is made of fields within one of the file."""
    return any("." in name or name.startswith(COUNT) for name in names)


class Parquet(_Columnar):
    """One Parquet file."""

    def __init__(self, root: DataRoot, name: str) -> None:
        with parquet.opened(root, name) as file:
            super().__init__(root, name, file.schema_arrow)

    def image(self, row: int, column: str, item: int | None = None) -> Callable[[], bytes]:
        """Return what fetches the image in a row, or an item of the row's list of images."""
        return parquet.EmbeddedImage(self.root, self.name, row, column, item)

    def content_hash(self, columns: Sequence[str]) -> str:
        """Return the hash of some columns: the labels, but not the images beside them."""
        self._check(columns)
        if not _are_inside(columns):
            return parquet.content_hash(self.root, self.name, columns)
        digest = hashlib.sha256()
        for values in self._values(columns):
            digest.update(json.dumps(values, default=str).encode())
        return digest.hexdigest()

    def _names(self, column: str) -> list[str] | None:
        return parquet.class_names(self.root, self.name, column)

    def _values(self, names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        if not _are_inside(names):
            yield from parquet.rows(self.root, self.name, names)
            return
        with parquet.opened(self.root, self.name) as file:
            leaves = [file.schema.column(place).path for place in range(len(file.schema.names))]
            paths = []
            for name in names:
                if name.startswith(COUNT):  # of the images only their paths are decoded
                    top = f"{self._fields[name][0][0]}."
                    ends = [leaf for leaf in leaves if leaf.startswith(top)]
                    paths += [leaf for leaf in ends if leaf.endswith(".path")]
                else:
                    paths.append(".".join(self._fields[name][0]))
            try:
                for batch in file.iter_batches(batch_size=_ROWS, columns=paths):
                    yield from self._nested(batch, names)
            except (pa.ArrowException, OSError) as error:
                raise DataError(
                    f"no parquet file that can be read: {short(str(error), 200)}",
                    where=self.root.where(self.name), fix="fetch it again",
                ) from None  # fmt: skip


class Arrow(_Columnar):
    """One Arrow file of a folder that ``Dataset.save_to_disk`` wrote (an IPC stream)."""

    def __init__(self, root: DataRoot, name: str) -> None:
        super().__init__(root, name, _arrow(root, name).schema)

    def image(self, row: int, column: str, item: int | None = None) -> Callable[[], bytes]:
        """Return what fetches the image in a row, or an item of the row's list of images."""
        return ArrowImage(self.root, self.name, row, column, item)

    def content_hash(self, columns: Sequence[str]) -> str:
        """Return the hash of the whole file."""
        del columns
        return self.root.sha256(self.name)

    def _names(self, column: str) -> list[str] | None:
        metadata: Mapping[bytes, bytes] = self._schema.metadata or {}
        try:
            class_names = json.loads(metadata[b"huggingface"])["info"]["features"][column]["names"]
        except (ValueError, KeyError, TypeError, RecursionError):
            return None
        return class_names if isinstance(class_names, list) else None

    def _values(self, names: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        tops = list(dict.fromkeys(self._fields[name][0][0] for name in names))
        for batch in _arrow(self.root, self.name).select(tops).to_batches(max_chunksize=_ROWS):
            yield from self._nested(batch, names)


@dataclass(frozen=True, slots=True)
class ArrowImage:
    """The encoded image in one row of an Arrow file, or an item of the row's list of images."""

    root: DataRoot
    name: str
    row: int
    column: str
    item: int | None = None

    def __call__(self) -> bytes:
        """Return the bytes.

        Raises:
            SampleError: the file or the image in it cannot be read.
        """
        try:
            cell = _arrow(self.root, self.name).column(self.column)[self.row]
            value = (cell if self.item is None else cell.values[self.item]).as_py()
        except (DataError, pa.ArrowException, IndexError) as error:
            raise SampleError("image_unreadable", short(str(error), 200)) from None
        if isinstance(value, dict):
            value = value.get("bytes")
        where = f"{self.name}:{self.row + 1}"
        if isinstance(value, str):
            return records.from_base64(value, where)
        if not isinstance(value, bytes):
            raise SampleError("image_missing", f"{where} holds no image bytes")
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
            f"no Arrow file that can be read: {short(str(error), 200)}",
            where=root.where(name), fix="fetch it again, or write it again",
        ) from None  # fmt: skip
