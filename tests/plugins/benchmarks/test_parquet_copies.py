"""Copies of releases in parquet: shards on disk become the samples that the release would give."""

from __future__ import annotations

import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from harness.errors import DataError, PluginError, SampleError, UserError
from harness.readers import HashesContents, Reader, TakesPart, shards
from harness.samples import Sample
from harness.samples.images import open_image
from harness.samples.roots import data_root
from tests import made
from tests.plugins.benchmarks.people import embedded, parquet, picture

ROUND = 1_000_000
FACE = {"age": 3, "gender": 1, "race": 5, "service_test": True}


def hashed(reader: HashesContents, path: Path) -> str:
    return reader.content_hash(data_root(path.parent), path.name)


def read(reader: Reader, root: Path, split: str = "val") -> list[Sample]:
    return list(reader.samples(data_root(root), split))


def shade(sample: Sample) -> Any:
    pixel = open_image(sample.images[0]).pixels.getpixel((0, 0))
    assert isinstance(pixel, tuple)
    return pixel[0]


def question(image: int, number: int, **more: Any) -> dict[str, Any]:
    answers = [
        {"answer": f"kite {n}", "answer_confidence": "yes", "answer_id": n} for n in range(10)
    ]
    return {
        "question_id": 1000 * image + number, "image_id": image, "question": f"What is {number}?",
        "question_type": "what is", "answer_type": "other", "multiple_choice_answer": "kite",
        "answers": answers, "image": embedded(image), **more,
    }  # fmt: skip


def read_text(image: str, number: int, **more: Any) -> dict[str, Any]:
    return {
        "image_id": image, "question_id": number, "question": "what does it say?",
        "answers": ["stop"] * 10, "ocr_tokens": ["STOP", "now"], "image": embedded(number), **more,
    }  # fmt: skip


def choice(index: int, answer: str = "A", **more: Any) -> dict[str, Any]:
    return {
        "index": str(index), "question": f"What is {index % ROUND}?", "hint": "nan",
        "answer": answer, "A": "cat", "B": "dog", "C": "nan", "D": None, "category": "naming",
        "image": embedded(index % ROUND), "source": "demo", "L2-category": "perception",
        "comment": "nan", "split": "dev", **more,
    }  # fmt: skip


# FairFace


def test_faces_are_read_by_what_their_numbers_stand_for(tmp_path: Path) -> None:
    rows = [{"image": embedded(n), **FACE} for n in range(7)]
    parquet(tmp_path / "1.25" / "validation-00000-of-00002-0f.parquet", rows)
    parquet(tmp_path / "1.25" / "validation-00001-of-00002-0e.parquet", rows[:1])
    samples = read(made.reader("fairface"), tmp_path)
    assert [item.id for item in samples] == [f"val#{n}" for n in range(8)]
    assert {name: (group.value, group.source) for name, group in samples[0].groups.items()} == {
        "race": ("Latino_Hispanic", "human"),
        "gender": ("Female", "human"),
        "age": ("20-29", "human"),
    }
    assert [shade(samples[position]) for position in (6, 0, 7)] == [6, 0, 0]
    assert len({item.images[0].name for item in samples}) == 8
    assert open_image(pickle.loads(pickle.dumps(samples[2])).images[0]).width == 2  # noqa: S301


def test_a_shard_says_itself_what_its_numbers_stand_for(tmp_path: Path) -> None:
    rows = [{"image": embedded(), **FACE, "gender": 1}]
    message = {
        "info": {"features": {"gender": {"names": ["Female", "Male"], "_type": "ClassLabel"}}}
    }
    schema = pa.Table.from_pylist(rows).schema.with_metadata({"huggingface": json.dumps(message)})
    parquet(tmp_path / "1.25" / "validation-00000-of-00001.parquet", rows, schema)
    (sample,) = read(made.reader("fairface"), tmp_path)
    assert sample.groups["gender"].value == "Male"


def test_another_copy_has_texts_and_another_column_for_pictures(tmp_path: Path) -> None:
    rows = [{"file": embedded(4), "age": "70+", "gender": "Male", "race": "East Asian"}]
    parquet(tmp_path / "margin025" / "val-00000-of-00001.parquet", rows)
    (sample,) = read(made.reader("fairface", padding="0.25", columns="image=file"), tmp_path)
    assert sample.groups["age"].value == "more than 70"
    assert shade(sample) == 4
    with pytest.raises(DataError, match="the column 'image' is missing; there are file, age"):
        read(made.reader("fairface", padding="0.25"), tmp_path)


def test_faces_of_the_other_padding_never_stand_in(tmp_path: Path) -> None:
    parquet(tmp_path / "0.25" / "train-00000-of-00001.parquet", [{"image": embedded(), **FACE}])
    assert made.reader("fairface").annotations(data_root(tmp_path), "train") == [
        "fairface_label_train.csv"
    ]
    assert len(read(made.reader("fairface", padding="0.25"), tmp_path, "train")) == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"race": 7}, "'7' is no race|7 is no race"),
        ({"race": None}, "None is no race"),
        ({"age": 1.5}, "1.5 is no age"),
        ({"gender": [1]}, r"\[1\] is no gender"),
    ],
)
def test_a_face_outside_the_list_is_named(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    path = parquet(
        tmp_path / "1.25" / "validation-00000-of-00001.parquet",
        [{"image": embedded(), **FACE, **change}],
    )
    with pytest.raises(DataError, match=message) as caught:
        read(made.reader("fairface"), tmp_path)
    assert caught.value.where == f"{path}: row 0"


# VQAv2


def test_questions_of_one_picture_stand_together_and_share_it(tmp_path: Path) -> None:
    rows = [question(7, 0), question(8, 0), question(7, 1)]
    folder = tmp_path / "data"
    parquet(folder / "validation-00000-of-00002.parquet", rows)
    parquet(folder / "validation-00001-of-00002.parquet", [question(8, 1), question(9, 0)])
    samples = read(made.reader("vqav2"), tmp_path)
    assert [item.id for item in samples] == ["7000", "7001", "8000", "8001", "9000"]
    assert [item.cluster for item in samples] == ["7", "7", "8", "8", "9"]
    assert samples[0].images == samples[1].images
    assert samples[0].images[0].name == "val2014/COCO_val2014_000000000007.jpg"
    assert [shade(item) for item in samples] == [7, 7, 8, 8, 9]
    assert samples[3].target == [f"kite {n}" for n in range(10)]
    assert samples[3].fields == {"question": "What is 1?"}
    assert {name: group.value for name, group in samples[3].groups.items()} == {
        "answer_type": "other",
        "question_type": "what is",
    }


def test_a_split_without_answers_may_lack_their_columns(tmp_path: Path) -> None:
    rows = [question(7, 0, answers=None), question(8, 0, answers=None)]
    parquet(tmp_path / "data" / "testdev-00000-of-00001.parquet", rows)
    bare = [{name: row[name] for name in ("question_id", "image_id", "question", "image")}
            for row in rows]  # fmt: skip
    path = parquet(tmp_path / "data" / "test-00000-of-00001.parquet", bare)
    reader = made.reader("vqav2")
    for split in ("test-dev", "test"):
        samples = read(reader, tmp_path, split)
        assert [(item.id, item.target, dict(item.groups)) for item in samples] == [
            ("7000", None, {}), ("8000", None, {})
        ]  # fmt: skip
    assert len(hashed(reader, path)) == 64


def test_answers_may_be_lists_in_a_struct(tmp_path: Path) -> None:
    row = question(7, 0, answers={"answer": ["a", "b"], "answer_id": [1, 2]})
    parquet(tmp_path / "data" / "validation-00000-of-00001.parquet", [row])
    (sample,) = read(made.reader("vqav2"), tmp_path)
    assert sample.target == ["a", "b"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"answers": None}, "answers should be a list"),
        ({"answers": []}, "there is no answer"),
        ({"answers": [{"answer": None}]}, "an answer should be a text"),
        ({"answers": [{"text": "kite"}]}, "the column 'answers' has no 'answer'; it has text"),
        ({"answers": "kite"}, "answers should be a list"),
        ({"answer_type": None}, "answer_type should be a text"),
        ({"question": None}, "question should be a text"),
        ({"question_id": None}, "question_id should be a whole number"),
        ({"image_id": None}, "image_id should be a whole number"),
        ({"image_id": "x"}, "image_id should be a whole number"),
        ({"image": {"path": "7.jpg"}}, "the column 'image' has no 'bytes'; it has path"),
    ],
)
def test_a_broken_question_is_named(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = parquet(
        tmp_path / "data" / "validation-00000-of-00001.parquet", [question(7, 0) | change]
    )
    with pytest.raises(DataError, match=message) as caught:
        read(made.reader("vqav2"), tmp_path)
    assert str(path) in str(caught.value.where)


def test_shards_of_different_types_are_refused(tmp_path: Path) -> None:
    parquet(tmp_path / "data" / "validation-00000-of-00002.parquet", [question(7, 0)])
    other = question(8, 0) | {"image_id": "8"}
    parquet(tmp_path / "data" / "validation-00001-of-00002.parquet", [other])
    with pytest.raises(DataError, match="no parquet file that can be read"):
        read(made.reader("vqav2"), tmp_path)


# TextVQA


def test_texts_in_pictures_are_read_with_their_ocr(tmp_path: Path) -> None:
    rows = [read_text("ab", 1), read_text("cd", 2), read_text("ab", 3)]
    parquet(tmp_path / "default" / "validation" / "0000.parquet", rows[:2])
    parquet(tmp_path / "default" / "validation" / "0001.parquet", rows[2:])
    samples = read(made.reader("textvqa", ocr="rosetta"), tmp_path)
    assert [(item.id, item.cluster) for item in samples] == [("1", "ab"), ("3", "ab"), ("2", "cd")]
    assert samples[0].images[0].name == samples[1].images[0].name == "train_images/ab.jpg"
    assert [shade(item) for item in samples] == [1, 1, 2]
    assert samples[2].fields == {"question": "what does it say?", "ocr_tokens": "STOP, now"}
    assert samples[2].target == ["stop"] * 10
    plain = read(made.reader("textvqa"), tmp_path)
    assert "ocr_tokens" not in plain[0].fields


def test_a_test_split_of_texts_has_no_answers(tmp_path: Path) -> None:
    parquet(tmp_path / "data" / "test-00000-of-00001.parquet", [read_text("ab", 1, answers=[])])
    (sample,) = read(made.reader("textvqa"), tmp_path, "test")
    assert (sample.target, sample.images[0].name) == (None, "test_images/ab.jpg")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"answers": []}, "question 1 has no answers"),
        ({"answers": [1]}, "an answer to question 1 is not text"),
        ({"image_id": None}, "image_id should be a text"),
        ({"question_id": "one"}, "question_id should be a whole number"),
        ({"ocr_tokens": None}, "ocr_tokens of image 'ab' should be a list"),
    ],
)
def test_a_broken_text_question_is_named(
    tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    path = tmp_path / "data" / "validation-00000-of-00001.parquet"
    parquet(path, [read_text("ab", 1, **change)])
    with pytest.raises(DataError, match=message):
        read(made.reader("textvqa", ocr="rosetta"), tmp_path)


# MMBench


@pytest.mark.parametrize("numbers", [str, int])
def test_rounds_of_a_question_stand_together(tmp_path: Path, numbers: type) -> None:
    rows = [choice(7, "B"), choice(8), choice(ROUND + 7), choice(ROUND + 8, "B")]
    for row in rows:
        row["index"] = numbers(row["index"])
    parquet(tmp_path / "en" / "dev-00000-of-00001.parquet", rows)
    samples = read(made.reader("mmbench"), tmp_path, "dev")
    assert [item.id for item in samples] == ["7", "1000007", "8", "1000008"]
    assert [item.target for item in samples] == ["B", "A", "A", "B"]
    assert samples[0].fields == {
        "question": "What is 7?", "hint": "", "A": "cat", "B": "dog", "C": "", "D": "", "E": "",
        "round": 0, "rounds": 2,
    }  # fmt: skip
    assert samples[0].images[0].name == samples[1].images[0].name
    assert [shade(item) for item in samples] == [7, 7, 8, 8]
    assert {name: group.value for name, group in samples[0].groups.items()} == {
        "category": "naming",
        "l2_category": "perception",
    }


def test_pictures_may_be_base64(tmp_path: Path) -> None:
    import base64

    text = base64.b64encode(picture(9)).decode()
    rows = [choice(7, image=text), choice(8, image="!!")]
    parquet(tmp_path / "data" / "validation-00000-of-00001.parquet", rows)
    full, broken = read(made.reader("mmbench"), tmp_path, "dev")
    assert shade(full) == 9
    with pytest.raises(SampleError, match=r"\.parquet:2: the image is not base64"):
        open_image(broken.images[0])


def test_copies_are_of_the_first_edition_and_one_language(tmp_path: Path) -> None:
    parquet(tmp_path / "cn" / "dev-00000-of-00001.parquet", [choice(7)])
    for options in ({}, {"language": "cn", "edition": "1.1"}):
        (path,) = made.reader("mmbench", **options).annotations(data_root(tmp_path), "dev")
        assert path.endswith(".tsv")
    assert len(read(made.reader("mmbench", language="cn"), tmp_path, "dev")) == 1


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([choice(7), choice(7)], "row 1: the index 7 occurs twice"),
        ([choice(7, "C")], "the answer 'C' is not among the options A, B"),
        ([choice(-1)], "the index -1 is below 0"),
        ([choice(7) | {"index": None}], "index should be a whole number"),
    ],
)
def test_a_broken_choice_is_named(tmp_path: Path, rows: list[dict[str, Any]], message: str) -> None:
    parquet(tmp_path / "en" / "dev-00000-of-00001.parquet", rows)
    with pytest.raises(DataError, match=message):
        read(made.reader("mmbench"), tmp_path, "dev")


# All of them


CASES: tuple[tuple[Reader, str, str, dict[str, Any], str], ...] = (
    (made.reader("fairface"), "val", "1.25/validation", {"image": embedded(), **FACE}, "race"),
    (made.reader("vqav2"), "val", "data/validation", question(7, 0), "question_type"),
    (made.reader("textvqa"), "val", "data/validation", read_text("ab", 1), "image_id"),
    (made.reader("mmbench"), "dev", "en/dev", choice(7), "question"),
)


@pytest.mark.parametrize(("reader", "split", "place", "row", "column"), CASES)
def test_every_copy_is_hashed_by_its_labels_and_asked_for_in_part(  # noqa: PLR0917
    tmp_path: Path, reader: Reader, split: str, place: str, row: dict[str, Any], column: str
) -> None:
    assert isinstance(reader, HashesContents)
    assert isinstance(reader, TakesPart)
    path = parquet(tmp_path / f"{place}-00000-of-00001.parquet", [row])
    assert any(path.relative_to(tmp_path).match(name) for name in reader.hub_patterns(split))
    first = hashed(reader, path)
    assert hashed(reader, parquet(path, [{**row, "image": embedded(99)}])) == first
    assert hashed(reader, parquet(path, [{**row, column: "other"}])) != first
    remainder = {name: value for name, value in row.items() if name != column}
    parquet(path, [remainder])
    with pytest.raises(DataError, match=f"the column '{column}' is missing; there are "):
        read(reader, tmp_path, split)
    parquet(path, [{**row, "image": None}], pa.Table.from_pylist([row]).schema)
    (sample,) = read(reader, tmp_path, split)
    with pytest.raises(SampleError, match=r"\.parquet:1 holds no image bytes"):
        open_image(sample.images[0])
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match="no parquet file that can be read"):
        read(reader, tmp_path, split)


@pytest.mark.parametrize(("reader", "split", "place", "row", "column"), CASES)
def test_every_copy_is_read_inside_a_zip(  # noqa: PLR0917
    tmp_path: Path, reader: Reader, split: str, place: str, row: dict[str, Any], column: str
) -> None:
    path = parquet(tmp_path / f"{place}-00000-of-00001.parquet", [row])
    with zipfile.ZipFile(tmp_path / "copy.zip", "w") as archive:
        archive.write(path, path.relative_to(tmp_path))
    plain, packed = (
        read(reader, tmp_path, split),
        read(reader, tmp_path / "copy.zip", split),
    )
    assert [(item.id, item.target) for item in packed] == [(item.id, item.target) for item in plain]
    assert shade(packed[0]) == shade(plain[0])
    assert column


def test_the_release_goes_before_a_copy(tmp_path: Path) -> None:
    parquet(tmp_path / "1.25" / "validation-00000-of-00001.parquet", [{"image": None, **FACE}])
    csv = tmp_path / "fairface_label_val.csv"
    csv.write_text("file,age,gender,race\nval/1.jpg,0-2,Male,White\n", encoding="utf-8")
    assert made.reader("fairface").annotations(data_root(tmp_path), "val") == [csv.name]


def test_the_whole_one_of_two_uploads_is_taken(tmp_path: Path) -> None:
    for number in (0, 2):
        parquet(tmp_path / f"val-{number:05d}-of-00003-0a.parquet", [FACE])
    for number in range(2):
        parquet(tmp_path / f"val-{number:05d}-of-00002.parquet", [FACE])
    named = shards.counted(data_root(tmp_path), "", "val")
    assert named == ["val-00000-of-00002.parquet", "val-00001-of-00002.parquet"]
    (tmp_path / "val-00001-of-00002.parquet").unlink()
    named = shards.counted(data_root(tmp_path), "", "val")
    assert named == [
        "val-00000-of-00003-0a.parquet", "val-00001-of-00003.parquet",
        "val-00002-of-00003-0a.parquet",
    ]  # fmt: skip


@pytest.mark.parametrize("columns", ["image", "=file", "image=", "image=file,x"])
def test_columns_are_pairs(columns: str) -> None:
    with pytest.raises(UserError, match=r"is not NAME=COLUMN"):
        made.reader("vqav2", columns=columns)


def test_without_pyarrow_the_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    parquet(tmp_path / "data" / "validation-00000-of-00001.parquet", [question(7, 0)])
    monkeypatch.setattr(shards, "is_installed", lambda _: False)
    with pytest.raises(PluginError) as caught:
        read(made.reader("vqav2"), tmp_path)
    assert "social-harness[data]" in caught.value.fix
