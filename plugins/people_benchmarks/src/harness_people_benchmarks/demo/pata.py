"""PATA's twin: drawn people at work, every ethnicity, gender and age; some links have rotted."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from harness_demo_world.chance import stream
from harness_demo_world.drawing.scenes import draw_person
from harness_demo_world.people import Base, Traits, appear

from harness_people_benchmarks.readers.pata import FETCHED, LIST

if TYPE_CHECKING:
    from PIL import Image

SCENES = ("teacher", "chef", "farmer")
_RACES = {"black": "Black", "caucasian": "White", "eastasian": "East Asian",
          "hispanic": "Latino_Hispanic", "indian": "Indian"}  # fmt: skip
_YEARS = {"young": (18, 34), "old": (62, 82)}
_ROTTED = 15  # each such line has no image


def files(seed: int) -> Iterator[tuple[PurePosixPath, str | Image.Image]]:
    """Yield the list, then the images that were fetched."""
    labels = list(product(SCENES, _RACES, ("male", "female"), _YEARS))
    lines = [
        f"{'_'.join(label)}|https://drawn.example/{number}.jpg"
        for number, label in enumerate(labels)
    ]
    yield PurePosixPath(LIST), "\n".join(lines) + "\n"
    for number, (scene, race, gender, age) in enumerate(labels):
        if number % _ROTTED == _ROTTED - 1:
            continue
        rng = stream(seed, "pata", number)
        traits = Traits(gender, _RACES[race], rng.uniform(*_YEARS[age]))
        who = appear(Base.draw(rng), traits, f"pata{number}", "test", number)
        name = f"{scene}_{race}_{gender}_{age}_{number}.jpg"
        yield PurePosixPath(FETCHED, name), draw_person(who, scene, rng).image
