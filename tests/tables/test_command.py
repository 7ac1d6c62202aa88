from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from harness.cli.main import invoke, main
from harness.runs.record import FORMAT, EvaluationRecord
from harness.runs.seal import seal, write_json
from tests.tables.records import metric, record


def write(folder: Path, one: EvaluationRecord) -> Path:
    """Write a record as a sealed directory."""
    folder.mkdir(parents=True)
    evaluation: dict[str, Any] = {
        "format": FORMAT,
        "fingerprint": one.raw["fingerprint"],
        "settings": one.raw["settings"],
        "model": {
            "id": one.model,
            "fingerprint": one.model_fingerprint,
            "options": one.model_options,
        },
        "task": {
            "id": one.task,
            "title": one.task_title,
            "version": one.task_version,
            "fingerprint": one.task_fingerprint,
            "parts": one.task_parts,
            "options": one.task_options,
        },
        "images": one.images,
        "marks": list(one.marks),
        "counts": asdict(one.counts),
    }
    write_json(folder / "evaluation.json", evaluation)
    write_json(
        folder / "metrics.json", {"metrics": [asdict(value) for value in one.metrics], "slices": []}
    )
    (folder / "samples.jsonl").write_text("", encoding="utf-8")
    (folder / "spec.yaml").write_text("", encoding="utf-8")
    seal(folder)
    return folder


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two models on two tasks under ``results/``, in an otherwise empty folder."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "results" / "evaluations"
    for model in ("echo", "other"):
        for task in ("pisc_fine", "raf_db"):
            write(folder / f"{model}-{task}", record(model, task, metric(0.25)))
    return tmp_path / "results"


def test_by_default_the_results_folder_is_shown(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(main, ["leaderboard"]) == 0
    said = capsys.readouterr().out
    assert "echo" in said
    assert "other" in said
    assert "25.0" in said


@pytest.mark.parametrize("name", ["table.md", "deep/table.json", "table.txt"])
def test_the_ending_of_a_file_chooses_the_format(results: Path, name: str) -> None:
    assert invoke(main, ["leaderboard", "--out", name]) == 0
    text = Path(name).read_text(encoding="utf-8")
    assert "echo" in text
    assert text.startswith({".md": "| Model", ".json": "{", ".txt": "Model"}[Path(name).suffix])


def test_tasks_and_groups_choose_columns(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(main, ["leaderboard", "--json", "--tasks", "raf_db"]) == 0
    columns = json.loads(capsys.readouterr().out)["columns"]
    assert [column["task"] for column in columns] == ["raf_db"]
    assert invoke(main, ["leaderboard", "--json", "--tasks", "social_all"]) == 0
    columns = json.loads(capsys.readouterr().out)["columns"]
    assert [column["task"] for column in columns] == ["pisc_fine", "raf_db"]


def test_the_same_place_twice_is_read_once(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(main, ["leaderboard", "results", "results/evaluations", "--format", "plain"]) == 0
    twice = capsys.readouterr().out
    assert invoke(main, ["leaderboard", "--format", "plain"]) == 0
    assert capsys.readouterr().out == twice


def test_a_run_is_shown_by_its_name(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (results / "runs").mkdir()
    write_json(results / "runs" / "mine.json", {"evaluations": ["evaluations/echo-raf_db"]})
    assert invoke(main, ["leaderboard", "mine", "--format", "plain"]) == 0
    said = capsys.readouterr().out
    assert "echo" in said
    assert "other" not in said


def test_a_damaged_directory_is_named_and_left_out(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = results / "evaluations" / "echo-raf_db" / "metrics.json"
    damaged.write_text(damaged.read_text(encoding="utf-8").replace("0.25", "0.99"), "utf-8")
    assert invoke(main, ["leaderboard", "--format", "plain"]) == 0
    said = capsys.readouterr()
    assert "left out" in said.err
    assert "echo-raf_db" in said.err
    assert "99.0" not in said.out
    assert invoke(main, ["leaderboard", "--format", "plain", "--strict"]) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["nowhere"],
        ["--tasks", "no_such_task"],
        ["--metric", "no_such_metric"],
        ["--format", "no_such_format"],
        ["--json", "--format", "markdown"],
        ["--out", "table.odd"],
        ["--out", "table", "--format", "terminal"],
    ],
)
def test_mistakes_of_the_user_end_with_2(
    results: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(main, ["leaderboard", *arguments]) == 2
    assert capsys.readouterr().err.startswith("error: ")
