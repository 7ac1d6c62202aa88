"""``harness submission`` as a user types it, right and wrong."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

import harness
from harness.cli.main import invoke, main

Capture = pytest.CaptureFixture[str]
SPLITS = {"vqav2": "test-dev", "mmbench": "test"}


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("HARNESS_PROFILE", "HARNESS_RESULTS"):
        monkeypatch.delenv(name, raising=False)


def evaluated(task: str, answers: dict[str, str], limit: int | None = None) -> str:
    """Ask a split without answers that was made by hand; return the evaluation's folder."""
    if task == "vqav2":
        questions = [{"question_id": key, "image_id": 7, "question": "What?"} for key in (1, 2)]
        name = "v2_OpenEnded_mscoco_test-dev2015_questions.json"
        Path(name).write_text(json.dumps({"questions": questions}), encoding="utf-8")
    else:
        rows = [["index", "question", "A", "B", "image", "category", "l2-category"],
                ["1", "What?", "cat", "dog", "x", "naming", "perception"],
                ["1000001", "What?", "dog", "cat", "1", "naming", "perception"]]  # fmt: skip
        with Path("MMBench_TEST_EN.tsv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, delimiter="\t").writerows(rows)
    lines = [json.dumps({"id": name, "answer": text}) for name, text in answers.items()]
    Path("answers.jsonl").write_text("\n".join(lines), encoding="utf-8")
    result = harness.run(
        "predictions",
        task,
        options={"path": "answers.jsonl"},
        spec_options={f"{task}.split": SPLITS[task]},
        data={task: Path()},
        limit=limit,
    )
    return str(result.records[0].directory)


def submit(capsys: Capture, *arguments: str) -> tuple[int, str, str]:
    code = invoke(main, ["submission", *arguments])
    printed = capsys.readouterr()
    return code, printed.out, " ".join(printed.err.split())


def test_the_result_file_of_vqav2(capsys: Capture) -> None:
    folder = evaluated("vqav2", {"1": " A kite. ", "2": "drapeau français"})
    code, out, _ = submit(capsys, folder, "--out", "new/vqa.json")
    assert code == 0
    assert "2 answers written to new/vqa.json" in out
    assert json.loads(Path("new/vqa.json").read_text(encoding="utf-8")) == [
        {"question_id": 1, "answer": "A kite."},
        {"question_id": 2, "answer": "drapeau français"},
    ]


@pytest.mark.parametrize(("name", "delimiter"), [("table.tsv", "\t"), ("table.csv", ",")])
def test_the_table_of_mmbench(capsys: Capture, name: str, delimiter: str) -> None:
    folder = evaluated("mmbench", {"1": "A. cat", "1000001": 'So,\n"B"'})
    assert submit(capsys, folder, "--out", name)[0] == 0
    with Path(name).open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter=delimiter))
    assert [row["index"] for row in rows] == ["1", "1000001"]
    assert [row["prediction"] for row in rows] == ["A. cat", 'So,\n"B"']
    assert [row["A"] + row["B"] + row["C"] for row in rows] == ["catdog", "dogcat"]
    assert rows[0]["l2-category"] == "perception"


def test_what_was_written_as_json(capsys: Capture) -> None:
    folder = evaluated("mmbench", {"1": "A", "1000001": "B"})
    code, out, _ = submit(capsys, folder, "--out", "table.xlsx", "--json")
    content = json.loads(out)
    assert (code, content["rows"], content["missing"], content["task"]) == (0, 2, 0, "mmbench")
    assert content["options"]["split"] == "test"


def test_an_errored_sample_is_refused_or_left_empty(capsys: Capture) -> None:
    folder = evaluated("vqav2", {"1": "a kite"})
    code, _, err = submit(capsys, folder, "--out", "vqa.json")
    assert code == 2
    assert "1 of 2 samples errored" in err
    assert "--allow-missing" in err
    assert not Path("vqa.json").exists()
    code, _, err = submit(capsys, folder, "--out", "vqa.json", "--allow-missing")
    assert code == 0
    assert "1 of them are empty" in err
    assert json.loads(Path("vqa.json").read_text())[1] == {"question_id": 2, "answer": ""}


def test_a_limited_evaluation_is_refused(capsys: Capture) -> None:
    folder = evaluated("vqav2", {"1": "a", "2": "b"}, limit=1)
    code, _, err = submit(capsys, folder, "--out", "vqa.json")
    assert code == 2
    assert "only 1 of the split's samples asked" in err


def test_mistakes_end_with_2_and_one_message(capsys: Capture) -> None:
    folder = evaluated("vqav2", {"1": "a", "2": "b"})
    for arguments, message in (
        (("nowhere", "--out", "vqa.json"), "nowhere: there are no such results"),
        ((folder, "--out", "vqa.xlsx"), "a submission file of 'vqav2' must end in .json"),
        ((folder, "--out", "answers.jsonl/vqa.json"), "cannot be written"),
    ):
        code, _, err = submit(capsys, *arguments)
        assert code == 2
        assert message in err


def test_a_task_without_a_server_is_refused(capsys: Capture) -> None:
    data = [{"question_id": 1, "image_id": "a", "question": "?", "answers": ["b"] * 10}]
    Path("TextVQA_0.5.1_val.json").write_text(json.dumps({"data": data}), encoding="utf-8")
    result = harness.run("null", "textvqa", data={"textvqa": Path()})
    code, _, err = submit(capsys, str(result.records[0].directory), "--out", "x.json")
    assert code == 2
    assert "task 'textvqa' has no submission file" in err
