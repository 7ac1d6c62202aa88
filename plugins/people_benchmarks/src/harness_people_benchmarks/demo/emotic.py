"""Drawn data in EMOTIC's layout: one or two faces per image, with categories near expressions."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from harness_demo_world.chance import stream
from harness_demo_world.drawing.faces import EXPRESSIONS, SIZE, draw_face
from harness_demo_world.people import Person, pick

from harness_people_benchmarks.demo.crowd import beside

if TYPE_CHECKING:
    import random

    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

IMAGES = {"train": 50, "val": 20, "test": 90}
_NEAR = {
    "surprise": ("Surprise", "Excitement", "Anticipation"),
    "fear": ("Fear", "Disquietment", "Doubt/Confusion"),
    "disgust": ("Aversion", "Disapproval", "Annoyance"),
    "happiness": ("Happiness", "Pleasure", "Affection"),
    "sadness": ("Sadness", "Suffering", "Fatigue"),
    "anger": ("Anger", "Annoyance", "Disapproval"),
    "neutral": ("Peace", "Engagement", "Disconnection"),
}
_ADULT, _TEENAGER = 20, 13
_HEADER = b"MATLAB 5.0 MAT-file, drawn"  # scipy writes the date here


def files(seed: int) -> Iterator[tuple[PurePosixPath, bytes | Image.Image]]:
    """Yield the file of annotations, then the images."""
    import scipy.io

    content, images = {}, []
    for split, count in IMAGES.items():
        entries = []
        for number in range(count):
            image, people = _drawn(seed, split, number)
            name = f"{split}{number:04d}.jpg"
            images.append((PurePosixPath("emotic", "drawn", "images", name), image))
            entries.append(_entry(name, image.size, people, split))
        content[split] = _structures(entries)
    memory = io.BytesIO()
    save: Any = scipy.io.savemat  # takes files too, which its stubs do not know
    save(memory, content)
    written = memory.getvalue()
    yield PurePosixPath("Annotations", "Annotations.mat"), _HEADER.ljust(116) + written[116:]
    yield from images


def _drawn(seed: int, split: str, number: int) -> tuple[Image.Image, list[tuple[Person, str]]]:
    rng = stream(seed, "emotic", split, number)
    people = [
        (pick(rng, seed, split), EXPRESSIONS[(number + 3 * at) % len(EXPRESSIONS)])
        for at in range(1 + number % 2)
    ]
    faces = [draw_face(who, expression, rng).image for who, expression in people]
    return beside(faces), [(who, _categories(expression, rng)) for who, expression in people]


def _categories(expression: str, rng: random.Random) -> str:
    first, *others = _NEAR[expression]
    return ",".join([first, *(name for name in others if rng.random() < 0.5)])


def _entry(
    name: str, size: tuple[int, int], people: list[tuple[Person, str]], split: str
) -> dict[str, Any]:
    persons = []
    for index, (who, named) in enumerate(people):
        categories = _cell(named.split(","))
        listed = _structures([{"categories": categories}])
        box = [float(index * SIZE), 0.0, float((index + 1) * SIZE - 1), float(SIZE - 1)]
        feelings = _structures([{"valence": 5.0, "arousal": 5.0, "dominance": 5.0}])
        combined = {} if split == "train" else {"combined_categories": categories}
        mean = {} if split == "train" else {"combined_continuous": feelings}
        age = "Adult" if who.age >= _ADULT else "Teenager" if who.age >= _TEENAGER else "Kid"
        persons.append(
            {"body_bbox": box, "annotations_categories": listed, **combined,
             "annotations_continuous": feelings, **mean, "gender": who.gender.capitalize(),
             "age": age}
        )  # fmt: skip
    shape = _structures([{"n_col": float(size[0]), "n_row": float(size[1])}])
    database = _structures([{"name": "drawn", "info": name}])
    return {"filename": name, "folder": "drawn/images", "image_size": shape,
            "original_database": database, "person": _structures(persons)}  # fmt: skip


def _structures(entries: list[dict[str, Any]]) -> NDArray[np.void]:
    """Return a list of structures as MATLAB has it, ``(1, N)``."""
    import numpy as np

    array = np.empty((1, len(entries)), dtype=[(name, object) for name in entries[0]])
    for index, entry in enumerate(entries):
        for name, value in entry.items():
            array[0, index][name] = value
    return array


def _cell(values: list[str]) -> NDArray[np.object_]:
    import numpy as np

    cell = np.empty((1, len(values)), dtype=object)
    cell[0] = values
    return cell
