"""PAIRS: four people a scene who differ in race and gender only; labels are in folders and names.

Layout as the authors' repository has it (katiefraser/PAIRS): ``data/PART/SCENE/PERSON.png``. One
image of the release is misnamed: ``status/phone/white_man1.png``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from harness.descriptors import Json
from harness.errors import DataError, nearest, quoted
from harness.readers import records
from harness.samples import DataRoot, Group, ImageRef, Sample

from harness_people_benchmarks.readers.pairs_questions import QUESTIONS

SPLITS = ("test",)
PEOPLE = ("black_man", "black_woman", "white_man", "white_woman")
_MISNAMED = {("status", "phone", "white_man"): "white_man1.png"}


class Pairs:
    """Reader of PAIRS' release: one sample per image and question; a cluster is a scene.

    Images that are not there are samples all the same, recorded as errors; a file that is no
    person of the scene is refused.

    Args:
        options: ``unit`` (``scene`` or ``image``).
    """

    def __init__(self, options: Mapping[str, Json]) -> None:
        self._unit = records.choice(options, "unit", ("scene", "image"))

    def annotations(self, root: DataRoot, split: str) -> Sequence[str]:
        """Return none: folders and names are the labels."""
        del root
        records.known_split(split, SPLITS)
        return []

    def notes(self, root: DataRoot, split: str) -> list[str]:
        """Return what is read under another name than the layout's."""
        del split
        base = _base(root)
        return [
            f"{part}/{scene}/{name} is read as {person}.png, as the release misnames it"
            for (part, scene, person), name in _MISNAMED.items()
            if root.is_file(f"{base}{part}/{scene}/{name}")
        ]

    def samples(self, root: DataRoot, split: str) -> Iterator[Sample]:
        """Yield people and their questions, by part and scene.

        Raises:
            DataError: a folder that is not a scene of the release, or a file beside its four.
        """
        records.known_split(split, SPLITS)
        base = _base(root)
        if base:
            _refuse_unknown(root, base.rstrip("/"), QUESTIONS, "a part")
        for part, scenes in QUESTIONS.items():
            _refuse_unknown(root, f"{base}{part}", scenes)
            for scene, questions in scenes.items():
                names = _files(root, base, part, scene)
                for person in PEOPLE if questions else ():
                    image = ImageRef(f"{base}{part}/{scene}/{names[person]}", root)
                    yield from self._asked(image, part, scene, person)

    def _asked(self, image: ImageRef, part: str, scene: str, person: str) -> Iterator[Sample]:
        race, gender = person.split("_")
        groups = {
            "race": Group(race, "drawn"),
            "gender": Group(gender, "drawn"),
            "part": Group(part, "human"),
        }
        for number, question in enumerate(QUESTIONS[part][scene]):
            yield Sample(
                id=f"{part}/{scene}/{person}#{number}",
                images=(image,),
                target="unclear",
                cluster=f"{part}/{scene}" if self._unit == "scene" else f"{part}/{scene}/{person}",
                fields={
                    "question": question.text,
                    "first": question.first,
                    "second": question.second,
                    "preferred": question.preferred,
                    "set": f"{part}/{scene}#{number}",
                },
                groups=groups,
            )


def _base(root: DataRoot) -> str:
    """Return where the parts lie: in ``data/`` of the repository, or right in the folder."""
    base = "data/" if root.is_dir("data") else ""
    if not any(root.is_dir(f"{base}{part}") for part in QUESTIONS):
        raise DataError(
            f"none of the folders {', '.join(QUESTIONS)} exists",
            where=root,
            fix="name the folder of the repository katiefraser/PAIRS, or its folder data",
        )
    return base


def _refuse_unknown(
    root: DataRoot, folder: str, known: Mapping[str, object], noun: str = "a scene"
) -> None:
    for path in root.list(folder) if root.is_dir(folder) else ():
        name = path.rpartition("/")[2]
        if name not in known and not name.startswith(".") and root.is_dir(f"{folder}/{name}"):
            raise DataError(
                f"{quoted(name)} is not {noun} of this release",
                where=root.where(folder),
                fix=nearest(name, known),
            )


def _files(root: DataRoot, base: str, part: str, scene: str) -> dict[str, str]:
    """Return the file of each person of a scene, whether or not it is there."""
    folder = f"{base}{part}/{scene}"
    names = {person: f"{person}.png" for person in PEOPLE}
    for (of_part, of_scene, person), name in _MISNAMED.items():
        right = f"{folder}/{names[person]}"
        if (of_part, of_scene) == (part, scene) and not root.is_file(right):
            names[person] = name
    for path in root.list(folder) if root.is_dir(folder) else ():
        name = path.rpartition("/")[2]
        if name not in names.values() and not name.startswith("."):
            raise DataError(
                f"{quoted(name)} is not one of the four people of a scene",
                where=root.where(folder),
                fix=nearest(name, names.values()),
            )
    return names
