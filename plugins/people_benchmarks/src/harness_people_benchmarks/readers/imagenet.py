"""ImageNet's validation images in a folder for each class, as zero-shot evaluations keep them.

Folders are WordNet ids (``val/n01440764/x.JPEG``). Their names are those of CLIP's notebook, as
open_clip has them, in the order of the 1,000 ids; two that come twice there get different names.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files

from harness.descriptors import Json
from harness.errors import DataError, nearest, quoted
from harness.readers import records
from harness.samples import DataRoot, ImageRef, Sample

SPLITS = ("val", "train")
_ENDINGS = (".jpeg", ".jpg", ".png", ".webp")


@cache
def class_names() -> dict[str, str]:
    """Return the name of each WordNet id, in the ids' order."""
    text = files(__package__).joinpath("imagenet_classes.tsv").read_text(encoding="utf-8")
    return dict(line.split("\t") for line in text.splitlines())


class ImageNet:
    """Reader of folders of classes: one sample per image; classes may be a part of the 1,000.

    Args:
        options: ``unit`` (``image``).
    """

    def __init__(self, options: Mapping[str, Json]) -> None:
        records.choice(options, "unit", ("image",))

    def annotations(self, root: DataRoot, split: str) -> Sequence[str]:
        """Return none, as folders are labels; or the folder of training images that is missing."""
        records.known_split(split, SPLITS)
        return [] if split == SPLITS[0] or root.is_dir(split) else [split]

    def notes(self, root: DataRoot, split: str) -> list[str]:
        """Return how many of the classes are there, where some are not."""
        present, every = len(_classes(root, split)), len(class_names())
        return [] if present == every else [f"{present} of {every} classes have a folder"]

    def passed_over(self, root: DataRoot, split: str) -> Mapping[str, int]:
        """Return how many files are no images by their names, and how many links are dead."""
        others = dead = 0
        for folder in (f"{split}/{name}" for name in _classes(root, split)):
            files = set(root.walk(folder))
            others += sum(not path.lower().endswith(_ENDINGS) for path in files)
            dead += sum(path.lower().endswith(_ENDINGS) for path in {*root.list(folder)} - files)
        return {
            f"files that end in none of {', '.join(_ENDINGS)}": others,
            "links that lead nowhere, or out of the folder": dead,
        }

    def samples(self, root: DataRoot, split: str) -> Iterator[Sample]:
        """Yield images by class and name.

        Raises:
            DataError: no folder of a class, or one that is no class.
        """
        names = class_names()
        for folder in _classes(root, split):
            for path in root.walk(f"{split}/{folder}"):
                if path.lower().endswith(_ENDINGS):
                    stem = path.removeprefix(f"{split}/").rpartition(".")[0]
                    yield Sample(
                        id=stem,
                        images=(ImageRef(path, root),),
                        target=names[folder],
                        cluster=stem,
                    )


def _meant(folder: str) -> str:
    """Return the id of the class that a folder names by its words, or the nearest id."""
    words = folder.replace("_", " ").casefold()
    ids = [ident for ident, name in class_names().items() if name.casefold() == words]
    return (
        f"rename the folder to its WordNet id, {ids[0]}" if ids else nearest(folder, class_names())
    )


def _classes(root: DataRoot, split: str) -> list[str]:
    records.known_split(split, SPLITS)
    where = root.where(split)
    entries = root.list(split) if root.is_dir(split) else []
    folders = [path.rpartition("/")[2] for path in entries]
    folders = sorted(name for name in folders if root.is_dir(f"{split}/{name}"))
    if not folders and any(map(root.is_dir, class_names())):
        raise DataError("this folder itself holds the folders of the classes", where=root,
                        fix=f"give its parent, which has them under {split}/")  # fmt: skip
    if not folders:
        raise DataError(
            "there is no folder of a class", where=where,
            fix=f"{split}/n01440764/*.JPEG and so on; the archive's flat files have to be sorted",
        )  # fmt: skip
    for name in folders:
        if name not in class_names():
            raise DataError(f"{quoted(name)} is not a class of ImageNet's 1,000", where=where,
                            fix=_meant(name))  # fmt: skip
    return folders
