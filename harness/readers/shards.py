"""Parquet copies of releases, as the Hugging Face hub holds them: where they lie, what they name.

Shards of a split are ``FOLDER/SPLIT-00000-of-00002[-hash].parquet`` as uploads write them, or
``FOLDER/SPLIT/0000.parquet`` as the hub's own conversion does (revision ``refs/convert/parquet``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from harness.descriptors import Json, is_installed
from harness.errors import PluginError, UserError, quoted
from harness.samples.roots import DataRoot

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

    def shards(self, root: DataRoot, split: str) -> list[str]:
        """Return a split's shards, also those that are not there; none without a copy."""
        for folder, name in self._places(split):
            shards = counted(root, folder, name) or _converted(root, _under(folder, name))
            if shards:
                return shards
        return []

    def patterns(self, split: str) -> list[str]:
        """Return what shards of a split are called in a dataset on the hub."""
        return [
            _under(folder, f"{name}{end}")
            for folder, name in self._places(split)
            for end in (f"-*{SUFFIX}", f"/*{SUFFIX}")
        ]

    def _places(self, split: str) -> Iterator[tuple[str, str]]:
        for folder in (*self.configs, "data", "default", ""):
            for name in self.splits.get(split, (split,)):
                yield folder, name


def counted(root: DataRoot, folder: str, split: str) -> list[str]:
    """Return a split's shards whose names count them, also those that are not there.

    A folder may hold what is left of an earlier upload, in another number of shards: the whole one
    is taken, or else the larger one.
    """
    uploads: dict[int, dict[int, str]] = {}
    for path in root.list(folder) if root.is_dir(folder) else ():
        named = _COUNTED.fullmatch(last_part(path))
        if named and named["split"] == split:
            uploads.setdefault(int(named["total"]), {})[int(named["number"])] = path
    if not uploads:
        return []
    total, shards = max(uploads.items(), key=lambda one: (len(one[1]) == one[0], one[0]))
    present = {number: path for number, path in shards.items() if number < total}
    return [
        present.get(number, _under(folder, f"{split}-{number:05d}-of-{total:05d}{SUFFIX}"))
        for number in range(total)
    ]


def last_part(name: str) -> str:
    """Return a name without its folders."""
    return name.rpartition("/")[2]


def _under(folder: str, name: str) -> str:
    return f"{folder}/{name}" if folder else name


def content_hash(
    root: DataRoot, name: str, columns: Sequence[str], others: Sequence[str] = ()
) -> str:
    """Return a file's hash: of a shard that of the columns that are read.

    Args:
        root: Where the release lies.
        name: Name of a shard or of another file.
        columns: That every shard has.
        others: That some lack, such as the answers of a test split.
    """
    if not name.endswith(SUFFIX):
        return root.sha256(name)
    need_pyarrow(name)
    from harness.readers import parquet

    present = [one for one in others if parquet.has(root, name, one.partition(".")[0])]
    return parquet.content_hash(root, name, [*columns, *present])


def need_pyarrow(name: str) -> None:
    """Check that parquet can be read.

    Raises:
        PluginError: the extra ``data`` is not installed.
    """
    if not is_installed("pyarrow"):
        raise PluginError(
            f"{last_part(name)} needs pyarrow", fix="pip install 'social-harness[data]'"
        )


def renamed(options: Mapping[str, Json]) -> dict[str, str]:
    """Return the option ``columns``: usual names to those of a copy, ``image=file,race=origin``.

    Raises:
        UserError: another form.
    """
    names = {}
    for pair in str(options.get("columns") or "").split(","):
        usual, sign, release_name = (part.strip() for part in pair.partition("="))
        if sign and usual and release_name:
            names[usual] = release_name
        elif pair.strip():
            raise UserError(
                f"{quoted(pair.strip())} is not NAME=COLUMN",
                where="option 'columns'",
                fix="such as image=file,question=text",
            )
    return names


def _converted(root: DataRoot, folder: str) -> list[str]:
    names = map(last_part, root.list(folder) if root.is_dir(folder) else [])
    highest = max(filter(_CONVERTED.fullmatch, names), default="-1").removesuffix(SUFFIX)
    return [_under(folder, f"{number:04d}{SUFFIX}") for number in range(int(highest) + 1)]
