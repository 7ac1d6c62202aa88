"""Drawn data in ImageNet's layout: eight kinds of things, in folders of similar classes."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from harness_demo_world.chance import stream
from harness_demo_world.drawing.scenes import draw_table

if TYPE_CHECKING:
    from PIL import Image

CLASSES = {
    "ball": "n04254680", "cup": "n07930864", "book": "n07248320", "star": "n02317335",
    "apple": "n07742313", "box": "n02971356", "flower": "n11939491",
}  # fmt: skip
"""Drawn thing to class; lamps are not drawn on tables."""

_EACH = 12


def files(seed: int) -> Iterator[tuple[PurePosixPath, Image.Image]]:
    """Yield images that show one kind of thing alone."""
    wanted = dict.fromkeys(CLASSES, _EACH)
    for number in count():
        objects = draw_table(stream(seed, "imagenet", number), paint=False).things
        names = {thing.name for thing in objects}
        name = names.pop()
        if names or not wanted.get(name):
            continue
        wanted[name] -= 1
        image = draw_table(stream(seed, "imagenet", number)).image
        file = f"ILSVRC2012_val_{number:08d}.JPEG"
        yield PurePosixPath("val", CLASSES[name], file), image
        if not any(wanted.values()):
            return
