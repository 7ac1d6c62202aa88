"""PHASE's twin: one or two drawn faces an image, each described by three drawn annotators."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from harness_demo_world.chance import stream
from harness_demo_world.drawing.faces import SIZE

from harness_people_benchmarks.demo.crowd import crowd

if TYPE_CHECKING:
    import random

    from harness_demo_world.people import Person
    from PIL import Image

IMAGES = {"train": 24, "val": 60}
_DRAWN = {"train": "train", "val": "test"}
_ANNOTATORS = 3
_SURE = 0.9
_ETHNICITIES = {
    "White": "white", "Black": "black", "Latino_Hispanic": "latino", "East Asian": "asian",
    "Southeast Asian": "asian", "Indian": "indian", "Middle Eastern": "middle eastern",
}  # fmt: skip


def files(seed: int) -> Iterator[tuple[PurePosixPath, str | Image.Image]]:
    """Yield each split's annotations, then the images, whose names have no suffix."""
    images = []
    for split, count in IMAGES.items():
        entries = {}
        for number in range(count):
            image, people = crowd(seed, "phase", _DRAWN[split], number)
            rng = stream(seed, "phase labels", split, number)
            name = f"{number:06d}"
            images.append((PurePosixPath(split, name), image))
            entries[name] = {
                "caption": "a drawn person",
                **{f"person_{index}": _person(who, index, rng) for index, who in enumerate(people)},
            }
        yield PurePosixPath(f"phase_gcc_{split}_all_20221101.json"), json.dumps(entries)
    yield from images


def _person(who: Person, index: int, rng: random.Random) -> dict[str, object]:
    age = "child" if who.child else "young" if who.age < 20 else "senior" if who.senior else "adult"
    true = {"gender": who.gender, "age": age, "ethnicity": _ETHNICITIES[who.race]}
    return {
        "region": [SIZE * index, 0, SIZE * (index + 1), SIZE],
        "annotations": [
            {"worker": worker, "activity": "posing", "emotion": "neutral"}
            | {name: value if rng.random() < _SURE else "unsure" for name, value in true.items()}
            for worker in range(_ANNOTATORS)
        ],
    }
