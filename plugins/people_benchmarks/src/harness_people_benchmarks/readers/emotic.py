"""EMOTIC: people in scenes, each with some of 26 emotion categories (Kosti et al., TPAMI 2020).

Layout as the public converter reads it (Tandon-A/emotic, ``mat2py.py``): ``Annotations.mat`` with
the structures ``train``, ``val`` and ``test``, fields by position; images below ``emotic/``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness.descriptors import Json
from harness.errors import DataError, nearest, quoted
from harness.readers import records
from harness.samples import Box, DataRoot, Group, ImageRef, Sample
from harness_benchmarks.readers.passed_over import PassedOver, Repeats

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FILES = ("Annotations/Annotations.mat", "Annotations.mat")
SPLITS = ("train", "val", "test")
CATEGORIES = (
    "Affection", "Anger", "Annoyance", "Anticipation", "Aversion", "Confidence", "Disapproval",
    "Disconnection", "Disquietment", "Doubt/Confusion", "Embarrassment", "Engagement", "Esteem",
    "Excitement", "Fatigue", "Fear", "Happiness", "Pain", "Peace", "Pleasure", "Sadness",
    "Sensitivity", "Suffering", "Surprise", "Sympathy", "Yearning",
)  # fmt: skip
GENDERS, AGES = ("Male", "Female"), ("Kid", "Teenager", "Adult")
NONE = "people without a category, left out"
LARGEST = 1 << 30  # bytes of the file of annotations
_PERSON = {"train": 5, "val": 7, "test": 7}  # fields: those of several annotators are combined


class Emotic:
    """Reader of EMOTIC's release: one sample per person; the target is the list of categories.

    The combined categories of a test person are those that any of its annotators chose.

    Args:
        options: ``unit`` (``image``).
    """

    def __init__(self, options: Mapping[str, Json]) -> None:
        records.choice(options, "unit", ("image",))
        self._passed = PassedOver()

    def annotations(self, root: DataRoot, split: str) -> Sequence[str]:
        """Return the one file of annotations."""
        records.known_split(split, SPLITS)
        return [next((name for name in FILES if root.is_file(name)), FILES[0])]

    def samples(self, root: DataRoot, split: str) -> Iterator[Sample]:
        """Yield a split's people by image.

        Raises:
            DataError: no MATLAB file of version 5, or an entry that is not as the release has it.
        """
        file = self.annotations(root, split)[0]
        passed = self._passed.begin(root, split)
        folder = "emotic/" if root.is_dir("emotic") else ""
        seen: dict[str, int] = {}
        repeats = Repeats()
        for number, entry in enumerate(_structure(root, file, split)):
            where = f"{root.where(file)}: {split}({number + 1})"
            image, size, people = _image(entry, where)
            for person in people:
                person_number = seen[image] = seen.get(image, 0) + 1
                at = f"{where}, person {person_number}"
                fields = _fields(person, _PERSON[split], at)
                categories = _categories(fields, split, at)
                if not categories:
                    passed[NONE] += 1
                    continue
                x1, y1, x2, y2 = records.numbers(_flat(fields[0]), 4, "the box", at)
                yield Sample(
                    id=f"{image}#{person_number}",
                    images=(ImageRef(f"{folder}{image}", root),),
                    target=list[Json](categories),
                    cluster=image,
                    boxes=(Box("person", x1, y1, x2, y2, size=size),),
                    groups=_groups(fields[-2:], at),
                    notes=repeats.notes(image, x1, y1, x2, y2, *categories),
                )

    def passed_over(self, root: DataRoot, split: str) -> Mapping[str, int]:
        """Return how many people have no category."""
        return self._passed.of(self, root, split)


def _structure(root: DataRoot, file: str, split: str) -> list[Any]:
    """Return a split's entries; scipy reads numbers and texts alone, and nothing is run."""
    import io

    import scipy.io

    where, data = root.where(file), root.read_bytes(file, LARGEST)
    load: Any = scipy.io.loadmat  # takes files too, which its stubs do not know
    try:
        content = load(io.BytesIO(data), variable_names=[split], struct_as_record=True)
    except Exception as error:  # noqa: BLE001  scipy raises what its parser stumbles over
        raise DataError(
            f"no MATLAB file of version 5: {str(error).partition(chr(10))[0][:120]}", where=where,
            fix="Annotations.mat of the release; a copy of version 7.3 has to be saved with -v7",
        ) from None  # fmt: skip
    if split not in content:
        raise DataError(f"the file holds no {split!r}", where=where, fix="train, val and test")
    entries: NDArray[np.object_] = content[split]
    if entries.dtype.names is None:
        raise DataError(f"{split!r} is not a list of structures", where=where)
    return list(entries.ravel())


def _image(entry: Any, where: str) -> tuple[str, tuple[int, int] | None, list[Any]]:
    """Return an image's path below ``emotic/``, its size, and its people."""
    fields = _fields(entry, 5, where)
    path = f"{_word(fields[1], 'the folder', where)}/{_word(fields[0], 'the file', where)}"
    sides = [side for value in _fields(_one(fields[2]), 2, where) for side in _flat(value)]
    width, height = records.numbers(sides, 2, "the image's size", where)
    size = (int(width), int(height)) if min(width, height) >= 1 else None
    return path, size, list(fields[4].ravel())


def _categories(fields: Sequence[Any], split: str, where: str) -> list[str]:
    """Return a person's categories in the release's order: one annotator's, or the combined."""
    cell = fields[1] if split == "train" else fields[2]
    if split == "train" and getattr(cell, "dtype", None) is not None and cell.dtype.names:
        cell = _fields(_one(cell), 1, where)[0] if cell.size else cell.ravel()
    named = {_word(one, "a category", where) for one in cell.ravel()}
    for name in named:
        if name not in CATEGORIES:
            raise DataError(f"{quoted(name)} is not a category", where=where,
                            fix=nearest(name, CATEGORIES))  # fmt: skip
    return [name for name in CATEGORIES if name in named]


def _groups(values: Sequence[Any], where: str) -> dict[str, Group]:
    groups = {}
    for name, value, allowed in zip(("gender", "age"), values, (GENDERS, AGES), strict=True):
        word = _word(value, f"the {name}", where)
        if word not in allowed:
            raise DataError(f"{quoted(word)} is no {name}", where=where, fix=", ".join(allowed))
        groups[name] = Group(word)
    return groups


def _fields(value: Any, count: int, where: str) -> list[Any]:
    """Return a structure's fields in order; names differ between copies, places do not."""
    names = getattr(getattr(value, "dtype", None), "names", None)
    if names is None or len(names) != count:
        raise DataError(f"a structure of {count} fields was expected", where=where)
    return [value[name] for name in names]


def _one(value: Any) -> Any:
    """Return the one entry of an array of one."""
    return value.ravel()[0] if getattr(value, "size", 0) == 1 else value


def _flat(value: Any) -> list[Any]:
    """Return the numbers of an array, however it is nested."""
    return list(value.ravel().tolist()) if hasattr(value, "ravel") else [value]


def _word(value: Any, owner: str, where: str) -> str:
    """Return a text, in as many arrays as MATLAB has put it."""
    import numpy as np

    while isinstance(value, np.ndarray):  # a number taken out of one has the same methods
        if value.size != 1:
            raise DataError(f"{owner} is not text", where=where)
        value = value.ravel()[0]
    return records.as_text(value, owner, where).strip()
