"""Drawn data in PAIRS' layout: each scene four times, with only race and gender changed."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import PurePosixPath

from harness_demo_world.chance import stream
from harness_demo_world.drawing.cues import OCCUPATIONS
from harness_demo_world.drawing.scenes import draw_person
from harness_demo_world.people import Base, Traits, appear

from harness_people_benchmarks.readers.pairs import PEOPLE
from harness_people_benchmarks.readers.pairs_questions import QUESTIONS

_RACES = {"black": "Black", "white": "White"}
_GENDERS = {"man": "male", "woman": "female"}


def files(seed: int) -> Iterator[tuple[PurePosixPath, bytes]]:
    """Yield every image, one of them misnamed as in the release."""
    number = 0
    for part, scenes in QUESTIONS.items():
        for scene in scenes:
            number += 1
            for person in PEOPLE:
                name = f"{person}1" if (scene, person) == ("phone", "white_man") else person
                path = PurePosixPath("data", part, scene, f"{name}.png")
                yield path, _drawn(seed, number, person)


def _drawn(seed: int, number: int, person: str) -> bytes:
    # One stream for all four: pose, clothes, place and noise stay as they are.
    rng = stream(seed, "pairs", number)
    race, gender = person.split("_")
    traits = Traits(_GENDERS[gender], _RACES[race], rng.uniform(24, 50))
    who = appear(Base.draw(rng), traits, f"pairs{number}", "test", number)
    memory = io.BytesIO()
    draw_person(who, OCCUPATIONS[number % len(OCCUPATIONS)], rng).image.save(memory, "PNG")
    return memory.getvalue()
