"""TextVQA 0.5.1: one JSON file a split, pictures named by their id, OCR in a file of its own.

Keys as in the release and the loaders of facebookresearch/mmf (commit b0ffc7fb).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.descriptors import Json
from harness.errors import DataError
from harness.readers import _records as records
from harness.readers._json_stream import elements
from harness.samples import ImageRef, Sample

SPLITS = ("train", "val", "test")
# The archives unpack to these folders; train and val share one.
_FOLDERS = {"train": "train_images", "val": "train_images", "test": "test_images"}


class TextVqa:
    """Reader of TextVQA. The target is the list of people's answers; the test split has none.

    Args:
        options: ``ocr`` (``none`` or ``rosetta``: samples get the field ``ocr_tokens``, the words
            the release's OCR read in the picture, separated by commas), ``unit`` (``image``).
    """

    def __init__(self, options: Mapping[str, Json]) -> None:
        self._ocr = records.choice(options, "ocr", ("none", "rosetta")) == "rosetta"
        records.choice(options, "unit", ("image",))

    def annotations(self, root: Path, split: str) -> Sequence[Path]:
        """Return the split's file, and its OCR where the option asks for it."""
        records.known_split(split, SPLITS)
        found = [root / f"TextVQA_0.5.1_{split}.json"]
        if self._ocr:
            found.append(root / f"TextVQA_Rosetta_OCR_v0.2_{split}.json")
        return found

    def samples(self, root: Path, split: str) -> Iterator[Sample]:
        """Yield a split's questions, those of one image together.

        Questions wait as packed bytes until the file has been read: about 200 bytes each.

        Raises:
            DataError: a picture without OCR where it is asked for, beside what every reader raises.
        """
        paths = self.annotations(root, split)
        words = _ocr_tokens(paths[1]) if self._ocr else None
        by_image: dict[str, list[bytes]] = {}
        for index, record in elements(paths[0], inside="data"):
            where = f"{paths[0]}: [{index}]"
            image = records.as_text(records.member(record, "image_id", where), "image_id", where)
            number = records.as_whole(records.member(record, "question_id", where), "id", where)
            question = records.member(record, "question", where)
            records.as_text(question, "question", where)
            answers = _answers(record, number, where, wanted=split != "test")
            packed = json.dumps([number, question, answers], separators=(",", ":")).encode()
            by_image.setdefault(image, []).append(packed)
        for image, asked in by_image.items():
            fields: dict[str, Json] = {}
            if words is not None:
                if image not in words:
                    raise DataError(f"image {image!r} has no OCR", where=paths[1])
                fields["ocr_tokens"] = words[image]
            for packed in asked:
                number, question, answers = json.loads(packed)
                yield Sample(
                    id=str(number),
                    images=(ImageRef(f"{_FOLDERS[split]}/{image}.jpg", root),),
                    target=answers,
                    cluster=image,
                    fields={"question": question, **fields},
                )


def _answers(record: Any, number: int, where: str, *, wanted: bool) -> list[str] | None:
    held = record.get("answers")
    if not held:
        if wanted:
            raise DataError(f"question {number} has no answers", where=where)
        return None
    answers = records.as_list(held, f"answers of question {number}", where)
    if not all(isinstance(answer, str) for answer in answers):
        raise DataError(f"an answer to question {number} is no text", where=where)
    return answers


def _ocr_tokens(path: Path) -> dict[str, str]:
    """Return image to the words read in it, separated by commas."""
    found = {}
    for index, record in elements(path, inside="data"):
        where = f"{path}: [{index}]"
        image = records.as_text(records.member(record, "image_id", where), "image_id", where)
        held = records.member(record, "ocr_tokens", where)
        tokens = records.as_list(held, f"ocr_tokens of image {image!r}", where)
        found[image] = ", ".join(str(token) for token in tokens)
    return found
