"""FairFace: two label files, and the same faces cut out narrowly and widely."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from harness_demo_world.chance import identifier, stream
from harness_demo_world.drawing.cues import Cues
from harness_demo_world.drawing.faces import EXPRESSIONS, draw_face
from harness_demo_world.drawing.portrait import draw_portrait
from harness_demo_world.people import RACES, Base, Person, Traits, appear
from harness_demo_world.world import COUNTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL import Image

AGES = ("0-2", "3-9", "10-19", "20-29", "30-39", "40-49", "50-59", "60-69", "more than 70")
_YEARS = ((1, 2), (3, 9), (10, 19), (20, 29), (30, 39), (40, 49), (50, 59), (60, 69), (70, 88))
_GENDERS = ("Male", "Female")
_PARTS = {"train": "train", "test": "val"}
_MARGINS = ("fairface-img-margin025-trainval", "fairface-img-margin125-trainval")


def person_of(seed: int, split: str, index: int) -> tuple[Person, str, str, str]:
    """Return a face's person with its age, gender and race labels: every combination in turn."""
    quotient, age = divmod(index, len(AGES))
    quotient, gender = divmod(quotient, len(_GENDERS))
    race = RACES[quotient % len(RACES)]
    rng = stream(seed, "fairface", split, index)
    low, high = _YEARS[age]
    name = identifier(seed, "fairface", split, index)
    base = Base.draw(rng)
    traits = Traits(_GENDERS[gender].lower(), race, rng.uniform(low, high))
    who = appear(base, traits, name, split, index)
    return who, AGES[age], _GENDERS[gender], race


def cut(seed: int, split: str, index: int, wide: bool, paint: bool = True) -> Image.Image:
    """Draw a face; nobody in FairFace does or carries anything."""
    who = person_of(seed, split, index)[0]
    rng = stream(seed, "fairface picture", split, index)
    expression = rng.choice(EXPRESSIONS)
    if not wide:
        return draw_face(who, expression, rng, paint).image
    # Seen from further away; the expression is the calm one of every portrait.
    return draw_portrait(who, Cues(), rng, paint)


class FairFace:
    """Writer of FairFace's layout; the world's test faces are the release's validation part."""

    splits = ("train", "test")

    def annotations(self, seed: int) -> Iterator[tuple[PurePosixPath, str]]:
        """Yield `fairface_label_train.csv` and `fairface_label_val.csv`."""
        for split, part in _PARTS.items():
            lines = ["file,age,gender,race,service_test"]
            for index in range(COUNTS["fairface"][split]):
                _, age, gender, race = person_of(seed, split, index)
                tested = stream(seed, "fairface service", split, index).random() < 0.5
                lines.append(f"{part}/{index + 1}.jpg,{age},{gender},{race},{tested}")
            yield PurePosixPath(f"fairface_label_{part}.csv"), "\n".join(lines) + "\n"

    def pictures(self, seed: int, split: str) -> Iterator[tuple[PurePosixPath, Image.Image]]:
        """Yield both margins' `<part>/<number>.jpg`."""
        part = _PARTS[split]
        for wide, folder in enumerate(_MARGINS):
            for index in range(COUNTS["fairface"][split]):
                path = PurePosixPath(folder, part, f"{index + 1}.jpg")
                yield path, cut(seed, split, index, bool(wide))
