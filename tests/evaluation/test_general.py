"""VQAv2, TextVQA and MMBench through the whole harness: the worked examples of their pages."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

import harness
from harness.runs.record import EvaluationRecord

PAGES = Path(__file__).parents[2] / "docs" / "benchmarks"


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("HARNESS_PROFILE", "HARNESS_RESULTS"):
        monkeypatch.delenv(name, raising=False)


def example(page: str) -> tuple[list[dict[str, str]], list[float]]:
    """Return the table of a page's worked example, and the bold values below it."""
    text = (PAGES / f"{page}.md").read_text(encoding="utf-8").split("## Worked example")[1]
    lines = [line.strip("|").split("|") for line in text.splitlines() if line.startswith("|")]
    names = [name.strip() for name in lines[0]]
    rows = [dict(zip(names, map(str.strip, line), strict=True)) for line in lines[2:]]
    return rows, [float(number) for number in re.findall(r"\*\*([0-9.]+)\*\*", text)]


def people(cell: str) -> list[str]:
    """Return ``2 x kite, 8 x Balloon`` as ten answers."""
    result = re.findall(r"([0-9]+) x (.+?)(?=, [0-9]+ x |$)", cell)
    answers = [answer for count, answer in result for _ in range(int(count))]
    assert len(answers) == 10
    return answers


def run(task: str, answers: dict[str, str], **options: str) -> tuple[EvaluationRecord, Any]:
    lines = [json.dumps({"id": name, "answer": text}) for name, text in answers.items()]
    Path("answers.jsonl").write_text("\n".join(lines), encoding="utf-8")
    result = harness.run(
        "predictions",
        task,
        options={"path": "answers.jsonl"},
        spec_options={f"{task}.{name}": value for name, value in options.items()},
        data={task: Path("data")},
    )
    (record,) = result.records
    text = (record.directory / "samples.jsonl").read_text(encoding="utf-8")
    return record, {line["id"]: line for line in map(json.loads, text.splitlines())}


def values(record: EvaluationRecord) -> list[float]:
    return [round(100 * metric.value, 2) for metric in record.metrics if metric.value is not None]


def write_json(name: str, value: Any) -> None:
    Path("data").mkdir(exist_ok=True)
    (Path("data") / name).write_text(json.dumps(value), encoding="utf-8")


def write_vqav2(rows: list[dict[str, str]]) -> None:
    questions = [
        {"question_id": int(row["id"]), "image_id": 42, "question": "What?"} for row in rows
    ]
    annotations = [
        {"question_id": int(row["id"]), "question_type": "what", "answer_type": "other",
         "answers": [{"answer": item, "answer_id": index}
                     for index, item in enumerate(people(row["ten people"]))]}
        for row in rows
    ]  # fmt: skip
    write_json("v2_OpenEnded_mscoco_val2014_questions.json", {"questions": questions})
    write_json("v2_mscoco_val2014_annotations.json", {"annotations": annotations})


def test_the_example_of_vqav2() -> None:
    rows, (official, normalised) = example("vqav2")
    write_vqav2(rows)
    answers = {row["id"]: row["the model"] for row in rows}
    for unanimous, column, value in (
        ("as_written", "score", official),
        ("normalised", "`unanimous=normalised`", normalised),
    ):
        record, samples = run("vqav2", answers, unanimous=unanimous)
        assert values(record) == [value]
        for row in rows:
            assert samples[row["id"]]["score"] == float(row[column])
            assert samples[row["id"]]["text"] == row["the model"]


def test_the_example_of_textvqa() -> None:
    rows, message = example("textvqa")
    data = [
        {"question_id": int(row["id"]), "image_id": "abc", "question": "What?",
         "answers": people(row["ten people"])}
        for row in rows
    ]  # fmt: skip
    write_json("TextVQA_0.5.1_val.json", {"data": data})
    record, samples = run("textvqa", {row["id"]: row["the model"] for row in rows})
    assert values(record) == message
    assert {name: sample["score"] for name, sample in samples.items()} == {
        row["id"]: float(row["score"]) for row in rows
    }


def write_mmbench(rows: list[dict[str, str]]) -> None:
    memory = io.BytesIO()
    Image.new("RGB", (8, 8), "red").save(memory, "PNG")
    home = rows[0]["index"]
    names = ("index", "question", "A", "B", "C", "answer", "image", "category", "l2-category")
    Path("data").mkdir(exist_ok=True)
    path = Path("data") / "MMBench_DEV_EN.tsv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter="\t")
        writer.writerow(names)
        for row in rows:
            image = base64.b64encode(memory.getvalue()).decode() if row["index"] == home else home
            cells = (row["index"], "What?", row["A"], row["B"], row["C"], row["right"], image)
            writer.writerow((*cells, f"category {row['index'][-1]}", "naming"))


def test_the_example_of_mmbench() -> None:
    rows, message = example("mmbench")
    write_mmbench(rows)
    record, samples = run("mmbench", {row["index"]: row["the model"] for row in rows})
    assert values(record) == message
    for row in rows:
        sample = samples[row["index"]]
        assert (sample["answer"], sample["target"]) == (row["letter"], row["right"])
        assert sample["fields"]["question"] == "What?"
    categories = {
        part.value: part.metrics[0].value for part in record.slices if part.slice == "category"
    }
    assert categories == {"category 7": 1.0, "category 8": 0.0}


def test_a_prediction_that_is_missing_leaves_its_question_uncounted() -> None:
    rows, _ = example("mmbench")
    write_mmbench(rows)
    answers = {row["index"]: row["the model"] for row in rows if row["index"] != "1000007"}
    record, _ = run("mmbench", answers)
    assert record.counts.errors == 1
    assert values(record) == [0.0, 100.0]


def test_a_split_without_answers_is_asked_and_not_scored() -> None:
    write_json(
        "v2_OpenEnded_mscoco_test2015_questions.json",
        {"questions": [{"question_id": 1, "image_id": 2, "question": "What?"}]},
    )
    record, samples = run("vqav2", {"1": "a kite"}, split="test")
    assert record.main.value is None
    assert record.counts.unlabelled == 1
    assert samples["1"]["answer"] == "a kite"
    assert "score" not in samples["1"]
