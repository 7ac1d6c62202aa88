"""MIAP's twin: one or two drawn faces an image, a box around each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from harness_demo_world.chance import identifier, stream

from harness_people_benchmarks.demo.crowd import crowd
from harness_people_benchmarks.readers.miap import FEMININE, MASCULINE, UNKNOWN

if TYPE_CHECKING:
    from harness_demo_world.people import Person
    from PIL import Image

IMAGES = {"train": 24, "val": 12, "test": 40}
_GENDERS = {"male": MASCULINE, "female": FEMININE}
_HEADER = (
    "ImageID,LabelName,Confidence,XMin,XMax,YMin,YMax,IsOccluded,IsTruncated,IsGroupOf,"
    "IsDepictionOf,IsInsideOf,GenderPresentation,AgePresentation"
)
_SEEN = 0.9  # share of people whose gender presentation the drawn annotators note


def files(seed: int) -> Iterator[tuple[PurePosixPath, str | Image.Image]]:
    """Yield each split's boxes, then the images."""
    images = []
    for split, count in IMAGES.items():
        lines = [_HEADER]
        for number in range(count):
            name = identifier(seed, "miap", split, number)[:16]
            image, people = crowd(seed, "miap", split, number)
            images.append((PurePosixPath(split, f"{name}.jpg"), image))
            rng = stream(seed, "miap labels", split, number)
            for index, who in enumerate(people):
                left, right = index / len(people), (index + 1) / len(people)
                gender = _GENDERS[who.gender] if rng.random() < _SEEN else UNKNOWN
                lines.append(
                    f"{name},/m/01g317,1,{left:.6f},{right:.6f},0.000000,1.000000,0,0,0,1,0,"
                    f"{gender},{_age(who)}"
                )
        yield (
            PurePosixPath(f"open_images_extended_miap_boxes_{split}.csv"),
            "\n".join(lines) + "\n",
        )
    yield from images


def _age(who: Person) -> str:
    return "Young" if who.age < 18 else "Older" if who.senior else "Middle"
