"""The model `predictions`: lines that belong to no sample of the task are counted or refused."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

import harness
from harness.cli.main import invoke, main
from harness.config.tasks import forget_included
from harness.errors import UserError
from harness.plugins import plugins


@pytest.fixture
def faces(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "faces"
    folder.mkdir()
    with (folder / "labels.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["name", "path", "label"])
        for number in range(6):
            Image.new("RGB", (8, 8), (40 * number, 0, 0)).save(folder / f"{number}.png")
            rows.writerow([f"face_{number}", f"{number}.png", ["sad", "happy"][number % 2]])
    assert invoke(main, ["new", "task", str(folder), "--yes"]) == 0
    yield folder
    forget_included()


def lines(folder: Path, *names: str) -> str:
    path = folder / "answers.jsonl"
    path.write_text("".join(json.dumps({"id": name, "answer": "sad"}) + "\n" for name in names))
    return str(path)


def test_lines_that_match_no_sample_are_counted_in_the_record(faces: Path) -> None:
    every = [f"face_{number}" for number in range(6)]
    path = lines(faces, *every, "face_17", "other")
    result = harness.run(
        "predictions", faces / "faces.yaml", options={"path": path}, results=faces / "results"
    )
    assert result.records[0].counts.errors == 0
    (note,) = result.records[0].notes
    assert note.startswith("answers.jsonl: 2 of 8 lines match no sample of 'faces'")
    assert "line 7, 'face_17': did you mean 'face_1'" in note


def test_lines_that_match_no_asked_sample_but_one_of_the_task_are_no_matter(faces: Path) -> None:
    path = lines(faces, *(f"face_{number}" for number in range(6)))
    result = harness.run(
        "predictions", faces / "faces.yaml", options={"path": path}, limit=2,
        results=faces / "results",
    )  # fmt: skip
    assert result.records[0].notes == ()


@pytest.mark.parametrize(
    ("wrong", "meant"),
    [
        ("FACE_0", "did you mean 'face_0'"),
        ("images/face_03.png", "did you mean 'face_3'"),
        ("labels.csv#2", "its ids are such as 'face_0'"),
    ],
)
def test_a_file_without_any_id_of_the_task_is_refused_with_what_is_near(
    faces: Path, capsys: pytest.CaptureFixture[str], wrong: str, meant: str
) -> None:
    path = lines(faces, wrong)
    arguments = ["--model", "predictions", "-o", f"path={path}", "--tasks",
                 str(faces / "faces.yaml"), "--results", str(faces / "results")]  # fmt: skip
    assert invoke(main, ["run", *arguments]) == 2
    error = capsys.readouterr().err
    assert "1 of 1 lines match no sample of 'faces'; the first is line 1" in error
    assert meant in error


@pytest.mark.parametrize(("answer", "read"), [("sad", False), ("It looks sad.", True)])
def test_another_reader_of_options_in_words_is_another_identity_where_it_reads(
    faces: Path, monkeypatch: pytest.MonkeyPatch, answer: str, read: bool
) -> None:
    path = faces / "answers.jsonl"
    path.write_text(json.dumps({"id": "face_0", "answer": answer}) + "\n")
    descriptor = plugins().extractors()["label"]
    fingerprints = []
    for version in (descriptor.version, descriptor.version + 1):
        newer = {**plugins().extractors(), "label": replace(descriptor, version=version)}
        monkeypatch.setattr(type(plugins()), "extractors", lambda _, newer=newer: newer)
        planned = harness.plan("predictions", faces / "faces.yaml", options={"path": str(path)})
        (evaluation,) = planned.evaluations
        fingerprints.append(planned.model.record(evaluation.job.plan.task)["fingerprint"])
    assert (fingerprints[0] != fingerprints[1]) == read


def test_whole_numbers_are_ids_by_their_digits(tmp_path: Path) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    table = tmp_path / "labels.csv"
    rows = "".join(f"{number},a.png,{'sad' if number % 2 else 'happy'}\n" for number in range(6))
    table.write_text("name,path,label\n" + rows, encoding="utf-8")
    assert invoke(main, ["new", "task", str(table), "--yes"]) == 0
    answers = tmp_path / "answers.jsonl"
    lines = [json.dumps({"id": number, "answer": "sad"}) for number in range(6)]
    answers.write_text("\n".join(lines), encoding="utf-8")
    spec = next(tmp_path.glob("*.yaml"))
    result = harness.run(
        "predictions", spec, options={"path": str(answers)}, results=tmp_path / "results"
    )
    assert (result.records[0].counts.errors, result.records[0].notes) == (0, ())
    forget_included()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ({"id": 3.0, "answer": "sad"}, "'id' should be a text or a whole number, not 3.0"),
        ({"id": True, "answer": "sad"}, "'id' should be a text or a whole number"),
        ({"answer": "sad"}, "'id' is missing"),
        ({"id": "face_1", "answer": 3}, "'answer' should be a text, not 3"),
    ],
)
def test_what_is_no_text_is_told_how_to_be_one(faces: Path, line: object, message: str) -> None:
    path = faces / "answers.jsonl"
    path.write_text(json.dumps(line), encoding="utf-8")
    with pytest.raises(UserError, match=re.escape(message)) as caught:
        harness.plan("predictions", faces / "faces.yaml", options={"path": str(path)})
    assert caught.value.fix.startswith('"')
    assert str(path) in str(caught.value.where)
