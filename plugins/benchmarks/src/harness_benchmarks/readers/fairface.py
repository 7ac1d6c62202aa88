"""FairFace: one CSV per split, images of one padding in folders of the splits; or parquet shards.

Columns, spellings and folders as the authors' README and public loaders have them
(dchen236/FairFace); shards as the copy HuggingFaceM4/FairFace on the Hugging Face hub has them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from harness.descriptors import Json
from harness.errors import DataError, quoted
from harness.readers import records
from harness.readers.shards import SUFFIX, Copies, content_hash, need_pyarrow, renamed
from harness.samples import DataRoot, Group, ImageRef, Sample

from harness_benchmarks.readers.people import known, spellings

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
# Of the other split, and of a path from the root of a disk.
_OTHER_FOLDERS = {"train": ("val", ""), "val": ("train", "")}
_FOLDERS = {"1.25": "fairface-img-margin125-trainval", "0.25": "fairface-img-margin025-trainval"}
_CONFIGS = {"1.25": ("1.25", "margin125"), "0.25": ("0.25", "margin025")}
# What the copy's numbers stand for, should a shard not say so itself. Its races stand in another
# order than those of the authors' own model.
_NUMBERED = {
    "race": ("East Asian", "Indian", "Black", "White", "Middle Eastern", "Latino_Hispanic",
             "Southeast Asian"),
    "gender": ("Male", "Female"),
    "age": ("0-2", "3-9", "10-19", "20-29", "30-39", "40-49", "50-59", "60-69", OLDEST),
}  # fmt: skip


class FairFace:
    """Reader of FairFace's release: one sample per face.

    Args:
        options: ``padding`` (``1.25`` or ``0.25``: which images), ``target`` (the trait that is
            the right answer; none by default), ``columns`` (of a copy in parquet, see
            :func:`renamed`), ``unit`` (``image``). With a target there is a group ``race_gender``.
    """

    def __init__(self, options: Mapping[str, Json]) -> None:
        padding = records.choice(options, "padding", tuple(_FOLDERS))
        self._folder = _FOLDERS[padding]
        self._copies = Copies({"val": ("validation", "val")}, _CONFIGS[padding], renamed(options))
        self._target = records.choice(options, "target", ("none", *TRAITS))
        records.choice(options, "unit", ("image",))

    def annotations(self, root: DataRoot, split: str) -> Sequence[str]:
        """Return the split's label file; without it the shards of a copy, should they be there."""
        name = f"fairface_label_{records.known_split(split, SPLITS)}.csv"
        return [name] if root.is_file(name) else self._copies.shards(root, split) or [name]

    def hub_patterns(self, split: str) -> Sequence[str]:
        """Return what a split needs of a dataset on the hub."""
        return self._copies.patterns(records.known_split(split, SPLITS))

    def content_hash(self, root: DataRoot, name: str) -> str:
        """Return the hash of what is read but the images."""
        return content_hash(root, name, [self._copies.column(name) for name in TRAITS])

    def samples(self, root: DataRoot, split: str) -> Iterator[Sample]:
        """Yield faces in the order of the file, or of the shards."""
        paths = self.annotations(root, split)
        if paths[0].endswith(SUFFIX):
            yield from self._embedded(root, paths, split)
        else:
            yield from self._beside(root, paths[0], split)

    def _embedded(self, root: DataRoot, paths: Sequence[str], split: str) -> Iterator[Sample]:
        """Yield faces of shards; ids are places in the split, as shards hold no file names."""
        need_pyarrow(paths[0])
        from harness.readers import parquet

        columns = [self._copies.column(name) for name in TRAITS]
        image = self._copies.column("image")
        parquet.need_images(root, paths, image)
        number = 0
        for path in paths:
            kinds: dict[str, dict[str, Group]] = {}
            named = [
                parquet.class_names(root, path, column) or _NUMBERED[trait]
                for column, trait in zip(columns, TRAITS, strict=True)
            ]
            location = root.where(path)
            for row, values in enumerate(parquet.rows(root, path, columns)):
                kind = repr(values)
                groups = kinds.get(kind)
                if groups is None:
                    where = f"{location}: row {row}"
                    trait_names = [
                        _named(*one, where) for one in zip(values, named, TRAITS, strict=True)
                    ]
                    groups = kinds[kind] = self._groups(trait_names, where)
                ident = f"{split}#{number}"
                load = parquet.EmbeddedImage(root, path, row, image)
                yield Sample(
                    id=ident,
                    images=(ImageRef(f"{path}:{row}", load=load),),
                    target=self._answer(groups),
                    cluster=ident,
                    groups={**groups},
                )
                number += 1

    def _beside(self, root: DataRoot, path: str, split: str) -> Iterator[Sample]:
        folder = f"{self._folder}/" if self._has_folder(root) else ""
        rows, location = _rows(root, path), root.where(path)
        columns = next(rows, (0, []))[1]
        file, *traits = [_place(columns, name, location) for name in ("file", *TRAITS)]
        # There are a few hundred kinds of people at most, and a hundred thousand faces.
        kinds: dict[tuple[str, ...], dict[str, Group]] = {}
        for number, cells in rows:
            where = f"{location}:{number}"
            if len(cells) != len(columns):
                raise DataError(
                    f"the row has {len(cells)} columns, not {len(columns)}", where=where
                )
            name = records.as_text(cells[file], "the file", where)
            folder_named = name.partition("/")[0]
            if folder_named in _OTHER_FOLDERS[split] or "\\" in name:
                raise DataError(
                    f"{quoted(name)} is no image of the split {split!r}", where=where,
                    fix=f"the release's file has names such as {split}/1.jpg",
                )  # fmt: skip
            values = tuple(cells[trait] for trait in traits)
            groups = kinds.get(values)
            if groups is None:
                groups = kinds[values] = self._groups(values, where)
            ident = name.rpartition(".")[0] or name
            yield Sample(
                id=ident,
                images=(ImageRef(f"{folder}{name}", root),),
                target=self._answer(groups),
                cluster=ident,
                groups={**groups},
            )

    def _groups(self, values: Sequence[str], where: str) -> dict[str, Group]:
        groups = {
            trait: Group(known(value, labels, trait, where), "human")
            for value, (trait, labels) in zip(values, TRAITS.items(), strict=True)
        }
        if self._target != "none":
            joint = " ".join(groups[trait].value for trait in ("race", "gender"))
            groups["race_gender"] = Group(joint, "human")
        return groups

    def _answer(self, groups: Mapping[str, Group]) -> str | None:
        return groups[self._target].value if self._target in groups else None

    def _has_folder(self, root: DataRoot) -> bool:
        """Whether images lie in a folder of their padding; else right beside the label files."""
        return not any(root.is_dir(split) for split in SPLITS) or root.is_dir(self._folder)


def _named(value: object, names: Sequence[str], trait: str, where: str) -> str:
    """Return a label given as its number or as itself."""
    if type(value) is int and 0 <= value < len(names):
        return names[value]
    if not isinstance(value, str):
        raise DataError(f"{quoted(value)} is no {trait} of this release", where=where)
    return value


def _rows(root: DataRoot, name: str) -> Iterator[tuple[int, list[str]]]:
    location = root.where(name)
    for number, text in records.lines(root, name):
        yield (
            number,
            records.cells(text, f"{location}:{number}") if '"' in text else text.split(","),
        )


def _place(columns: list[str], name: str, location: str) -> int:
    if name not in columns:
        raise records.missing_column(name, columns, f"{location}:1")
    if columns.count(name) > 1:
        raise DataError(f"the column {name!r} comes twice", where=f"{location}:1")
    return columns.index(name)
