"""RAF-DB, basic set: one label list, aligned faces, one attribute file a face."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from harness_demo_world.drawing.faces import EXPRESSIONS
from harness_demo_world.world import COUNTS, expression, face

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL import Image

    from harness_demo_world.people import Person

_DIGITS = {"train": 5, "test": 4}
_GENDER = {"male": 0, "female": 1}
# The release knows three codes: 0 Caucasian, 1 African-American, 2 Asian.
_RACE = {"White": 0, "Latino_Hispanic": 0, "Middle Eastern": 0, "Black": 1, "East Asian": 2,
         "Southeast Asian": 2, "Indian": 2}  # fmt: skip


def _name(split: str, index: int) -> str:
    return f"{split}_{index + 1:0{_DIGITS[split]}d}"


def _age(who: Person) -> int:
    """Return the release's age code: up to 3, 4-19, 20-39, 40-69, 70 and more."""
    return sum(who.age >= start for start in (4, 20, 40, 70))


class RafDb:
    """Writer of RAF-DB's layout."""

    splits = ("train", "test")

    def annotations(self, seed: int) -> Iterator[tuple[PurePosixPath, str]]:
        """Yield the label list, and attribute files of all splits: the reader hashes them all."""
        for split in self.splits:
            yield from self._attributes(seed, split)
        yield self._labels()

    def _labels(self) -> tuple[PurePosixPath, str]:
        """Return the label list of all splits."""
        lines = [
            f"{_name(split, index)}.jpg {EXPRESSIONS.index(expression(index)) + 1}"
            for split in self.splits
            for index in range(COUNTS["raf_db"][split])
        ]
        path = PurePosixPath("basic", "EmoLabel", "list_patition_label.txt")
        return path, "\n".join(lines) + "\n"

    @staticmethod
    def _attributes(seed: int, split: str) -> Iterator[tuple[PurePosixPath, str]]:
        """Yield each face's file of landmarks, gender, race and age."""
        folder = PurePosixPath("basic", "Annotation", "manual")
        for index in range(COUNTS["raf_db"][split]):
            who, _, scene = face(seed, split, index, paint=False)
            points = [f"{x:.3f}\t{y:.3f}" for x, y in scene.landmarks]
            codes = [str(code) for code in (_GENDER[who.gender], _RACE[who.race], _age(who))]
            path = folder / f"{_name(split, index)}_manu_attri.txt"
            yield path, "\n".join([*points, *codes]) + "\n"

    def pictures(self, seed: int, split: str) -> Iterator[tuple[PurePosixPath, Image.Image]]:
        """Yield `basic/Image/aligned/<name>_aligned.jpg`."""
        folder = PurePosixPath("basic", "Image", "aligned")
        for index in range(COUNTS["raf_db"][split]):
            yield folder / f"{_name(split, index)}_aligned.jpg", face(seed, split, index)[2].image
