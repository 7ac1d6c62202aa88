"""Images of one or two drawn people beside each other, for twins with boxes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness_demo_world.chance import stream
from harness_demo_world.drawing.faces import EXPRESSIONS, SIZE, draw_face
from harness_demo_world.people import Person, pick

if TYPE_CHECKING:
    from collections.abc import Sequence

    from PIL import Image


def crowd(seed: int, name: str, split: str, number: int) -> tuple[Image.Image, list[Person]]:
    """Draw people for one image: two where its number is odd; each is ``SIZE`` wide."""
    rng = stream(seed, name, split, number)
    people = [pick(rng, seed, split) for _ in range(1 + number % 2)]
    faces = [draw_face(who, rng.choice(EXPRESSIONS), rng).image for who in people]
    return beside(faces), people


def beside(faces: Sequence[Image.Image]) -> Image.Image:
    """Return faces as one image, from left to right."""
    image = faces[0].resize((SIZE * len(faces), SIZE))
    for index, face in enumerate(faces):
        image.paste(face, (SIZE * index, 0))
    return image
