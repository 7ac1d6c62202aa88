"""CMSC: images of counterfactual sets whose labels stand in their names, or in a table.

The release's file names are not documented, so the pattern is the user's; nothing here is official.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path, PurePosixPath

from harness.descriptors import Json
from harness.errors import DataError, UserError, quoted, short
from harness.readers import records
from harness.samples import DataRoot, Group, ImageRef, Sample

from harness_benchmarks.readers.patterns import Pattern
from harness_benchmarks.readers.people import known, spellings, with_article
from harness_benchmarks.readers.splits import SPLITS, Dealer

CONCEPTS = {
    "personality": ("compassionate", "belligerent", "authority", "pleasant", "unpleasant"),
    "responsibility": ("tool", "weapon", "career", "family", "chef", "earning money"),
    "education": (
        "middle school", "high school", "university", "good student", "bad student", "science",
        "arts",
    ),
}  # fmt: skip
TRAITS = ("race", "gender", "age")
PARTS = ("concept", *TRAITS, "set")
SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".webp", ".bmp"})
_OTHERS = frozenset({".jfif", ".jpe", ".gif", ".tif", ".tiff", ".avif", ".heic", ".jp2"})
NOT_READ = f"images that are not read: their names do not end in {', '.join(sorted(SUFFIXES))}"
NOT_NAMED = "images below the folder that the table does not name"
BESIDE = "images whose names fit lie beside the folder given, and are not read"
_LOOKED_AT, _FOLDERS = 10_000, 200  # files and folders beside the one given, at most
_ALL = spellings(tuple(name for group in CONCEPTS.values() for name in group))
_SHOWN = 5


class Cmsc:
    """Reader of a folder of images with concept, race, gender, age and counterfactual set.

    Args:
        options: ``labels`` (``filename`` or ``table``), ``pattern`` (see :class:`Pattern`),
            ``table`` (name of a ``.csv`` or ``.jsonl``), ``max_unmatched`` (share of images that
            may not fit the pattern), ``concepts`` (``all`` or one group), ``split_by`` and
            ``shares`` (see :class:`Dealer`), ``unit`` (``set`` or ``image``).

    Raises:
        UserError: a pattern or shares that cannot be used.
    """

    def __init__(self, options: Mapping[str, Json]) -> None:
        self._from_table = records.choice(options, "labels", ("filename", "table")) == "table"
        self._pattern = Pattern(str(options["pattern"]), PARTS, ("concept", "set"))
        self._table = str(options["table"])
        if PurePosixPath(self._table).suffix not in {".csv", ".jsonl"}:
            raise UserError(
                f"{quoted(self._table)} is neither .csv nor .jsonl", where="option 'table'"
            )
        self._allowed = float(str(options["max_unmatched"]))
        group = records.choice(options, "concepts", ("all", *CONCEPTS))
        self._concepts = frozenset(CONCEPTS.get(group, tuple(_ALL.values())))
        self._dealer = Dealer(options)
        self._unit = records.choice(options, "unit", ("set", "image"))

    def annotations(self, root: DataRoot, split: str) -> Sequence[str]:
        """Return the table; none when the names are the labels."""
        del root
        records.known_split(split, SPLITS)
        return [self._table] if self._from_table else []

    def samples(self, root: DataRoot, split: str) -> Iterator[Sample]:
        """Yield a split's images: in the order of the table, or sorted by name.

        Raises:
            DataError: also when more names than allowed do not match the pattern; it lists some.
        """
        records.known_split(split, SPLITS)
        labelled = _of_table(root, self._table) if self._from_table else self._of_names(root)
        for file, labels, where in labelled:
            concept = known(_words(labels["concept"]), _ALL, "concept", where)
            if concept in self._concepts and self._dealer.takes(split, labels["set"], concept):
                yield self._sample(root, file, concept, labels)

    def left_out(self, root: DataRoot, split: str) -> list[str]:
        """Return the images whose names do not match the pattern."""
        del split  # a name that does not fit belongs to none
        if self._from_table:
            return []
        return [file for file in _image_files(root) if self._match(file) is None]

    def passed_over(self, root: DataRoot, split: str) -> Mapping[str, int]:
        """Return how many images there are that are no sample of any split.

        A folder of the release, given in the place of the whole, holds fewer sets; what lies beside
        it says so.
        """
        del split
        counts = {NOT_READ: sum(_suffix(name) in _OTHERS for name in root.walk())}
        if self._from_table:
            named = {file for file, _, _ in _of_table(root, self._table)}
            counts[NOT_NAMED] = sum(name not in named for name in _image_files(root))
        else:
            labels = filter(None, map(self._match, _beside(root)))
            counts[BESIDE] = sum(_words(one["concept"]).lower() in _ALL for one in labels)
        return counts

    def _of_names(self, root: DataRoot) -> Iterator[tuple[str, dict[str, str], str]]:
        files = list(_image_files(root))
        if not files:
            raise DataError(
                f"no image ({', '.join(SUFFIXES)}) lies below the folder",
                where=root,
                fix="name the folder that holds the release's images, or an archive of them",
            )
        wrong = [file for file in files if self._match(file) is None]
        if len(wrong) > self._allowed * len(files):
            more = f" and {len(wrong) - _SHOWN} more" if len(wrong) > _SHOWN else ""
            names = ", ".join(short(name, 100) for name in wrong[:_SHOWN])
            raise DataError(
                f"{len(wrong)} of {len(files)} names do not match the pattern "
                f"{quoted(self._pattern.text)}: {names}{more}",
                where=root,
                fix="set the option pattern, or max_unmatched to the share that may be left out",
            )
        for file in files:
            labels = self._match(file)
            if labels is not None:
                yield file, labels, root.where(file)

    def _match(self, file: str) -> dict[str, str] | None:
        """Match a file's name without its ending; with its folders if the pattern has any."""
        path = PurePosixPath(file).with_suffix("")
        return self._pattern.match(str(path) if "/" in self._pattern.text else path.name)

    def _sample(self, root: DataRoot, file: str, concept: str, labels: Mapping[str, str]) -> Sample:
        ident = str(PurePosixPath(file).with_suffix(""))
        pair = "-".join(trait for trait in TRAITS if labels.get(trait))
        return Sample(
            id=ident,
            images=(ImageRef(file, root),),
            target=None,
            cluster=f"{concept}/{labels['set']}" if self._unit == "set" else ident,
            fields={"concept": concept, "concept_text": with_article(concept)},
            groups={
                trait: Group(labels[trait].replace("_", " "), "drawn")
                for trait in TRAITS
                if labels.get(trait)
            },
            stratum=f"{pair}/{concept}",
        )


def _words(text: str) -> str:
    """Return a concept as words: file names have no blanks."""
    return " ".join(text.replace("_", " ").replace("-", " ").split())


def _image_files(root: DataRoot) -> Iterator[str]:
    """Yield the names of all images, sorted; names that start with a dot are passed over."""
    for name in root.walk():
        hidden = name.startswith(".") or "/." in name
        if not hidden and _suffix(name) in SUFFIXES:
            yield name


def _suffix(name: str) -> str:
    return PurePosixPath(name).suffix.lower()


def _beside(root: DataRoot) -> Iterator[str]:
    """Yield images of the folders beside the one given by their names from the folder above."""
    folder = root.local("")
    if folder is None:
        return
    left = _LOOKED_AT
    for above, folders, names in islice(os.walk(folder.parent), _FOLDERS):
        folders[:] = [name for name in folders if name[0] != "." and Path(above, name) != folder]
        yield from (
            Path(above, name).relative_to(folder.parent).as_posix()
            for name in names[:left]
            if _suffix(name) in SUFFIXES
        )
        left -= min(left, len(names))


def _of_table(root: DataRoot, name: str) -> Iterator[tuple[str, dict[str, str], str]]:
    columns: list[str] = []
    location = root.where(name)
    for number, text in records.lines(root, name):
        where = f"{location}:{number}"
        if name.endswith(".jsonl"):
            row = _object(text, where)
        elif not columns:
            columns = [name.strip() for name in records.cells(text, where)]
            continue
        else:
            cells = records.cells(text, where)
            if len(cells) != len(columns):
                raise DataError(
                    f"the row has {len(cells)} columns, not {len(columns)}", where=where
                )
            row = dict(zip(columns, cells, strict=True))
        labels = {part: str(row.get(part) or "") for part in PARTS}
        for part in ("concept", "set"):
            records.as_text(labels[part], f"the column {part!r}", where)
        yield records.as_text(row.get("file"), "the column 'file'", where), labels, where


def _object(text: str, where: str) -> dict[str, Json]:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DataError(f"not JSON: {short(str(error), 200)}", where=where) from None
    return records.as_mapping(value, "a line", where)
