"""RAF-DB, basic set: one list of labels, faces in folders, one attribute file a face.

Label and attribute codes as in the release's readme, as many public loaders repeat them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath

from harness.descriptors import Json
from harness.errors import DataError, quoted
from harness.readers import records
from harness.samples import DataRoot, Group, ImageRef, Sample

LABELS = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")
SPLITS = ("train", "test")
_MANUAL = "basic/Annotation/manual"
_DESCRIBES = "_manu_attri.txt"
_LANDMARKS = 5
_COMPOUND = 11  # classes of the compound set
_ATTRIBUTES = (
    ("gender", ("male", "female", "unsure")),
    ("race", ("Caucasian", "African-American", "Asian")),
    ("age", ("0-3", "4-19", "20-39", "40-69", "70+")),
)


class RafDb:
    """Reader of RAF-DB's basic set; groups come from the attribute files where they are there.

    Args:
        options: ``images`` (``aligned`` or ``original``), ``unit`` (``image``).
    """

    def __init__(self, options: Mapping[str, Json]) -> None:
        self._images = records.choice(options, "images", ("aligned", "original"))
        records.choice(options, "unit", ("image",))

    def annotations(self, root: DataRoot, split: str) -> Sequence[str]:
        """Return the list of labels, one for both splits (the misspelling is the release's)."""
        records.known_split(split, SPLITS)
        if root.is_dir("compound") and not root.is_dir("basic"):
            raise DataError("this is the compound set, and this task reads the basic one",
                            where=root, fix="name the folder that holds basic/")  # fmt: skip
        return ["basic/EmoLabel/list_patition_label.txt"]

    def content_hash(self, root: DataRoot, name: str) -> str:
        """Return the hash of the list of labels, with the attribute files of all faces if any."""
        if not root.is_dir(_MANUAL):
            return root.sha256(name)
        digest = hashlib.sha256(root.sha256(name).encode())
        for file in root.list(_MANUAL):
            if not file.endswith(_DESCRIBES):
                continue
            with root.open(file) as opened:
                content = opened.read()
            digest.update(f"\0{PurePosixPath(file).name}\0{len(content)}\0".encode() + content)
        return digest.hexdigest()

    def samples(self, root: DataRoot, split: str) -> Iterator[Sample]:
        """Yield the faces whose name starts with the split, in the list's order."""
        (path,) = self.annotations(root, split)
        location = root.where(path)
        # Looked into once: to ask for each face's file costs more than all else that is read.
        described = frozenset(root.list(_MANUAL)) if root.is_dir(_MANUAL) else frozenset()
        for number, line in records.lines(root, path):
            where = f"{location}:{number}"
            name, label = _entry(line, where)
            if not name.startswith(f"{split}_"):
                continue
            stem = _stem(name)
            file = (
                f"aligned/{stem}_aligned.jpg" if self._images == "aligned" else f"original/{name}"
            )
            attributes = f"{_MANUAL}/{stem}{_DESCRIBES}"
            yield Sample(
                id=stem,
                images=(ImageRef(f"basic/Image/{file}", root),),
                target=label,
                cluster=stem,
                groups=_groups(root, attributes) if attributes in described else {},
            )


def _stem(name: str) -> str:
    """Return a file's name without folders and its ending; pathlib takes longer than all else."""
    if "/" in name or name.endswith("."):
        return PurePosixPath(name).stem
    return name.rpartition(".")[0] or name


def _entry(line: str, where: str) -> tuple[str, str]:
    cells = line.split()
    if len(cells) != 2:
        raise DataError(
            f"the line should be a name and a label; it is {quoted(line)}", where=where,
            fix="the release's lines are 'train_00001.jpg 5'; not those of RAF-ML",
        )  # fmt: skip
    code = records.as_whole(cells[1], "a label", where)
    if not 1 <= code <= len(LABELS):
        compound = len(LABELS) < code <= _COMPOUND
        raise DataError(
            f"label {quoted(code)} is not among 1 to {len(LABELS)}", where=where,
            fix="this is the list of the compound set; this task reads the basic one" * compound,
        )  # fmt: skip
    if cells[0].rpartition(".")[0].endswith("_aligned"):
        raise DataError(
            f"{quoted(cells[0])} is the name of an aligned face, which the list does not have",
            where=where, fix="write it without '_aligned', as the release does",
        )  # fmt: skip
    if not cells[0].startswith(tuple(f"{split}_" for split in SPLITS)):
        raise DataError(f"{quoted(cells[0])} starts with neither train_ nor test_", where=where)
    return cells[0], LABELS[code - 1]


def _groups(root: DataRoot, name: str) -> dict[str, Group]:
    """Return gender, race and age, which follow five lines of landmarks."""
    rows = list(records.lines(root, name))
    location = root.where(name)
    if len(rows) < _LANDMARKS + len(_ATTRIBUTES):
        raise DataError(
            f"the file has {len(rows)} lines, not five of landmarks and three of attributes",
            where=location,
        )
    groups = {}
    for (trait, values), (number, text) in zip(_ATTRIBUTES, rows[_LANDMARKS:], strict=False):
        where = f"{location}:{number}"
        code = records.as_whole(text, trait, where)
        if not 0 <= code < len(values):
            raise DataError(
                f"{trait} {quoted(code)} is not among 0 to {len(values) - 1}", where=where
            )
        groups[trait] = Group(values[code], "human")
    return groups
