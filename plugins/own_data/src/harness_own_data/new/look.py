"""Look at the user's data: which table it is, what its columns hold, what they may be for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from harness.errors import DataError, UserError
from harness.samples import DataRoot
from harness.samples.archives import stem
from harness.samples.roots import data_root

from harness_own_data.table.files import FORMATS, TableFiles, is_image
from harness_own_data.table.folders import ImageFolder
from harness_own_data.table.images import looks_like_base64

_ROWS = 200_000  # rows that are looked at
_CHECKED = 20  # cells of a column that are tried as images
_FEW = 100  # values of a column at most that may be labels
SPLITS = ("test", "val", "validation", "dev", "train")
"""Usual names of splits, the one that is asked first."""
_IDS = ("id", "name", "index", "image_id", "sample_id", "uid", "key")
_TARGETS = (
    "label", "target", "answer", "class", "gt", "ground_truth", "category", "emotion",
    "expression", "y",
)  # fmt: skip
_CLUSTERS = ("subject", "subject_id", "person", "person_id", "identity", "participant")
_GROUPS = ("gender", "sex", "race", "ethnicity", "age", "age_group", "skin_tone", "nationality")
_IMAGES = ("image", "path", "file", "filename", "file_name", "img", "image_path", "filepath")
_QUESTIONS = ("question", "prompt", "query", "text")


@dataclass(slots=True)
class Column:
    """What a column holds.

    Attributes:
        values: Distinct values as text, the most frequent first; none where they are too many.
        distinct: Number of them, of :attr:`rows` looked at.
        image: The option ``image`` that reads it: its name, or a pattern; empty for no image.
    """

    name: str
    rows: int
    distinct: int
    values: list[str]
    image: str = ""


@dataclass(slots=True)
class Look:
    """The data of a task that is to be.

    Attributes:
        root: The data folder or archive.
        place: Its path.
        file: The option ``file``; a table or a folder of images.
        splits: Split to file, where there are several.
        split_column: The column that says the split.
    """

    root: DataRoot
    place: Path
    file: str
    columns: dict[str, Column]
    rows: int
    is_folder: bool
    splits: dict[str, str] = field(default_factory=dict)
    split_column: str = ""

    def first(self, names: Sequence[str]) -> str:
        """Return the first of some names that is a column, whatever its case and what it is in."""
        by_lower = {name.rpartition(".")[2].lower(): name for name in reversed(self.columns)}
        by_lower |= {name.lower(): name for name in self.columns}
        return next((by_lower[name] for name in names if name in by_lower), "")

    def id(self) -> str:
        """Return the column that names rows: each value once."""
        name = self.first(_IDS)
        column = self.columns.get(name)
        return name if column is not None and column.distinct == column.rows else ""

    def image(self) -> str:
        """Return what the option ``image`` should say; empty without images."""
        usual = self.first(_IMAGES)
        if usual and self.columns[usual].image:
            return self.columns[usual].image
        return next((column.image for column in self.columns.values() if column.image), "")

    def target(self) -> str:
        """Return the column that may be the right answer."""
        return self.first(_TARGETS)

    def cluster(self) -> str:
        """Return the column of subjects."""
        return self.first(_CLUSTERS)

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
    if not path.exists():
        raise UserError("no such file or folder", where=path)
    if path.is_file() and not stem(path.name):
        folder, file = path.parent, path.name
    else:
        folder, file = path, ""
    root = data_root(folder)
    file = file or _table(root)
    files = TableFiles(file, "auto", "", "", by_column=True)
    table = files.open(root, file)
    result = Look(root, folder, file, {}, 0, isinstance(table, ImageFolder))
    _columns(result, table)
    _splits(result)
    return result


def _table(root: DataRoot) -> str:
    """Return the table of a folder: that of a usual name among several, or its images."""
    names = [name for name in root.list() if root.is_file(name)]
    tables = [name for name in names if _ending(name) in FORMATS and _ending(name) != ".txt"]
    every = [] if tables else list(root.walk())
    tables = tables or [name for name in every if name.endswith((".parquet", ".arrow"))]
    for split in SPLITS:
        for name in tables:
            if split in name.rpartition("/")[2].partition(".")[0].replace("-", "_").split("_"):
                return name
    if len(tables) == 1:
        return tables[0]
    if tables:
        raise UserError(
            f"there are several tables: {', '.join(tables[:10])}", where=root,
            fix=f"name one: harness new task {root}/{tables[0]}",
        )  # fmt: skip
    if any(map(is_image, every)):
        return "."
    raise UserError("neither a table nor an image in this folder", where=root,
                    fix="tables: .csv, .tsv, .json, .jsonl, .parquet")  # fmt: skip


def _ending(name: str) -> str:
    return f".{name.rpartition('.')[2].lower()}" if "." in name else ""


def _columns(result: Look, table: Any) -> None:
    names = list(table.columns)
    if result.is_folder:
        names = ["path", "label"]
    image_columns = [name for name in names if _holds_images(table, name)]
    plain = [name for name in names if name not in image_columns]
    counts: dict[str, dict[str, int] | None] = {name: {} for name in plain}
    firsts: dict[str, list[Any]] = {name: [] for name in plain}
    seen: dict[str, set[int]] = {name: set() for name in plain}
    try:
        for row in islice(table.read(plain), _ROWS):
            result.rows += 1
            for name, cell in zip(plain, row.cells, strict=True):
                _count(cell, counts, seen[name], name)
                if len(firsts[name]) < _CHECKED:
                    firsts[name].append(cell)
    except DataError as error:
        if not result.is_folder or "no label's folder" not in error.message:
            raise
        counts["label"] = None
    for name in names:
        if name in image_columns:
            result.columns[name] = Column(name, result.rows, result.rows, [], image=name)
            continue
        values = counts[name]
        ordered = sorted(values, key=lambda value: (-values[value], value)) if values else []
        if any(isinstance(cell, dict) for cell in firsts[name]):
            continue  # its keys are columns
        column = Column(name, result.rows, len(seen[name]), ordered)
        column.image = _as_image(result.root, name, firsts[name])
        if not (result.is_folder and name == "label" and values is None):
            result.columns[name] = column


def _holds_images(table: Any, name: str) -> bool:
    return hasattr(table, "holds_images") and bool(table.holds_images(name))


def _count(cell: Any, counts: dict[str, dict[str, int] | None], seen: set[int], name: str) -> None:
    text = cell if isinstance(cell, str) else str(cell)
    seen.add(hash(text))
    values = counts[name]
    if values is not None:
        values[text] = values.get(text, 0) + 1
        if len(values) > _FEW:
            counts[name] = None


def _as_image(root: DataRoot, name: str, cells: Sequence[Any]) -> str:
    """Return how a column names images: by itself, within a folder, or without its ending."""
    texts = [cell for cell in cells if isinstance(cell, str) and cell]
    if not texts:
        return ""
    if looks_like_base64(texts[0]):
        return name
    first = texts[0]
    if len(first) > 1000 or "://" in first or first.startswith(("/", "..")):
        return ""
    if is_image(first) and root.is_file(first):
        return name
    folders = [folder for folder in root.list() if root.is_dir(folder)][:50]
    for folder in ("", *folders):
        for ending in ("", ".jpg", ".png", ".jpeg", ".webp"):
            file = f"{folder}/{first}{ending}" if folder else f"{first}{ending}"
            if is_image(file) and root.is_file(file):
                return f"{folder}/{{{name}}}{ending}".lstrip("/")
    return ""


def _splits(result: Look) -> None:
    """Find the splits: files that differ by the split's name, or a column of splits."""
    if not result.is_folder:
        for split in SPLITS:
            for other in SPLITS:
                name = result.file.replace(split, other)
                if split in result.file and name != result.file and result.root.is_file(name):
                    result.splits = {split: result.file, **result.splits, other: name}
    for name in ("split", "subset", "partition", "set", "fold"):
        column = result.first([name])
        if column and not result.splits and set(result.columns[column].values) & set(SPLITS):
            result.split_column = column
            result.splits = dict.fromkeys(result.columns[column].values, "")
            return
