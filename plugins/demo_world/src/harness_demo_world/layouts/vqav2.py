"""VQAv2: one question file and one annotation file a part, images with COCO's names."""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from harness_demo_world.chance import stream
from harness_demo_world.questions import Question, Shown, crowd, portrait, table
from harness_demo_world.world import COUNTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL import Image

_PARTS = {"train": "train2014", "test": "val2014"}
_FIRST = {"train": 1, "test": 100_001}
_ASKED = 2
_A_QUESTION = 1000


def shown(seed: int, split: str, index: int, paint: bool = True) -> Shown:
    """Return image `index`: things on even numbers, people on odd ones."""
    if index % 2:
        return portrait(seed, split, index, paint)[0]
    return table(seed, split, index, paint)[0]


def asked(seed: int, split: str, index: int) -> list[Question]:
    """Return the questions that are asked about image `index`."""
    rng = stream(seed, "vqav2 asked", split, index)
    questions = shown(seed, split, index, paint=False).questions
    return rng.sample(questions, min(_ASKED, len(questions)))


class VqaV2:
    """Writer of VQAv2's layout; the world's test images are the release's `val2014`."""

    splits = ("train", "test")

    def annotations(self, seed: int) -> Iterator[tuple[PurePosixPath, str]]:
        """Yield questions and annotations of each part."""
        for split, part in _PARTS.items():
            questions: list[object] = []
            annotations: list[object] = []
            for index in range(COUNTS["vqav2"][split]):
                image = _FIRST[split] + index
                for number, question in enumerate(asked(seed, split, index)):
                    key = image * _A_QUESTION + number
                    questions.append(
                        {"image_id": image, "question_id": key, "question": question.text}
                    )
                    annotations.append(_annotation(seed, question, image, key))
            head = {"info": {"description": "drawn by the demo world"}, "data_type": "mscoco",
                    "data_subtype": part, "license": {}}  # fmt: skip
            name = PurePosixPath(f"v2_OpenEnded_mscoco_{part}_questions.json")
            yield name, json.dumps({**head, "task_type": "Open-Ended", "questions": questions})
            name = PurePosixPath(f"v2_mscoco_{part}_annotations.json")
            yield name, json.dumps({**head, "annotations": annotations})

    def pictures(self, seed: int, split: str) -> Iterator[tuple[PurePosixPath, Image.Image]]:
        """Yield `<part>/COCO_<part>_<twelve digits>.jpg`."""
        part = _PARTS[split]
        for index in range(COUNTS["vqav2"][split]):
            name = f"COCO_{part}_{_FIRST[split] + index:012d}.jpg"
            yield PurePosixPath(part, name), shown(seed, split, index).image


def _annotation(seed: int, question: Question, image: int, key: int) -> dict[str, object]:
    rng = stream(seed, "vqav2 crowd", key)
    answers = [
        {"answer": text, "answer_confidence": rng.choice(("yes", "yes", "yes", "maybe")),
         "answer_id": number}
        for number, text in enumerate(crowd(question, rng), start=1)
    ]  # fmt: skip
    return {
        "question_type": question.start,
        "multiple_choice_answer": question.answer,
        "answers": answers,
        "image_id": image,
        "answer_type": question.kind,
        "question_id": key,
    }
