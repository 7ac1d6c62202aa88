"""Portraits of the drawn world that the demo's diffusion model learns from, and their captions.

Every person stands at one place and is cut to head, shoulders and a raised hand, so that 32 x 32
pixels show skin, hair and what a concept adds. The people are those of the drawn world's sets.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from PIL import Image

SIDE = 32
ATTRIBUTES = ("race", "gender", "age")
CAPTION = "{age} {race} {gender}, {concept}"
_SEED = 0
_HEAD, _RADIUS, _CROP = (45, 34), 15, (22, 10, 86, 74)


def portraits(numbers: Iterable[int]) -> Iterator[tuple[Image.Image, dict[str, str]]]:
    """Yield 24 portraits for each number, and what ``CAPTION`` says of each.

    Args:
        numbers: A set each; its concept is ``CONCEPTS[number % 18]``. Its members are the drawn
            CMSC's four races, two genders and three ages, with everything else equal.
    """
    from harness_demo_world.chance import stream
    from harness_demo_world.counterfactuals import CounterfactualSet, cues, members
    from harness_demo_world.drawing.canvas import Canvas, backdrop
    from harness_demo_world.drawing.cues import CONCEPTS
    from harness_demo_world.drawing.places import place
    from harness_demo_world.drawing.portrait import SIZE, Stand, figure
    from PIL import Image

    types = ("four races", "gender", "age")
    for number in numbers:
        concept = CONCEPTS[number % len(CONCEPTS)]
        group = CounterfactualSet(f"train_demo-{number}", concept, types, number)
        cue_marks = cues(_SEED, group)
        for member in members(_SEED, group):
            rng = stream(_SEED, "train_demo", group.name)
            canvas = Canvas(SIZE, SIZE)
            backdrop(canvas, rng)
            place(canvas, cue_marks.place, rng)
            figure(canvas, member.who, cue_marks, Stand(_HEAD, _RADIUS, 1))
            image = canvas.image().convert("RGB").crop(_CROP)
            race, gender, age = (member.values[kind] for kind in types)
            portrayed = {"race": race, "gender": gender, "age": age, "concept": concept}
            yield image.resize((SIDE, SIDE), Image.Resampling.BOX), portrayed


def pixels(images: Iterable[Image.Image]) -> torch.Tensor:
    """Return images as (images, 3, height, width) float32 in [-1, 1]."""
    arrays = [np.asarray(image.convert("RGB"), dtype=np.float32) for image in images]
    return torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2) / 127.5 - 1


def drawn(numbers: Iterable[int]) -> tuple[torch.Tensor, list[Mapping[str, str]]]:
    """Return the portraits of some sets as :func:`pixels`, and what each shows."""
    images, portrayed = zip(*portraits(numbers), strict=True)
    return pixels(images), list(portrayed)
