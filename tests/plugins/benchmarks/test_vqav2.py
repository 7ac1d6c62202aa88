"""VQAv2's layout: pairing of two files, order, test splits, and what is said about damage."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import pytest
from harness_benchmarks.readers.people import NOT_TEN
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from harness.errors import DataError
from harness.samples import Group, Sample
from harness.samples.roots import data_root
from tests import made

ASKED = "v2_OpenEnded_mscoco_{}_questions.json"
ANSWERED = "v2_mscoco_{}_annotations.json"


def question(key: int, image: int) -> dict[str, Any]:
    return {"question_id": key, "image_id": image, "question": f"What is {key}?"}


def annotation(key: int, **more: Any) -> dict[str, Any]:
    answers = [
        {"answer_id": number, "answer": f"kite {key}", "answer_confidence": "yes"}
        for number in range(1, 11)
    ]
    return {"question_id": key, "image_id": 1, "question_type": "what is", "answer_type": "other",
            "multiple_choice_answer": "kite", "answers": answers, **more}  # fmt: skip


def write(path: Path, inside: str, result: list[Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    entries = {"info": {}, "license": {"url": "x"}, inside: result, "data_type": "mscoco"}
    path.write_text(json.dumps(entries), encoding="utf-8")


def release(root: Path, questions: list[Any], annotations: list[Any]) -> Path:
    write(root / ASKED.format("val2014"), "questions", questions)
    write(root / ANSWERED.format("val2014"), "annotations", annotations)
    return root


def read(root: Path, split: str = "val") -> list[Sample]:
    return list(made.reader("vqav2").samples(data_root(root), split))


def test_a_question_with_other_than_ten_answers_is_noted(tmp_path: Path) -> None:
    answers = annotation(2)["answers"]
    release(tmp_path, [question(1, 1), question(2, 1)],
            [annotation(1), annotation(2, answers=[*answers, answers[0]])])  # fmt: skip
    assert [dict(sample.notes) for sample in read(tmp_path)] == [{}, {NOT_TEN: 1}]


def test_a_question_with_its_people(tmp_path: Path) -> None:
    release(tmp_path, [question(42000, 42)], [annotation(42000)])
    (sample,) = read(tmp_path)
    assert sample.id == "42000"
    assert sample.images[0].name == "val2014/COCO_val2014_000000000042.jpg"
    assert sample.images[0].root == data_root(tmp_path)
    assert sample.target == ["kite 42000"] * 10
    assert sample.cluster == "42"
    assert sample.fields == {"question": "What is 42000?"}
    assert sample.groups == {"answer_type": Group("other"), "question_type": Group("what is")}


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(order=st.permutations(range(8)), images=st.lists(st.integers(1, 3), min_size=8, max_size=8))
def test_any_order_of_annotations_gives_the_same_samples(
    tmp_path: Path, order: list[int], images: list[int]
) -> None:
    questions = [question(key, image) for key, image in enumerate(images)]
    release(tmp_path, questions, [annotation(key) for key in order])
    samples = read(tmp_path)
    assert {sample.id: sample.target for sample in samples} == {
        str(key): [f"kite {key}"] * 10 for key in range(8)
    }
    assert [sample.fields["question"] for sample in samples] == [
        f"What is {sample.id}?" for sample in samples
    ]
    runs = [image for image, _ in itertools.groupby(sample.cluster for sample in samples)]
    assert runs == list(dict.fromkeys(str(image) for image in images))


def test_folders_of_the_official_tools(tmp_path: Path) -> None:
    write(tmp_path / "Questions" / ASKED.format("val2014"), "questions", [question(1, 7)])
    write(tmp_path / "Annotations" / ANSWERED.format("val2014"), "annotations", [annotation(1)])
    (sample,) = read(tmp_path)
    assert sample.images[0].name == "Images/mscoco/val2014/COCO_val2014_000000000007.jpg"


@pytest.mark.parametrize(("split", "part"), [("test", "test2015"), ("test-dev", "test-dev2015")])
def test_a_test_split_has_no_answers(tmp_path: Path, split: str, part: str) -> None:
    write(tmp_path / ASKED.format(part), "questions", [question(1, 7)])
    (sample,) = read(tmp_path, split)
    assert sample.target is None
    assert sample.groups == {}
    assert sample.images[0].name == "test2015/COCO_test2015_000000000007.jpg"
    assert len(made.reader("vqav2").annotations(data_root(tmp_path), split)) == 1


def test_a_question_without_an_annotation_is_named(tmp_path: Path) -> None:
    release(tmp_path, [question(1, 7), question(2, 7)], [annotation(1)])
    with pytest.raises(DataError, match="question 2 has no annotation") as caught:
        read(tmp_path)
    assert "questions.json" in str(caught.value.where)


@pytest.mark.parametrize("order", [[1, 2], [2, 1]])
def test_an_annotation_without_a_question_is_named(tmp_path: Path, order: list[int]) -> None:
    release(tmp_path, [question(1, 7)], [annotation(key) for key in order])
    with pytest.raises(DataError, match="annotation of question 2 has no question"):
        read(tmp_path)


@pytest.mark.parametrize("order", [[1, 1, 2], [2, 2, 1]])
def test_a_question_answered_twice_is_named(tmp_path: Path, order: list[int]) -> None:
    release(tmp_path, [question(1, 7), question(2, 7)], [annotation(key) for key in order])
    with pytest.raises(DataError, match=f"question {order[0]}"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"answers": None}, "should be a list"),
        ({"answers": []}, "there is no answer"),
        ({"answers": ["kite"]}, "an object was expected"),
        ({"answers": [{"answers": "kite"}]}, "the key 'answer' is missing"),
        ({"answers": [{"answer": 3}]}, "an answer should be a text"),
        ({"answer_type": None}, "answer_type should be a text"),
        ({"question_id": 1.5}, "should be a whole number"),
        ({"question_id": -1}, "is not an id"),
    ],
)
def test_damaged_annotations(tmp_path: Path, more: dict[str, Any], message: str) -> None:
    release(tmp_path, [question(1, 7)], [annotation(1, **more)])
    with pytest.raises(DataError, match=message):
        read(tmp_path)


def test_damaged_questions(tmp_path: Path) -> None:
    release(tmp_path, [{**question(1, 7), "question": ""}], [annotation(1)])
    with pytest.raises(DataError, match=r"questions.json: \[0\]: question should be a text"):
        read(tmp_path)
    release(tmp_path, ["What?"], [annotation(1)])
    with pytest.raises(DataError, match="an object was expected"):
        read(tmp_path)
    write(tmp_path / ASKED.format("val2014"), "items", [])
    with pytest.raises(DataError, match="the key 'questions' is missing"):
        read(tmp_path)


def test_a_file_cut_short_is_named(tmp_path: Path) -> None:
    release(tmp_path, [question(1, 7), question(2, 7)], [annotation(1), annotation(2)])
    path = tmp_path / ANSWERED.format("val2014")
    path.write_text(path.read_text(encoding="utf-8")[:-80], encoding="utf-8")
    with pytest.raises(DataError, match="ends too early"):
        read(tmp_path)


def test_a_question_whose_annotation_names_another_image_is_a_fault(tmp_path: Path) -> None:
    right, wrong = annotation(42000, image_id=42), annotation(43000, image_id=44)
    release(tmp_path, [question(42000, 42), question(43000, 43)], [right, wrong])
    full, other = read(tmp_path)
    assert full.fault is None
    assert other.fault is not None
    assert other.fault.message == (
        "the question is about image 43, its annotation about image 44: the files are of different "
        "releases"
    )
    release(tmp_path, [question(42000, 42)], [{**annotation(42000), "image_id": "x"}])
    with pytest.raises(DataError, match="image_id should be a whole number"):
        read(tmp_path)
