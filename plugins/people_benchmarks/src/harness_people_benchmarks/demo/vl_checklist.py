"""Drawn data in VL-CheckList's layout: people at work or together, and things; one word differs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from harness_demo_world.chance import stream
from harness_demo_world.drawing.cues import OCCUPATIONS
from harness_demo_world.drawing.scenes import draw_person, draw_table
from harness_demo_world.drawing.things import THINGS, TINTS
from harness_demo_world.people import pick

from harness_people_benchmarks.readers.vl_checklist import PARTS

if TYPE_CHECKING:
    from PIL import Image

_PEOPLE, _THINGS, _EACH = 48, 48, 12


def files(seed: int) -> Iterator[tuple[PurePosixPath, str | Image.Image]]:
    """Yield the lists of all parts, then the images."""
    for number, name in enumerate(sorted({name for names in PARTS.values() for name in names})):
        about_things = name.startswith("Attribute") or "/vg" in name
        entries = [
            _things(seed, (number * _EACH + at) % _THINGS) if about_things
            else _person(seed, name, (number * _EACH + at) % _PEOPLE)
            for at in range(_EACH)
        ]  # fmt: skip
        yield PurePosixPath("data", f"{name}.json"), json.dumps(entries)
    for number in range(_PEOPLE):
        image = _at_work(seed, number)[1]
        yield PurePosixPath("hake", "hico_20160224_det", "images", f"{number}.jpg"), image
        yield PurePosixPath("swig", f"{number}.jpg"), image
    for number in range(_THINGS):
        rng = stream(seed, "vl_checklist table", number)
        yield PurePosixPath("vg", "VG_100K", f"{number}.jpg"), draw_table(rng).image


def _at_work(seed: int, number: int) -> tuple[str, Image.Image]:
    rng = stream(seed, "vl_checklist", number)
    occupation = OCCUPATIONS[number % len(OCCUPATIONS)]
    return occupation, draw_person(pick(rng, seed, "test"), occupation, rng, chance=0.9).image


def _person(seed: int, name: str, number: int) -> list[object]:
    occupation = OCCUPATIONS[number % len(OCCUPATIONS)]
    rng = stream(seed, "vl_checklist texts", name, number)
    other = rng.choice([one for one in OCCUPATIONS if one != occupation])
    folder = "" if "swig" in name else "hico_20160224_det/images/"
    texts = {"POS": [f"a {occupation} at work"], "NEG": [f"a {other} at work"]}
    return [f"{folder}{number}.jpg", texts]


def _things(seed: int, number: int) -> list[object]:
    rng = stream(seed, "vl_checklist table", number)
    drawn_object = draw_table(rng, paint=False).things[0]
    other = rng.choice([name for name in THINGS if name != drawn_object.name])
    colour = rng.choice([tint for tint in TINTS if tint != drawn_object.colour])
    wrong = f"{drawn_object.colour} {other}" if number % 2 else f"{colour} {drawn_object.name}"
    texts = {"POS": [f"{drawn_object.colour} {drawn_object.name}"], "NEG": [wrong]}
    return [f"VG_100K/{number}.jpg", texts]
