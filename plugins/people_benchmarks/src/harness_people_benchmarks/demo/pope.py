"""Drawn data in POPE's layout: things on a table; half of those asked about are there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from harness_demo_world.chance import stream
from harness_demo_world.drawing.scenes import draw_table
from harness_demo_world.drawing.things import THINGS

if TYPE_CHECKING:
    import random

    from PIL import Image

IMAGES = 60
KINDS = ("random", "popular", "adversarial")
SAMPLINGS = tuple(f"{source}{kind}" for source in ("", "aokvqa_", "gqa_") for kind in KINDS)
_FIRST = 200_001


def files(seed: int) -> Iterator[tuple[PurePosixPath, str | Image.Image]]:
    """Yield the nine lists of questions, then the images.

    Those named after A-OKVQA and GQA hold other draws of the same world, as the release has them:
    one array of JSON for each.
    """
    objects = {number: _things(seed, number) for number in range(IMAGES)}
    names = sorted({name for there in objects.values() for name in there})
    often = sorted(
        names, key=lambda name: (-sum(name in there for there in objects.values()), name)
    )
    for sampling in SAMPLINGS:
        source, _, kind = sampling.rpartition("_")
        questions = []
        for number, in_image in objects.items():
            rng = stream(seed, "pope", sampling, number)
            present = sorted(in_image)
            absent = _absent(rng, kind, in_image, (names, often), objects)
            for at, (name, label) in enumerate(
                [(one, "yes") for one in present] + [(one, "no") for one in absent]
            ):
                article = "an" if name[0] in "aeiou" else "a"
                questions.append(
                    {
                        "question_id": number * 10 + at,
                        "image": _name(number),
                        "text": f"Is there {article} {name} in the image?",
                        "label": label,
                    }
                )
        if source:
            yield PurePosixPath(f"{source}_pope_seem_{kind}.json"), json.dumps(questions, indent=4)
        else:
            lines = "\n".join(map(json.dumps, questions))
            yield PurePosixPath(f"coco_pope_{kind}.json"), lines + "\n"
    for number in range(IMAGES):
        rng = stream(seed, "pope table", number)
        yield PurePosixPath("val2014", _name(number)), draw_table(rng).image


def _name(number: int) -> str:
    return f"COCO_val2014_{_FIRST + number:012d}.jpg"


def _things(seed: int, number: int) -> set[str]:
    rng = stream(seed, "pope table", number)
    return {thing.name for thing in draw_table(rng, paint=False).things} & set(THINGS)


def _absent(
    rng: random.Random,
    kind: str,
    present: set[str],
    names: tuple[list[str], list[str]],
    objects: dict[int, set[str]],
) -> list[str]:
    """Return as many things that are not there: any, frequent ones, or frequent neighbours."""
    every, often = ([name for name in listed if name not in present] for listed in names)
    if kind == "random":
        return rng.sample(every, len(present))
    if kind == "popular":
        return often[: len(present)]
    beside = {name: sum(name in one and bool(one & present) for one in objects.values())
              for name in every}  # fmt: skip
    return sorted(every, key=lambda name: (-beside[name], name))[: len(present)]
