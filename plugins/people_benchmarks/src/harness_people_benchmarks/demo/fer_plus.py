"""Drawn data in FER+'s layout: grey faces, with ten votes each."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from harness_demo_world.chance import stream
from harness_demo_world.drawing.faces import EXPRESSIONS
from harness_demo_world.world import face

from harness_people_benchmarks.readers.fer_plus import EMOTIONS, FILE, SPLITS

if TYPE_CHECKING:
    from PIL import Image

COUNTS = {"train": 140, "val": 35, "test": 140}
_VOTERS = 10
_SURE = 0.8
_SIDE = 48
_DRAWN = {"train": "train", "val": "train", "test": "test"}


def files(seed: int) -> Iterator[tuple[PurePosixPath, str | bytes]]:
    """Yield the file of votes, then the faces."""
    lines = [",".join(("Usage", "Image name", *EMOTIONS, "unknown", "NF"))]
    faces = []
    number = 0
    for split, count in COUNTS.items():
        usage, folder = SPLITS[split]
        for index in range(count):
            name = f"fer{number:07d}.png"
            index_in_split = index + (COUNTS["train"] if split == "val" else 0)
            lines.append(f"{usage},{name},{_votes(seed, number, EXPRESSIONS[index_in_split % 7])}")
            faces.append((PurePosixPath(folder, name), split, index_in_split))
            number += 1
    yield PurePosixPath(FILE), "\n".join(lines) + "\n"
    for path, split, index_in_split in faces:
        yield path, _grey(face(seed, _DRAWN[split], index_in_split)[2].image)


def _votes(seed: int, number: int, expression: str) -> str:
    rng = stream(seed, "fer_plus", number)
    counts = dict.fromkeys((*EMOTIONS, "unknown", "NF"), 0)
    for _ in range(_VOTERS):
        counts[expression if rng.random() < _SURE else rng.choice((*EMOTIONS, "unknown"))] += 1
    return ",".join(map(str, counts.values()))


def _grey(image: Image.Image) -> bytes:
    memory = io.BytesIO()
    image.convert("L").resize((_SIDE, _SIDE)).save(memory, "PNG")
    return memory.getvalue()
