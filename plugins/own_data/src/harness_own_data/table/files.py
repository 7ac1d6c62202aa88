"""Which files hold a split's rows, and in which format."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

from harness.descriptors import Json
from harness.errors import DataError, UserError, near, nearest, quoted, short
from harness.jsonfiles import near_but_for_endings, parse_json
from harness.readers.shards import Copies, need_pyarrow
from harness.samples import DataRoot

from harness_own_data.table.delimited import Delimited
from harness_own_data.table.encodings import refuse_foreign
from harness_own_data.table.folders import ENDINGS, ImageFolder
from harness_own_data.table.jsonrows import JsonLines, JsonList, holds_lines

FORMATS = {
    ".csv": "csv", ".tsv": "tsv", ".txt": "csv", ".tab": "tsv", ".json": "json",
    ".jsonl": "jsonl", ".ndjson": "jsonl", ".parquet": "parquet", ".arrow": "arrow",
}  # fmt: skip
_ONE_SPLIT = "test"
_DICT = "dataset_dict.json"
_STATE = "state.json"
# Shards as uploads name them, and as the hub's own conversion does.
_SHARD = re.compile(r"(?:.*/)?(?:([^/]+?)-\d{5}-of-\d{5}[-\w]*|([^/]+)/\d{4})\.parquet")
_SEVERAL = 20  # names of files that a message lists


@dataclass(frozen=True, slots=True)
class TableFiles:
    """The options that say where rows stand.

    Attributes:
        file: As the spec writes it: a name or pattern, several, one for each split, or nothing.
        format: Of :data:`FORMATS`, ``images`` or ``auto``.
        by_column: Whether a column says each row's split.
    """

    file: Json
    format: str
    delimiter: str
    encoding: str
    by_column: bool

    def names(self, root: DataRoot, split: str) -> list[str]:
        """Return the files of a split, sorted as a pattern finds them.

        Raises:
            DataError: no such split, a pattern that finds nothing, or nothing that could be rows.
        """
        entry = self._entry(root, split)
        if isinstance(entry, str):
            entry = [entry]
        if not isinstance(entry, list) or not all(isinstance(one, str) for one in entry):
            raise UserError(
                f"{quoted(entry)} is not a file, list of files or split to file",
                where="data.options.file",
            )
        for text in map(str, entry):
            if text.startswith("/") or ".." in text.split("/"):
                raise DataError(
                    f"{quoted(text)} is no path within the data folder", where="data.options.file",
                    fix="write it relative to the data folder; --data ID=FOLDER says which that is",
                )  # fmt: skip
        names = [name for text in entry for name in _matching(root, str(text))]
        self._refuse_misspelt(root, names)
        return list(dict.fromkeys(names))

    def _refuse_misspelt(self, root: DataRoot, names: Sequence[str]) -> None:
        """Refuse a file that is missing beside one of nearly its name; others are data to get."""
        entries = self.file.values() if isinstance(self.file, Mapping) else ()
        named = set(names)
        for entry in entries:
            named.update(map(str, entry if isinstance(entry, list) else [entry]))
        for name in names:
            if root.is_file(name) or root.is_dir(name):
                continue
            others = [other for other in root.list() if _format(other) and other not in named]
            if alike := near_but_for_endings(name, others):
                raise DataError(
                    f"there is no file {quoted(name)} (data.options.file)", where=root,
                    fix=near(name, alike) or f"did you mean {quoted(alike[0])}?",
                )  # fmt: skip

    def is_folder(self, root: DataRoot, name: str) -> bool:
        """Whether a name is that of a folder of images."""
        if self.format not in {"auto", "images"}:
            return False
        return self.format == "images" or (not _format(name) and root.is_dir(name))

    def open(self, root: DataRoot, name: str) -> Any:
        """Return one file or folder as a table.

        Raises:
            DataError: it is missing, of another format, or of none that is known.
            PluginError: what reads Parquet is not installed.
        """
        if self.is_folder(root, name):
            return ImageFolder(root, "" if name == "." else name)
        kind = _format(name) if self.format == "auto" else self.format
        if kind:
            refuse_foreign(root, name, kind)
        if kind in {"csv", "tsv"}:
            usual = "\t" if kind == "tsv" else ","
            return Delimited(root, name, usual, self.delimiter, self.encoding)
        if kind in {"parquet", "arrow"}:
            need_pyarrow(name)
            from harness_own_data.table import columnar

            return (columnar.Parquet if kind == "parquet" else columnar.Arrow)(root, name)
        if kind == "jsonl" or (
            kind == "json" and self.format == "auto" and holds_lines(root, name)
        ):
            return JsonLines(root, name)
        if kind == "json":
            return JsonList(root, name)
        raise DataError(
            "the file name does not show its format", where=root.where(name),
            fix="format: csv, tsv, json, jsonl, parquet, arrow or images",
        )  # fmt: skip

    def _entry(self, root: DataRoot, split: str) -> Json:
        if self.file is None:
            return _found(root, split, by_column=self.by_column)
        if isinstance(self.file, Mapping):
            if split not in self.file:
                raise DataError(
                    f"there is no split {split!r} (data.options.file)",
                    fix=nearest(split, self.file),
                )
            twice = [other for other in self.file if self.file[other] == self.file[split]]
            if len(twice) > 1 and not self.by_column:
                raise UserError(
                    f"the splits {twice[0]!r} and {twice[1]!r} are the same file",
                    where="data.options.file", fix="one file for each, or split_column: COLUMN",
                )  # fmt: skip
            return self.file[split]
        if split != _ONE_SPLIT and not self.by_column and "{split}" not in str(self.file):
            raise DataError(
                f"there is no split {split!r}: one file for all is the split {_ONE_SPLIT!r}",
                where="data.options.file",
                fix=f"file: {{{split}: FILE, ...}}, or split_column: COLUMN",
            )
        if isinstance(self.file, str):
            return self.file.replace("{split}", split)
        return self.file


def _format(name: str) -> str:
    return FORMATS.get(f".{name.rpartition('.')[2].lower()}" if "." in name else "", "")


def _matching(root: DataRoot, text: str) -> list[str]:
    if not any(sign in text for sign in "*?["):
        return [text.rstrip("/") or "."]
    folder = text[: min(text.index(sign) for sign in "*?[" if sign in text)].rpartition("/")[0]
    matches = [name for name in root.walk(folder) if fnmatchcase(name, text)]
    if not matches:
        tables = _shown([name for name in root.walk(folder) if _format(name)])
        raise DataError(
            f"no file is called {quoted(text)}", where=root.where(folder),
            fix=f"tables there are: {tables}" if tables else "there is no table",
        )  # fmt: skip
    return matches


def _shown(names: list[str]) -> str:
    return short(", ".join(names[:_SEVERAL]), 300)


def _found(root: DataRoot, split: str, *, by_column: bool) -> Json:
    """Return a split's files where the spec names none: a copy's shards, or the one table."""
    shards: list[Json] = [*Copies({}, ()).shards(root, split)]
    if shards:
        return shards
    saved = f"{split}/" if root.is_dir(split) else ""
    if root.is_file(f"{saved}{_STATE}"):  # Dataset.save_to_disk
        of = split if saved else _saved_split(root)
        if split != of:
            raise _no_split(root, split, [of])
        return f"{saved}*.arrow"
    if root.is_file(_DICT):  # DatasetDict.save_to_disk
        has = [name for name in root.list() if root.is_file(f"{name}/{_STATE}")]
        raise _no_split(root, split, has)
    tables = [name for name in root.list() if root.is_file(name) and _format(name)]
    named = [name for name in tables if name.rpartition(".")[0] == split]
    if len(named) == 1:
        return named[0]
    if len(tables) == 1 and (by_column or split == _ONE_SPLIT):
        return tables[0]
    if root.is_dir(split):
        return split
    copied = [] if tables else copied_splits(root)
    if copied:
        raise _no_split(root, split, copied)
    folders = [name for name in root.list() if root.is_dir(name)]
    nearest_name = nearest(split, [name.rpartition(".")[0] for name in tables] or folders)
    raise DataError(
        f"no table for the split {split!r} can be recognised by its name",
        where=root,
        fix=f"data.options.file: one of {_shown(tables)}"
        if tables
        else f"a folder of that name, or data.options.file; folders: {nearest_name}"
        if folders
        else "data.options.file",
    )


def copied_splits(root: DataRoot) -> list[str]:
    """Return the splits of a copy of a dataset: saved by `datasets`, or its Parquet shards."""
    if root.is_file(_STATE):
        return [_saved_split(root)]
    if root.is_file(_DICT):
        return [name for name in root.list() if root.is_file(f"{name}/{_STATE}")]
    shards = filter(None, map(_SHARD.fullmatch, root.walk()))
    return sorted({shard[1] or shard[2] for shard in shards})


def _no_split(root: DataRoot, split: str, has: Sequence[str]) -> DataError:
    splits = short(", ".join(map(repr, has)), 300)
    close = near(split, has)
    return DataError(
        f"the dataset has no split {split!r}, it has {splits}",
        where=root,
        fix=close or f"data.split: {has[0] if len(has) == 1 else 'one of ' + ', '.join(has)}",
    )


def _saved_split(root: DataRoot) -> str:
    """Return the split that a saved dataset says it was; one that says nothing is the usual one."""
    state = parse_json(root.read_bytes(_STATE), root.where(_STATE))
    of = state.get("_split") if isinstance(state, Mapping) else None
    return of if isinstance(of, str) and of else _ONE_SPLIT


def is_image(name: str) -> bool:
    """Whether a name is that of an image."""
    return name.lower().endswith(ENDINGS)
