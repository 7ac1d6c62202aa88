"""MMBench: one TSV file a split with base64 images, and a row for each round of the options.

Layout as open-compass/VLMEvalKit (commit e8e78f05) reads it: round ``i`` of question ``q`` has the
index ``q + i * 1000000``; an image cell of at most 64 characters is the index of the row that
holds the image; older files repeat the image in every round. Shards are read as the copy
lmms-lab/MMBench on the Hugging Face hub has them, an image in every row.
"""

from __future__ import annotations

import csv
import re
import unicodedata
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, BinaryIO

import numpy as np
from harness.descriptors import Json
from harness.errors import DataError, SampleError, quoted
from harness.readers import records
from harness.readers.shards import (
    SUFFIX,
    Copies,
    content_hash,
    last_part,
    need_pyarrow,
    renamed,
)
from harness.samples import DataRoot, Group, ImageRef, Sample
from harness.samples.images import MAX_BYTES

SPLITS = ("dev", "test")
OPTIONS = ("A", "B", "C", "D", "E")
"""Columns of options: the release has four; files of its layout with a fifth are in use."""

_NEEDED = ("index", "question", "image", "A", "B")
_SLICES = {"l2-category": "l2_category", "category": "category"}
_OTHERS = ("hint", *OPTIONS[2:], "answer", "category", "L2-category", "l2-category")
_AN_OPTION = re.compile(
    r"\s*(?:(?!(?i:options|choices))(?i:option|choice|opt|选项)[\s_.-]*[(\[]?([A-Za-z])"
    r"|[(\[]?([A-Za-e])(?:[\s_.-]*(?i:option|choice|选项))?)[.):\]]?\s*"
)
_A_ROUND = 1_000_000
_POINTER = 64
_CELL = MAX_BYTES * 4 // 3  # the largest image allowed, as base64


class MmBench:
    """Reader of MMBench. The target is a letter; the test split has none.

    Cells that are empty or say "nan" are absent. Fields: ``question``, ``hint``, ``A`` to ``E``
    (empty when absent), ``round`` (from 0) and ``rounds`` (rows of the question in the file).

    Args:
        options: ``language`` (``en`` or ``cn``), ``edition`` (``1.0`` or ``1.1``; copies in parquet
            are of 1.0), ``columns`` (of such a copy, see :func:`renamed`), ``unit`` (``question``).
    """

    def __init__(self, options: Mapping[str, Json]) -> None:
        language = records.choice(options, "language", ("en", "cn")).upper()
        later = records.choice(options, "edition", ("1.0", "1.1")) == "1.1"
        records.choice(options, "unit", ("question",))
        self._end = f"{language}{'_V11' if later else ''}.tsv"
        names = dict.fromkeys(SPLITS, ()) if later else {"dev": ("dev", "validation")}
        self._copies = Copies(names, (language.lower(),), renamed(options))

    def annotations(self, root: DataRoot, split: str) -> Sequence[str]:
        """Return the split's one file; without it the shards of a copy, should they be there."""
        name = f"MMBench_{records.known_split(split, SPLITS).upper()}_{self._end}"
        return [name] if root.is_file(name) else self._copies.shards(root, split) or [name]

    def hub_patterns(self, split: str) -> Sequence[str]:
        """Return what a split needs of a dataset on the hub."""
        return self._copies.patterns(records.known_split(split, SPLITS))

    def content_hash(self, root: DataRoot, name: str) -> str:
        """Return the hash of what is read; of a copy, but the images."""
        needed, others = (map(self._copies.column, names) for names in (_NEEDED, _OTHERS))
        image = self._copies.column("image")
        return content_hash(root, name, [one for one in needed if one != image], [*others])

    def samples(self, root: DataRoot, split: str) -> Iterator[Sample]:
        """Yield rows, those of one image together and in them those of one question.

        The file is read once for an index, some 300 bytes per row, and rows are read again
        as they are yielded; an image is decoded when it is opened.

        Raises:
            DataError: two rows with one index, or an answer that is not among the options, beside
                what every reader raises. A broken image is a fault of its samples only.
        """
        paths = self.annotations(root, split)
        if paths[0].endswith(SUFFIX):
            yield from self._embedded(root, paths)
            return
        (path,) = paths
        columns, index = _index(root, path)
        rows = _Rows(root, path, columns)
        with rows.open() as file:
            for position in index.order.tolist():
                yield _sample(rows, file, index, position)

    def _embedded(self, root: DataRoot, paths: Sequence[str]) -> Iterator[Sample]:
        """Yield the rows of shards, those of one question together; its image is its first."""
        need_pyarrow(paths[0])
        from harness.readers import parquet

        usual = {name: self._copies.column(name) for name in (*_NEEDED, *_OTHERS)}
        column = usual.pop("image")
        parquet.need_images(root, paths, column)
        _refuse_options(parquet.columns(root, paths[0]), root.where(paths[0]))
        present = {name: own for name, own in usual.items()
                 if name in _NEEDED or parquet.has(root, paths[0], own)}  # fmt: skip
        names = [name if name in OPTIONS else name.lower() for name in present]
        numbers, rounds = array("q"), dict[int, int]()
        places: set[int] = set()
        for path, row, cell in parquet.whole(root, paths, present["index"]):
            where = f"{root.where(path)}: row {row}"
            number = _number(cell, where)
            if number in places:
                raise DataError(f"the index {number} occurs twice", where=where)
            places.add(number)
            numbers.append(number)
            rounds[number % _A_ROUND] = rounds.get(number % _A_ROUND, 0) + 1
        order = _order(numbers, array("q", [-1]) * len(numbers))
        last, image = -1, ImageRef("")
        for path, row, values in parquet.ordered(root, paths, order, list(present.values())):
            cells = dict(zip(names, values, strict=True))
            where = f"{root.where(path)}: row {row}"
            number = _number(cells["index"], where)
            if number % _A_ROUND != last:
                last = number % _A_ROUND
                name = f"{path}#{last}"
                image = ImageRef(name, load=parquet.EmbeddedImage(root, path, row, column))
            yield _of_cells(cells, number, image, rounds[last], where)


@dataclass(frozen=True, slots=True)
class _Index:
    """Where rows stand.

    Attributes:
        starts: First byte of each row.
        numbers: Each row's index.
        holders: Place of the row that holds each row's image; -1 where there is none.
        rounds: Question to its number of rows.
        order: Places in the order they are yielded.
    """

    starts: array[int]
    numbers: array[int]
    holders: array[int]
    rounds: Mapping[int, int]
    order: np.ndarray[tuple[int], np.dtype[np.intp]]


@dataclass(frozen=True, slots=True)
class _Rows:
    """Reads rows of a file by their first byte."""

    root: DataRoot
    name: str
    columns: Sequence[str]

    def open(self) -> BinaryIO:
        return self.root.open(self.name)

    def at(self, file: BinaryIO, start: int) -> dict[str, str]:
        try:
            file.seek(start)
            _, cells = next(_records_of(file, self.root.where(self.name), start))
            return dict(zip(self.columns, cells, strict=True))
        except (OSError, StopIteration, ValueError):  # it is no longer what was walked through
            raise DataError("changed while it was read", where=self.root.where(self.name)) from None


@dataclass(frozen=True, slots=True)
class _Picture:
    """Fetches the image that a row holds: ``ImageRef.load``."""

    rows: _Rows
    start: int
    row: int

    def __call__(self) -> bytes:
        if self.start < 0:
            raise SampleError("image_missing", f"row {self.row}: no row holds its image")
        try:
            with self.rows.open() as file:
                cell = self.rows.at(file, self.start)["image"]
        except DataError as error:
            raise SampleError("image_unreadable", str(error)) from None
        return records.from_base64(cell, f"row {self.row}")


def _sample(rows: _Rows, file: BinaryIO, index: _Index, position: int) -> Sample:
    row = rows.at(file, index.starts[position])
    number, holder = index.numbers[position], index.holders[position]
    start = index.starts[holder] if holder >= 0 else -1
    home = index.numbers[holder] if holder >= 0 else number
    image = ImageRef(f"{last_part(rows.name)}#{home}", load=_Picture(rows, start, home))
    where = f"{rows.root.where(rows.name)}: row {number}"
    return _of_cells(row, number, image, index.rounds[number % _A_ROUND], where)


def _of_cells(
    row: Mapping[str, Any], number: int, image: ImageRef, rounds: int, where: str
) -> Sample:
    cells = {name: _there(row.get(name, "")) for name in OPTIONS}
    answer = _there(row.get("answer", ""))
    if answer and not cells.get(answer):
        offered = ", ".join(name for name, text in cells.items() if text)
        raise DataError(
            f"the answer {quoted(answer)} is not among the options {offered}", where=where
        )
    return Sample(
        id=str(number),
        images=(image,),
        target=answer or None,
        cluster=str(number % _A_ROUND),
        fields={
            "question": records.as_text(row["question"], "question", where),
            "hint": _there(row.get("hint", "")),
            **cells,
            "round": number // _A_ROUND,
            "rounds": rounds,
        },
        groups={
            name: Group(value)
            for column, name in _SLICES.items()
            if (value := _there(row.get(column, "")))
        },
    )


def _there(cell: Any) -> str:
    """Return a cell's text; an empty one for what means absent."""
    text = "" if cell is None else str(cell).strip()
    return "" if text == "nan" else text


def _number(cell: Any, where: str) -> int:
    """Return a row's index; tables that were once read with gaps have it as "7.0".

    Raises:
        DataError: no whole number of at least 0.
    """
    text = cell.removesuffix(".0") if isinstance(cell, str) else cell
    number = records.as_whole(text, "index", where)
    if number < 0:
        raise DataError(f"the index {quoted(number)} is below 0", where=where)
    return number


def _index(root: DataRoot, name: str) -> tuple[list[str], _Index]:
    """Walk through a file once; return its columns and where its rows stand."""
    starts, numbers, holders = array("q"), array("q"), array("q")
    places: dict[int, int] = {}
    pictures: dict[bytes, int] = {}
    pointers: dict[int, str] = {}
    rounds: dict[int, int] = {}
    columns: list[str] = []
    path = root.where(name)
    with root.open(name) as file:
        for start, cells in _records_of(file, path, 0):
            if not columns:
                columns = _columns(cells, path)
                continue
            where = f"{path}: row {len(starts) + 1}"
            if len(cells) != len(columns):
                raise DataError(
                    f"{len(cells)} cells, the header has {len(columns)}: the file is cut short or "
                    "of another layout", where=where,
                )  # fmt: skip
            row = dict(zip(columns, cells, strict=True))
            number = _number(row["index"], where)
            if number in places:
                raise DataError(f"the index {number} occurs twice", where=where)
            position = places[number] = len(starts)
            starts.append(start)
            numbers.append(number)
            rounds[number % _A_ROUND] = rounds.get(number % _A_ROUND, 0) + 1
            cell = row["image"]
            if len(cell) > _POINTER:
                digest = blake2b(cell.encode(), digest_size=16).digest()
                holders.append(pictures.setdefault(digest, position))
            else:
                pointers[position] = cell.strip()
                holders.append(-1)
    if not starts:
        raise DataError("the file holds no row", where=path)
    for position, cell in pointers.items():
        target = places.get(int(cell), -1) if cell.isascii() and cell.isdigit() else -1
        if target not in pointers:
            holders[position] = holders[target] if target >= 0 else -1
    return columns, _Index(starts, numbers, holders, rounds, _order(numbers, holders))


def _order(numbers: array[int], holders: array[int]) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Return places by image, then by question, then by round; images as first named.

    A question stands with the image of its first row.
    """
    index = np.frombuffer(numbers, dtype=np.int64)
    holder = np.frombuffer(holders, dtype=np.int64)
    _, first, question = np.unique(index % _A_ROUND, return_index=True, return_inverse=True)
    picture = np.where(holder < 0, np.arange(len(holder)), holder)[first]
    return np.lexsort((index // _A_ROUND, first[question], picture[question]))


def _columns(cells: Sequence[str], path: str) -> list[str]:
    """Return column names in lower case, but for single capital letters."""
    names = [name if name in OPTIONS else name.strip().lower() for name in cells]
    _refuse_options(cells, path)
    for name in _NEEDED:
        if name not in names:
            raise records.missing_column(name, names, path)
    for name in names:
        if names.count(name) > 1:
            raise DataError(f"the column {quoted(name)} occurs twice", where=path)
    return names


def _refuse_options(columns: Sequence[str], where: str) -> None:
    """Refuse a column that is an option and would not be read: another letter, "e", "option E"."""
    for column in columns:
        option = _AN_OPTION.fullmatch(unicodedata.normalize("NFKC", column))
        if option and column not in OPTIONS:
            name = (option[1] or option[2]).upper()
            raise DataError(
                f"the column {quoted(column)} would be an option; options from A to {OPTIONS[-1]} "
                "are read, each a capital letter alone",
                where=where,
                fix=f"call it {name!r} in the header" if name in OPTIONS else "",
            )


def _records_of(file: BinaryIO, path: str, start: int) -> Iterator[tuple[int, list[str]]]:
    """Yield first byte and cells of each record from where the file stands; blank lines left out.

    A quoted cell may hold line ends, so a record is found by the csv module, not by lines.
    """
    csv.field_size_limit(max(csv.field_size_limit(), _CELL))
    offset = start

    def lines() -> Iterator[str]:
        nonlocal offset
        for data in file:
            encoding = "utf-8-sig" if offset == 0 else "utf-8"
            offset += len(data)
            yield data.decode(encoding)

    reader = csv.reader(lines(), delimiter="\t")
    while True:
        begin = offset
        try:
            cells = next(reader)
        except StopIteration:
            return
        except UnicodeDecodeError as error:
            raise DataError(f"not UTF-8: {error.reason}", where=f"{path}: byte {offset}") from None
        except (csv.Error, OSError) as error:
            raise DataError(f"not a TSV: {error}", where=f"{path}: byte {begin}") from None
        if cells:
            yield begin, cells
