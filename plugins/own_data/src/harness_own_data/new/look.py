"""Look at the user's data: which table it is, what its columns hold, what they may be for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from harness.errors import DataError, UserError
from harness.jsonfiles import refuse_missing
from harness.samples import DataRoot
from harness.samples.archives import stem
from harness.samples.roots import data_root

from harness_own_data.new.sources import SPLITS, in_order, source
from harness_own_data.table.files import FORMATS, TableFiles, is_image
from harness_own_data.table.folders import ImageFolder, UnlabelledImageError
from harness_own_data.table.images import inside, listed, looks_like_base64
from harness_own_data.table.rows import MissingKey, count_of, text_of

ROWS = 200_000  # rows that are looked at
_CHECKED = 20  # cells of a column that are tried as images
_TRIED = 5  # of them that may be missing images before a column is none of images
_LONGEST = 1000  # characters of a path
_FOLDERS = 50  # folders that are tried as those of images
_FEW = 100  # values of a column at most that may be labels
_IDS = ("id", "name", "index", "image_id", "sample_id", "uid", "key")
_TARGETS = (
    "label", "target", "answer", "class", "gt", "ground_truth", "category", "emotion",
    "expression", "y",
)  # fmt: skip
CLUSTERS = ("subject", "subject_id", "person", "person_id", "identity", "participant")
_GROUPS = ("gender", "sex", "race", "ethnicity", "age", "age_group", "skin_tone", "nationality")
_IMAGES = ("image", "path", "file", "filename", "file_name", "img", "image_path", "filepath")
_QUESTIONS = ("question", "prompt", "query", "text")


@dataclass(slots=True)
class Column:
    """What a column holds.

    Attributes:
        counts: Distinct values as text and how many rows have each, the most frequent first,
            without the empty one; none where they are too many.
        distinct: Number of them, of :attr:`rows` looked at.
        empty: Number of rows whose cell is empty.
        image: The option ``image`` that reads it: its name, or a pattern; empty for no image.
        missing: An image that it names and that is not there; empty if it names none.
        lists: Whether its cells are lists.
        again: The first value that a second row has; empty where each has its own.
        numbers: Whether its cells are numbers, not texts that show them.
    """

    name: str
    rows: int
    distinct: int
    counts: dict[str, int]
    empty: int = 0
    image: str = ""
    missing: str = ""
    lists: bool = False
    again: str = ""
    numbers: bool = False

    @property
    def values(self) -> list[str]:
        """The distinct values, the most frequent first."""
        return list(self.counts)


@dataclass(slots=True)
class Look:
    """The data of a task that is to be.

    Attributes:
        root: The data folder or archive.
        place: Its path.
        file: The option ``file``; a table or a folder of images; empty for a copy of a dataset.
        splits: Split to file, where there are several.
        split_column: The column that says the split.
        typed: Whether cells have types; in a CSV an empty one is a text.
        unread: Columns that cannot be read, each with the reason.
    """

    root: DataRoot
    place: Path
    file: str
    columns: dict[str, Column]
    rows: int
    is_folder: bool
    splits: dict[str, str] = field(default_factory=dict)
    split_column: str = ""
    typed: bool = False
    unread: dict[str, str] = field(default_factory=dict)

    def first(self, names: Sequence[str]) -> str:
        """Return the first of some names that is a column, whatever its case and what it is in."""
        by_lower = {name.rpartition(".")[2].lower(): name for name in reversed(self.columns)}
        by_lower |= {name.lower(): name for name in self.columns}
        return next((by_lower[name] for name in names if name in by_lower), "")

    def id(self) -> str:
        """Return the column that names rows: each value once."""
        unique = (name for name in self._ids() if not self.columns[name].again)
        return next((name for name in unique if not self.columns[name].empty), "")

    def unfit_id(self) -> str:
        """Return the column that has the name of one of ids and cannot be it, if no other is."""
        return "" if self.id() else next(self._ids(), "")

    def _ids(self) -> Iterator[str]:
        return filter(None, (self.first([name]) for name in _IDS))

    def images(self) -> list[str]:
        """Return what the option ``image`` should list: a usual column, or all that name images."""
        for name in filter(None, (self.first([name]) for name in _IMAGES)):
            if self.columns[name].image:
                return [self.columns[name].image]
        paths, patterns = self.all_images()
        return paths or patterns[:1]

    def all_images(self) -> tuple[list[str], list[str]]:
        """Return the columns that hold or name images, and patterns that make names of others."""
        images = [column.image for column in self.columns.values() if column.image]
        return (
            [image for image in images if image in self.columns],
            [image for image in images if image not in self.columns],
        )

    def unread_image(self) -> str:
        """Return a column that cannot be read and whose name is that of images, or nothing."""
        usual = {*_IMAGES, *(f"{name}s" for name in _IMAGES)}
        return next((name for name in self.unread if name.lower() in usual), "")

    def missing(self) -> Column | None:
        """Return a column that names images which are not there, if no column names any."""
        columns = [column for column in self.columns.values() if column.missing]
        return columns[0] if columns and not self.images() else None

    def target(self) -> str:
        """Return the column that may be the right answer."""
        return self.first(_TARGETS)

    def targets(self) -> list[str]:
        """Return every column that may be the right answer of a choice."""
        names = filter(None, (self.first([name]) for name in _TARGETS))
        return [name for name in names if 2 <= self.columns[name].distinct <= _FEW]

    def cluster(self) -> str:
        """Return the column of subjects, if each row has one."""
        name = self.first(CLUSTERS)
        return name if name and not self.columns[name].empty else ""

    def groups(self) -> list[str]:
        """Return columns that may be groups of people."""
        names = filter(None, (self.first([name]) for name in _GROUPS))
        return [name for name in names if 2 <= self.columns[name].distinct <= _FEW]

    def question(self) -> str:
        """Return the column of questions, by whose name a prompt can call it."""
        name = self.first(_QUESTIONS)
        return "" if "." in name else name

    def options(self) -> list[str]:
        """Return the columns of options, A, B, ...; none where there are not two."""
        letters = [sign for sign in "ABCDEFGH" if sign in self.columns]
        return letters if letters[:2] == ["A", "B"] else []


def look(path: Path) -> Look:
    """Look at a table, a folder with one, a folder of images, or an archive of either.

    Raises:
        UserError: not there, or nothing in it that could be a table.
    """
    refuse_missing(path)
    if path.is_file() and not stem(path.name):
        if path.suffix.lower() not in FORMATS:
            raise UserError("is neither a table nor a folder of images", where=path,
                            fix=f"tables: {', '.join(FORMATS)}")  # fmt: skip
        folder, file = path.parent, path.name
    else:
        folder, file = path, ""
    root = data_root(folder)
    rows = source(root, file)
    files = TableFiles(rows.file or None, "auto", "", "", by_column=True)
    tables = [files.open(root, name) for name in rows.tables]
    is_folder = isinstance(tables[0], ImageFolder)
    result = Look(root, folder, rows.file, {}, 0, is_folder, rows.splits, typed=tables[0].typed)
    _columns(result, tables)
    if not result.rows and is_folder:
        raise UserError(
            "its images have no label: none lies in a folder that is called by one", where=folder,
            fix="label/image.jpg for each image, or a table beside them that names image and label",
        )  # fmt: skip
    if not result.rows:
        raise UserError("there is no row in it", where=root.where(rows.tables[0]))
    _split_column(result)
    return result


def _columns(result: Look, tables: Sequence[Any]) -> None:
    names = ["path", "label"] if result.is_folder else list(tables[0].columns)
    image = next((name for name in names if is_image(name) and result.root.is_file(name)), "")
    if image:
        raise UserError(f"the first line is a row and no header: it names the image {image!r}",
                        where=f"{result.root.where(tables[0].name)}:1",
                        fix="write a line with the columns' names above it")  # fmt: skip
    for name in names:
        if hasattr(tables[0], "problem"):
            planned = count_of(name) if tables[0].lists_images(name) else name
            if problem := tables[0].problem(planned):
                result.unread[name] = problem[0]
    names = [name for name in names if name and name not in result.unread]
    image_columns = [name for name in names if _holds_images(tables[0], name)]
    seen = {name: _Seen() for name in names if name not in image_columns}
    try:
        for row in islice(_rows(tables, list(seen)), ROWS):
            result.rows += 1
            for cells, cell in zip(seen.values(), row.cells, strict=True):
                cells.add(cell)
    except DataError as error:
        if not isinstance(error, UnlabelledImageError):
            raise
        names.remove("label")
    for name in names:
        if name in image_columns:
            path = tables[0].first_without_bytes(name)
            image = "" if path else name
            result.columns[name] = Column(name, result.rows, result.rows, {}, 0, image, path)
        elif not any(isinstance(cell, dict) for cell in seen[name].first):  # its keys are columns
            result.columns[name] = seen[name].column(name, result.rows)
            _find_images(result.root, result.columns[name], seen[name].first, tables[0].name)


def _rows(tables: Sequence[Any], names: Sequence[str]) -> Iterator[Any]:
    for table in tables:
        for name in names:
            if name not in table.columns:
                raise DataError(f"there is no column {name!r}", where=table.root.where(table.name),
                                fix="all tables of a split have the same columns")  # fmt: skip
        yield from table.read(names)


def _holds_images(table: Any, name: str) -> bool:
    return hasattr(table, "holds_images") and bool(table.holds_images(name))


class _Seen:
    """The cells of a column so far."""

    def __init__(self) -> None:
        self.first: list[Any] = []
        self._hashes: set[int] = set()
        self._counts: dict[str, int] | None = {}
        self._empty = 0
        self._again = ""

    def add(self, cell: Any) -> None:
        """Count a cell."""
        if len(self.first) < _CHECKED:
            self.first.append(cell)
        text = "" if isinstance(cell, MissingKey) else text_of(cell)
        if text is None:
            text = str(cell)
        if text and not self._again and hash(text) in self._hashes:
            self._again = text
        self._hashes.add(hash(text))
        if not text:
            self._empty += 1
        elif self._counts is not None:
            self._counts[text] = self._counts.get(text, 0) + 1
            if len(self._counts) > _FEW:
                self._counts = None

    def column(self, name: str, rows: int) -> Column:
        """Return what the column holds."""
        counts = self._counts or {}
        ordered = dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
        lists = any(isinstance(cell, list) for cell in self.first)
        numbers = any(isinstance(cell, int | float) for cell in self.first)
        return Column(
            name, rows, len(self._hashes), ordered, self._empty, lists=lists, again=self._again,
            numbers=numbers,
        )  # fmt: skip


def _find_images(root: DataRoot, column: Column, cells: Sequence[Any], table: str) -> None:
    """Find out how a column names images: by itself, within a folder, or without its ending."""
    lists = [listed(cell) if isinstance(cell, str) else cell for cell in cells]
    firsts = [cell[0] if isinstance(cell, list) and cell else cell for cell in lists]
    texts = [cell for cell in firsts if isinstance(cell, str) and len(cell) > 0]
    for text in texts[:_TRIED]:
        column.image = _as_image(root, column, text, table.rpartition("/")[0])
        if column.image:
            return
    usual = column.name.lower() in _IMAGES
    column.missing = next((text for text in texts if usual or is_image(text.strip())), "")


def _as_image(root: DataRoot, column: Column, text: str, beside: str) -> str:
    """Return the option ``image`` by which a cell names an image that is there, or nothing."""
    if looks_like_base64(text):
        return column.name
    try:
        path = inside(text, "", root) if len(text) <= _LONGEST else ""
    except DataError:
        return ""
    if is_image(path) and root.is_file(path):
        return column.name
    named = is_image(path) or column.name.lower() in {*_IMAGES, *_IDS}  # a label 1 is no 1.jpg
    if column.lists or not named or path != text:
        return ""
    folders = [folder for folder in root.list() if root.is_dir(folder)][:_FOLDERS]
    for folder in dict.fromkeys(["", beside, *folders]):
        for ending in ("", ".jpg", ".png", ".jpeg", ".webp"):
            file = f"{folder}/{path}{ending}" if folder else f"{path}{ending}"
            if is_image(file) and root.is_file(file):
                return f"{folder}/{{{column.name}}}{ending}".lstrip("/")
    return ""


def _split_column(result: Look) -> None:
    """Find the column that says each row's split."""
    for name in ("split", "subset", "partition", "set", "fold"):
        column = result.first([name])
        if column and not result.splits and set(result.columns[column].values) & set(SPLITS):
            result.split_column = column
            result.splits = dict.fromkeys(in_order(result.columns[column].values), "")
            return
