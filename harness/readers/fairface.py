"""FairFace: one CSV a split, pictures of one padding in folders of the splits.

Columns, spellings and folders as the authors' README and public loaders have them
(dchen236/FairFace).
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from harness.descriptors import Json
from harness.errors import DataError
from harness.readers import _records as records
from harness.readers._people import known, spellings
from harness.samples import Group, ImageRef, Sample

SPLITS = ("train", "val")
OLDEST = "more than 70"
TRAITS = {
    "race": spellings(
        ("White", "Black", "Latino_Hispanic", "East Asian", "Southeast Asian", "Indian",
         "Middle Eastern")
    ),
    "gender": spellings(("Male", "Female")),
    # The authors' own predictor writes 70+ for the last one.
    "age": spellings(
        ("0-2", "3-9", "10-19", "20-29", "30-39", "40-49", "50-59", "60-69", OLDEST),
        **{"70+": OLDEST},
    ),
}  # fmt: skip
_FOLDERS = {"1.25": "fairface-img-margin125-trainval", "0.25": "fairface-img-margin025-trainval"}


class FairFace:
    """Reader of FairFace's release: one sample a face.

    Args:
        options: ``padding`` (``1.25`` or ``0.25``: which pictures), ``unit`` (``image``).
    """

    def __init__(self, options: Mapping[str, Json]) -> None:
        self._folder = _FOLDERS[records.choice(options, "padding", tuple(_FOLDERS))]
        records.choice(options, "unit", ("image",))

    def annotations(self, root: Path, split: str) -> Sequence[Path]:
        """Return the split's label file."""
        return [root / f"fairface_label_{records.known_split(split, SPLITS)}.csv"]

    def samples(self, root: Path, split: str) -> Iterator[Sample]:
        """Yield faces in the order of the file."""
        (path,) = self.annotations(root, split)
        folder = f"{self._folder}/" if self._has_folder(root) else ""
        rows = _rows(path)
        columns = next(rows, (0, []))[1]
        file, *traits = [_place(columns, name, path) for name in ("file", *TRAITS)]
        # There are a few hundred kinds of people at most, and a hundred thousand faces.
        kinds: dict[tuple[str, ...], dict[str, Group]] = {}
        place = str(path)
        for number, cells in rows:
            where = f"{place}:{number}"
            if len(cells) != len(columns):
                raise DataError(f"{len(cells)} columns, {len(columns)} were expected", where=where)
            name = records.as_text(cells[file], "the file", where)
            values = tuple(cells[trait] for trait in traits)
            groups = kinds.get(values)
            if groups is None:
                groups = kinds[values] = _groups(values, where)
            ident = name.rpartition(".")[0] or name
            yield Sample(
                id=ident,
                images=(ImageRef(f"{folder}{name}", root),),
                target=None,
                cluster=ident,
                groups=groups,
            )

    def _has_folder(self, root: Path) -> bool:
        """Whether pictures lie in a folder of their padding; else right beside the label files."""
        return (
            not any((root / split).is_dir() for split in SPLITS) or (root / self._folder).is_dir()
        )


def _groups(values: Sequence[str], where: str) -> dict[str, Group]:
    return {
        trait: Group(known(value, labels, trait, where), "human")
        for value, (trait, labels) in zip(values, TRAITS.items(), strict=True)
    }


def _rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    for number, text in records.lines(path):
        yield number, next(csv.reader([text]))


def _place(columns: list[str], name: str, path: Path) -> int:
    if name not in columns:
        raise DataError(
            f"the column {name!r} is missing; there are {', '.join(columns)}", where=f"{path}:1"
        )
    return columns.index(name)
