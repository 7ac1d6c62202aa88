"""Parquet copies of releases, as the Hugging Face hub holds them: where they lie, what they name.

Shards of a split are ``FOLDER/SPLIT-00000-of-00002[-hash].parquet`` as uploads write them, or
``FOLDER/SPLIT/0000.parquet`` as the hub's own conversion does (revision ``refs/convert/parquet``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from harness.descriptors import Json, is_installed
from harness.errors import PluginError, UserError
from harness.resources import file_hash

SUFFIX = ".parquet"
_COUNTED = re.compile(r"(?P<split>.+)-(?P<number>\d{5})-of-(?P<total>\d{5})[-\w]*\.parquet")
_CONVERTED = re.compile(r"\d{4}\.parquet")


@dataclass(frozen=True, slots=True)
class Copies:
    """Where copies of one benchmark lie.

    Attributes:
        splits: Split to what copies call it.
        configs: Folders that hold what the reader's options ask for.
        columns: A column's usual name to what this copy calls it.
    """

    splits: Mapping[str, tuple[str, ...]]
    configs: tuple[str, ...] = ()
    columns: Mapping[str, str] = field(default_factory=dict)

    def column(self, name: str) -> str:
        """Return what this copy calls a column."""
        return self.columns.get(name, name)

    def shards(self, root: Path, split: str) -> list[Path]:
        """Return a split's shards, also those that are not there; none without a copy."""
        for folder, name in self._places(split):
            found = counted(root / folder, name) or _converted(root / folder / name)
            if found:
                return found
        return []

    def patterns(self, split: str) -> list[str]:
        """Return what shards of a split are called in a dataset on the hub."""
        return [
            f"{folder}/{name}{end}".removeprefix("/")
            for folder, name in self._places(split)
            for end in (f"-*{SUFFIX}", f"/*{SUFFIX}")
        ]

    def _places(self, split: str) -> Iterator[tuple[str, str]]:
        for folder in (*self.configs, "data", "default", ""):
            for name in self.splits.get(split, (split,)):
                yield folder, name


def counted(folder: Path, split: str) -> list[Path]:
    """Return a split's shards whose names count them, also those that are not there.

    A folder may hold what is left of an earlier upload, in another number of shards: the whole one
    is taken, or else the larger one.
    """
    uploads: dict[int, dict[int, Path]] = {}
    for path in folder.iterdir() if folder.is_dir() else ():
        named = _COUNTED.fullmatch(path.name)
        if named and named["split"] == split:
            uploads.setdefault(int(named["total"]), {})[int(named["number"])] = path
    if not uploads:
        return []
    total, found = max(uploads.items(), key=lambda one: (len(one[1]) == one[0], one[0]))
    there = {number: path for number, path in found.items() if number < total}
    return [
        there.get(number, folder / f"{split}-{number:05d}-of-{total:05d}{SUFFIX}")
        for number in range(total)
    ]


def content_hash(path: Path, columns: Sequence[str], others: Sequence[str] = ()) -> str:
    """Return a file's hash: of a shard that of the columns that are read.

    Args:
        path: Of a shard, or of another file.
        columns: That every shard has.
        others: That some lack, such as the answers of a test split.
    """
    if path.suffix != SUFFIX:
        return file_hash(path)
    need_pyarrow(path)
    from harness.readers import _parquet

    there = [name for name in others if _parquet.has(path, name.partition(".")[0])]
    return _parquet.content_hash(path, [*columns, *there])


def need_pyarrow(path: Path) -> None:
    """Check that parquet can be read.

    Raises:
        PluginError: the extra ``data`` is not installed.
    """
    if not is_installed("pyarrow"):
        raise PluginError(f"{path.name} needs pyarrow", fix="pip install 'social-harness[data]'")


def renamed(options: Mapping[str, Json]) -> dict[str, str]:
    """Return the option ``columns``: usual names to those of a copy, ``image=file,race=origin``.

    Raises:
        UserError: another form.
    """
    found = {}
    for pair in str(options.get("columns") or "").split(","):
        usual, sign, own = (part.strip() for part in pair.partition("="))
        if sign and usual and own:
            found[usual] = own
        elif pair.strip():
            raise UserError(
                f"{pair.strip()!r} is not NAME=COLUMN",
                where="option 'columns'",
                fix="such as image=file,question=text",
            )
    return found


def _converted(folder: Path) -> list[Path]:
    names = folder.iterdir() if folder.is_dir() else ()
    return sorted(path for path in names if _CONVERTED.fullmatch(path.name))
