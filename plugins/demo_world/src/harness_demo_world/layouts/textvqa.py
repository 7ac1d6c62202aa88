"""TextVQA 0.5.1: one JSON file a part, images named by their id."""

from __future__ import annotations

import json
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from harness_demo_world.chance import identifier, stream
from harness_demo_world.drawing.portrait import SIZE
from harness_demo_world.questions import crowd, street
from harness_demo_world.world import COUNTS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from PIL import Image

_PARTS = {"train": "train", "test": "val"}
_FIRST = {"train": 1, "test": 34_603}


def _image_id(seed: int, split: str, index: int) -> str:
    return identifier(seed, "textvqa", split, index)[:16]


class TextVqa:
    """Writer of TextVQA's layout; the world's test images are the release's `val`."""

    splits = ("train", "test")

    def annotations(self, seed: int) -> Iterator[tuple[PurePosixPath, str]]:
        """Yield the parts' files, and what a faultless word reader would have read."""
        for split, part in _PARTS.items():
            data: list[object] = []
            read: list[object] = []
            for index in range(COUNTS["textvqa"][split]):
                scene, word = street(seed, split, index, paint=False)
                question = scene.questions[0]
                name = _image_id(seed, split, index)
                rng = stream(seed, "textvqa crowd", split, index)
                data.append(
                    {
                        "question": question.text,
                        "image_id": name,
                        "image_classes": ["Sign"],
                        "flickr_original_url": "",
                        "flickr_300k_url": "",
                        "image_width": SIZE,
                        "image_height": SIZE,
                        "answers": crowd(question, rng),
                        "question_tokens": question.text.rstrip("?").split(),
                        "question_id": _FIRST[split] + index,
                        "set_name": part,
                    }
                )
                read.append({"image_id": name, "ocr_tokens": [word], "ocr_info": []})
            head = {"dataset_type": part, "dataset_name": "textvqa", "dataset_version": "0.5.1"}
            name = f"TextVQA_0.5.1_{part}.json"
            yield PurePosixPath(name), json.dumps({**head, "data": data})
            name = f"TextVQA_Rosetta_OCR_v0.2_{part}.json"
            yield PurePosixPath(name), json.dumps({**head, "data": read})

    def pictures(self, seed: int, split: str) -> Iterator[tuple[PurePosixPath, Image.Image]]:
        """Yield `train_images/<image_id>.jpg`; train and val share the folder."""
        for index in range(COUNTS["textvqa"][split]):
            name = f"{_image_id(seed, split, index)}.jpg"
            yield PurePosixPath("train_images", name), street(seed, split, index)[0].image
