"""Which files of the user's data are the table, and which splits there are."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from harness.errors import UserError
from harness.samples import DataRoot

from harness_own_data.table.files import FORMATS, TableFiles, copied_splits, is_image

SPLITS = ("test", "val", "validation", "dev", "train")
"""Usual names of splits, the one that is asked first."""
_FOLDERS = {"testing": "test", "valid": "val", "training": "train"} | {
    name: name for name in SPLITS
}
_NESTED = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet", ".arrow")
_SHOWN = 10


@dataclass(frozen=True, slots=True)
class Source:
    """Where the rows stand.

    Attributes:
        file: The option ``file``: a table or a folder of images; empty for a copy of a dataset of
            the hub, whose files are recognised by their names.
        tables: The files that are looked at: all those of one split.
        splits: Split to file, where there are several.
    """

    file: str
    tables: Sequence[str]
    splits: dict[str, str] = field(default_factory=dict)


def source(root: DataRoot, file: str) -> Source:
    """Return where the rows of a data folder stand.

    Args:
        root: The data folder.
        file: The table in it, if the user named one.

    Raises:
        UserError: several tables, or neither a table nor an image.
    """
    if file:
        return Source(file, [file], _beside(root, file))
    if splits := in_order(copied_splits(root)):
        tables = TableFiles(None, "auto", "", "", by_column=False).names(root, splits[0])
        return Source("", tables, dict.fromkeys(splits, ""))
    name = _table(root)
    if name != ".":
        return Source(name, [name], _beside(root, name))
    folders = [name for name in root.list() if root.is_dir(name)]
    named = {_FOLDERS[name.lower()]: name for name in folders if name.lower() in _FOLDERS}
    if len(named) == len(folders) and folders:
        splits = in_order(named)
        return Source(named[splits[0]], [named[splits[0]]], {name: named[name] for name in splits})
    return Source(".", ["."])


def in_order(splits: Iterable[str]) -> list[str]:
    """Return splits, the one that is asked first before the others."""
    usual = {name: place for place, name in enumerate(SPLITS)}
    return sorted(splits, key=lambda name: (name == "train", usual.get(name, len(usual)), name))


def _table(root: DataRoot) -> str:
    """Return the table of a folder: that of a usual name among several, or its images."""
    names = [name for name in root.list() if root.is_file(name)]
    tables = [name for name in names if _ending(name) in FORMATS and _ending(name) != ".txt"]
    every = [] if tables else list(root.walk())
    tables = tables or [name for name in every if _ending(name) in _NESTED]
    for split in SPLITS:
        for name in tables:
            if split in name.rpartition("/")[2].partition(".")[0].replace("-", "_").split("_"):
                return name
    if len(tables) == 1:
        return tables[0]
    if tables:
        raise UserError(
            f"the folder holds several tables: {', '.join(tables[:_SHOWN])}", where=root,
            fix=f"name one: harness new task {root}/{tables[0]}",
        )  # fmt: skip
    if any(map(is_image, every)):
        return "."
    raise UserError("this folder holds neither a table nor an image", where=root,
                    fix="tables: .csv, .tsv, .json, .jsonl, .parquet")  # fmt: skip


def _ending(name: str) -> str:
    return f".{name.rpartition('.')[2].lower()}" if "." in name else ""


def _beside(root: DataRoot, file: str) -> dict[str, str]:
    """Return the splits of tables that differ by the split's name; none for a single table."""
    splits: dict[str, str] = {}
    for split in SPLITS:
        for other in SPLITS:
            name = file.replace(split, other)
            if split in file and name != file and root.is_file(name):
                splits = {split: file, **splits, other: name}
    return splits
