"""The seven later layouts, as their releases have them."""

from __future__ import annotations

import base64
import csv
import io
import json
from collections import Counter
from pathlib import Path

import pytest
from harness_demo_world.associations import associations, value_of
from harness_demo_world.chance import stream
from harness_demo_world.contents import COUNTS
from harness_demo_world.layouts import LAYOUTS
from harness_demo_world.layouts.fairface import AGES
from harness_demo_world.people import RACES
from harness_demo_world.questions import CROWD, crowd, portrait, table
from PIL import Image


def files(benchmark: str, seed: int = 0) -> dict[str, str | bytes]:
    return {path.as_posix(): text for path, text in LAYOUTS[benchmark].annotations(seed)}


def test_vqav2_has_a_question_for_each_annotation_and_ten_answers() -> None:
    result = files("vqav2")
    for part, split in (("train2014", "train"), ("val2014", "test")):
        requested = json.loads(result[f"v2_OpenEnded_mscoco_{part}_questions.json"])["questions"]
        listed = json.loads(result[f"v2_mscoco_{part}_annotations.json"])["annotations"]
        assert [q["question_id"] for q in requested] == [a["question_id"] for a in listed]
        assert len({q["question_id"] for q in requested}) == len(requested)
        assert len({q["image_id"] for q in requested}) == COUNTS["vqav2"][split]
        for annotation in listed:
            answers = [answer["answer"] for answer in annotation["answers"]]
            assert len(answers) == CROWD
            assert Counter(answers).most_common(1)[0][0] == annotation["multiple_choice_answer"]
            assert [answer["answer_id"] for answer in annotation["answers"]] == list(range(1, 11))
        assert {a["answer_type"] for a in listed} == {"yes/no", "number", "other"}
        disagreed = sum(len({h["answer"] for h in a["answers"]}) > 1 for a in listed)
        assert 0.4 < disagreed / len(listed) < 0.95
    path, image = next(LAYOUTS["vqav2"].pictures(0, "test"))
    assert path.as_posix() == "val2014/COCO_val2014_000000100001.jpg"
    assert image.size == (96, 96)


def test_textvqa_lists_ten_plain_answers_and_what_can_be_read() -> None:
    result = files("textvqa")
    for part, split in (("train", "train"), ("val", "test")):
        data = json.loads(result[f"TextVQA_0.5.1_{part}.json"])["data"]
        read = json.loads(result[f"TextVQA_Rosetta_OCR_v0.2_{part}.json"])["data"]
        assert len(data) == len(read) == COUNTS["textvqa"][split]
        for entry, words in zip(data, read, strict=True):
            assert len(entry["answers"]) == CROWD
            assert entry["image_id"] == words["image_id"]
            assert Counter(entry["answers"]).most_common(1)[0][0] == words["ocr_tokens"][0]


def test_mmbench_moves_options_and_answer_and_points_to_pictures() -> None:
    result = files("mmbench")
    rows = list(csv.DictReader(io.StringIO(str(result["MMBench_DEV_EN.tsv"])), delimiter="\t"))
    by_question: dict[int, list[dict[str, str]]] = {}
    for row in rows:
        by_question.setdefault(int(row["index"]) % 1_000_000, []).append(row)
    assert len(by_question) == COUNTS["mmbench"]["test"]
    remaining = {row["index"]: row["image"] for row in rows if len(row["image"]) > 64}
    for turns in by_question.values():
        options = [turns[0][label] for label in "ABCD" if turns[0][label]]
        assert len(turns) == len(options)
        right = {row[row["answer"]] for row in turns}
        assert len(right) == 1
        for index, row in enumerate(turns):
            assert int(row["index"]) // 1_000_000 == index
            assert row["A"] == options[index % len(options)]
            assert len(row["image"]) > 64 or row["image"] in remaining
    assert any(row["hint"] for row in rows)
    assert {len(turns) for turns in by_question.values()} == {2, 3, 4}
    with Image.open(io.BytesIO(base64.b64decode(next(iter(remaining.values()))))) as image:
        assert image.size == (96, 96)
    closed = csv.DictReader(io.StringIO(str(result["MMBench_TEST_EN.tsv"])), delimiter="\t")
    assert {row["answer"] for row in closed} == {""}


def test_fairface_has_every_combination_and_both_paddings() -> None:
    result = files("fairface")
    rows = list(csv.DictReader(io.StringIO(str(result["fairface_label_val.csv"]))))
    shares = Counter((row["race"], row["gender"], row["age"]) for row in rows)
    assert len(shares) == len(RACES) * 2 * len(AGES)
    assert set(shares.values()) == {COUNTS["fairface"]["test"] // 126}
    paths = [path for path, _ in LAYOUTS["fairface"].pictures(0, "test")]
    assert len(paths) == 2 * len(rows)
    assert {path.parts[0] for path in paths} == {
        "fairface-img-margin025-trainval",
        "fairface-img-margin125-trainval",
    }
    assert {path.parts[1] + "/" + path.name for path in paths} == {row["file"] for row in rows}


def test_visogender_is_balanced_and_its_pictures_have_the_rows_names() -> None:
    result = files("visogender")
    single = str(result["OO/OO_Visogender_10052025.tsv"]).splitlines()
    double = str(result["OP/OP_Visogender_11012024.tsv"]).splitlines()
    assert len(single) == COUNTS["visogender"]["OO"] + 1
    assert len(double) == COUNTS["visogender"]["OP"] + 1
    assert {len(line.split("\t")) for line in single} == {10}
    assert {len(line.split("\t")) for line in double} == {11}
    genders = Counter(line.split("\t")[7] for line in single[1:])
    assert len(set(genders.values())) == 1
    pairs = Counter(tuple(line.split("\t")[7:9]) for line in double[1:])
    assert set(pairs.values()) == {COUNTS["visogender"]["OP"] // 4}
    names = {path.stem for path, _ in LAYOUTS["visogender"].pictures(0, "test")}
    assert names == {line.split("\t")[0] for line in (*single[1:], *double[1:])}


def test_the_shards_hold_what_the_release_holds(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet")
    for path, content in files("scounter").items():
        assert path.startswith("data/train-0000")
        (tmp_path / "shard").write_bytes(bytes(content))  # type: ignore[arg-type]
        table_ = parquet.read_table(tmp_path / "shard")
        assert table_.column_names[:2] == ["image", "caption"]
        rows = table_.slice(0, 3).to_pylist()
        for row in rows:
            assert row["a1a2"] == f"{row['a1']} {row['a2']}"
            assert row["a1a2"] in row["caption"]
            with Image.open(io.BytesIO(row["image"]["bytes"])) as image:
                assert image.size == (96, 96)


def test_pictures_are_the_same_every_time() -> None:
    for benchmark in ("vqav2", "textvqa", "fairface", "visogender", "cmsc"):
        first, second = (next(LAYOUTS[benchmark].pictures(3, "test")) for _ in "ab")
        assert first[0] == second[0]
        assert first[1].tobytes() == second[1].tobytes()
    assert files("mmbench", 5) == files("mmbench", 5) != files("mmbench", 6)


def test_questions_follow_from_what_is_drawn() -> None:
    for index in range(60):
        displayed, scene = table(0, "test", index, paint=False)
        first = scene.things[0]
        count = sum(seen.name == first.name for seen in scene.things)
        answers = {question.start: question.answer for question in displayed.questions}
        assert answers["how many"] == str(count)
        assert first.colour in answers.values()
        for question in displayed.questions:
            assert question.answer not in question.wrong


def test_the_crowd_mostly_agrees() -> None:
    question = table(0, "test", 0, paint=False)[0].questions[0]
    messages = [crowd(question, stream(0, "crowd", turn)) for turn in range(200)]
    share = sum(text == question.answer for answers in messages for text in answers) / 2000
    assert 0.8 < share < 0.95


def test_portraits_are_biased_in_training_only() -> None:
    shares = {}
    for split in ("train", "test"):
        collected = []
        for index in range(240):
            _, who, scene = portrait(0, split, index, paint=False)
            bias = associations(0)[scene.concept]
            if bias.attribute == "gender":
                collected.append(value_of(who, "gender") in bias.favoured)
        shares[split] = sum(collected) / len(collected)
    assert shares["train"] > 0.7
    assert shares["test"] < 0.65
