"""TextVQA's layout: questions by picture, OCR as an option, and what is said about damage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.errors import DataError
from harness.samples import Sample
from harness.samples.roots import data_root
from tests import made


def row(key: int, image: str = "abc", **more: Any) -> dict[str, Any]:
    return {"question_id": key, "image_id": image, "question": f"what says {key}?",
            "image_width": 640, "answers": ["stop"] * 9 + ["go"], **more}  # fmt: skip


def write(root: Path, name: str, data: list[Any]) -> None:
    (root / name).write_text(json.dumps({"dataset_type": "val", "data": data}), encoding="utf-8")


def read(root: Path, split: str = "val", ocr: str = "none") -> list[Sample]:
    return list(made.reader("textvqa", ocr=ocr).samples(data_root(root), split))


def test_questions_of_one_picture_stand_together(tmp_path: Path) -> None:
    write(tmp_path, "TextVQA_0.5.1_val.json", [row(1), row(2, "xyz"), row(3)])
    samples = read(tmp_path)
    assert [sample.id for sample in samples] == ["1", "3", "2"]
    assert samples[0].images[0].name == "train_images/abc.jpg"
    assert samples[0].target == ["stop"] * 9 + ["go"]
    assert samples[0].fields == {"question": "what says 1?"}
    assert samples[0].cluster == "abc"


def test_the_test_split_has_no_answers(tmp_path: Path) -> None:
    requested = row(1)
    del requested["answers"]
    write(tmp_path, "TextVQA_0.5.1_test.json", [requested])
    (sample,) = read(tmp_path, "test")
    assert sample.target is None
    assert sample.images[0].name == "test_images/abc.jpg"


def test_words_that_the_ocr_read(tmp_path: Path) -> None:
    write(tmp_path, "TextVQA_0.5.1_val.json", [row(1), row(2, "none")])
    name = "TextVQA_Rosetta_OCR_v0.2_val.json"
    write(tmp_path, name, [{"image_id": "abc", "ocr_tokens": ["STOP", "12"], "ocr_info": []},
                           {"image_id": "none", "ocr_tokens": []}])  # fmt: skip
    samples = read(tmp_path, ocr="rosetta")
    assert [sample.fields["ocr_tokens"] for sample in samples] == ["STOP, 12", ""]
    assert made.reader("textvqa", ocr="rosetta").annotations(data_root(tmp_path), "val") == [
        "TextVQA_0.5.1_val.json", name,
    ]  # fmt: skip
    write(tmp_path, name, [])
    with pytest.raises(DataError, match="image 'abc' has no OCR"):
        read(tmp_path, ocr="rosetta")


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"answers": []}, "question 1 has no answers"),
        ({"answers": "stop"}, "should be a list"),
        ({"answers": [1]}, "is not text"),
        ({"image_id": 3}, "image_id should be a text"),
        ({"question": None}, "question should be a text"),
        ({"question_id": None}, "should be a whole number"),
    ],
)
def test_damage_is_named(tmp_path: Path, more: dict[str, Any], message: str) -> None:
    write(tmp_path, "TextVQA_0.5.1_val.json", [row(1, **more)])
    with pytest.raises(DataError, match=message):
        read(tmp_path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"TextVQA_0.5.1_val.json: no such file"):
        read(tmp_path)
