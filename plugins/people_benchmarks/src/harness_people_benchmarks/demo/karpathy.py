"""Drawn data in Karpathy's JSON for COCO and Flickr30k: people, things, and captions."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from harness_demo_world.chance import stream
from harness_demo_world.drawing.cues import OCCUPATIONS
from harness_demo_world.drawing.scenes import draw_person, draw_table
from harness_demo_world.people import pick
from harness_demo_world.training.words import person_captions, table_captions

if TYPE_CHECKING:
    from PIL import Image

IMAGES = {"coco": {"train": 20, "restval": 10, "val": 20, "test": 80}, "flickr30k": {"test": 40}}
_LONGER = 10  # every tenth image has a sixth caption, as some of COCO have


def files(seed: int) -> Iterator[tuple[PurePosixPath, str | Image.Image]]:
    """Yield the two files of captions, each before its images."""
    for dataset, splits in IMAGES.items():
        entries, images = [], []
        for number, split in enumerate(
            split for split, count in splits.items() for _ in range(count)
        ):
            image, captions = _drawn(seed, dataset, number, split)
            name, folder = _named(dataset, number, split)
            entries.append(
                {
                    **({"filepath": folder} if dataset == "coco" else {}),
                    "filename": name,
                    "imgid": number,
                    "split": split,
                    "sentences": [
                        {"raw": text, "tokens": text.lower().split(), "imgid": number}
                        for text in captions
                    ],
                }
            )
            images.append((PurePosixPath(folder, name), image))
        text = json.dumps({"images": entries, "dataset": dataset})
        yield PurePosixPath(f"dataset_{dataset}.json"), text
        yield from images


def _named(dataset: str, number: int, split: str) -> tuple[str, str]:
    if dataset == "flickr30k":
        return f"{1_000_000 + number}.jpg", "flickr30k-images"
    folder = "train2014" if split == "train" else "val2014"
    return f"COCO_{folder}_{300_001 + number:012d}.jpg", folder


def _drawn(seed: int, dataset: str, number: int, split: str) -> tuple[Image.Image, list[str]]:
    rng = stream(seed, "karpathy", dataset, number)
    if number % 2:
        scene = draw_table(rng)
        captions, image = table_captions(scene), scene.image
    else:
        occupation = OCCUPATIONS[number // 2 % len(OCCUPATIONS)]
        who = pick(rng, seed, "test" if split == "test" else "val")
        person = draw_person(who, occupation, rng, chance=0.9)
        captions, image = person_captions(who, person.cues, occupation), person.image
    captions = captions[:4]
    captions.append(" and ".join(captions[:2]))
    while len(captions) < 5 + (number % _LONGER == 0):
        captions.append(f"an image of {captions[len(captions) % 3 % len(captions)]}")
    return image, captions
