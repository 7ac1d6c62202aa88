"""CMSC: images whose names say concept, attributes and set; no official layout is known.

Names follow the default pattern of the task spec, `{concept}_{race}_{gender}_{age}_{set}`.
"""

from __future__ import annotations

from itertools import count
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from harness_demo_world.counterfactuals import (
    CounterfactualSet,
    Member,
    dealt,
    kept,
    part_of,
    picture,
)
from harness_demo_world.drawing.cues import CONCEPTS
from harness_demo_world.world import COUNTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL import Image

_TYPES = ("four races", "gender", "age")


def groups(seed: int) -> Iterator[CounterfactualSet]:
    """Yield the sets of all concepts; the seed is part of a set's name."""
    for concept in CONCEPTS:
        start = f"{seed:04d}-{concept.replace(' ', '-')}"
        named = (
            CounterfactualSet(f"{start}-{number:03d}", concept, _TYPES, number)
            for number in count()
        )
        yield from dealt(named, COUNTS["cmsc"])


def _name(group: CounterfactualSet, member: Member) -> str:
    race, gender, age = (member.values[kind] for kind in _TYPES)
    return f"{group.concept}_{race}_{gender}_{age}_{group.name}.jpg"


class Cmsc:
    """Writer of the drawn CMSC."""

    splits = ("train", "val", "test")

    def annotations(self, seed: int) -> Iterator[tuple[PurePosixPath, str]]:
        """Yield a note only: the labels are in the names of the images."""
        del seed
        yield PurePosixPath("README.txt"), "Drawn by the demo world; no file of the CMSC release.\n"

    def pictures(self, seed: int, split: str) -> Iterator[tuple[PurePosixPath, Image.Image]]:
        """Yield `<concept>_<race>_<gender>_<age>_<set>.jpg`."""
        for group in groups(seed):
            if part_of(group) == split:
                for member in kept(seed, group, training=split == "train"):
                    yield PurePosixPath(_name(group, member)), picture(seed, group, member)
