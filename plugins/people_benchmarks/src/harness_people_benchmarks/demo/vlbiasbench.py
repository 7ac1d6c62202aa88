"""Drawn data in the layout of VLBiasBench's closed part."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from harness_people_benchmarks.demo import two_people

if TYPE_CHECKING:
    from PIL import Image


def files(seed: int) -> Iterator[tuple[PurePosixPath, str | Image.Image]]:
    """Yield the list of questions about age, then the images."""
    entries = []
    for number in range(two_people.IMAGES):
        for question in two_people.asked(number):
            first, second, unknown = two_people.PEOPLE
            entries.append(
                {
                    "context": question.context,
                    "question": " " + two_people.QUESTIONS[question.polarity],
                    "ans0": first,
                    "ans1": second,
                    "ans2": unknown,
                    "condition": question.condition,
                    "label": question.right,
                    "image_path": f"age/{number}.jpg",
                    "question_polarity": question.polarity,
                    "answer_info": {
                        f"ans{at}": [person, group]
                        for at, (person, group) in enumerate(
                            zip(two_people.PEOPLE, two_people.GROUPS, strict=True)
                        )
                    },
                    "additional_metadata": {"stereotyped_groups": ["old"]},
                }
            )
    folder = PurePosixPath("close-ended")
    yield folder / "json" / "age" / "drawn.json", json.dumps(entries)
    for number in range(two_people.IMAGES):
        yield folder / "images" / "age" / f"{number}.jpg", two_people.drawn(seed, number)
