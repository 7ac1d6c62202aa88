"""The command a user types, on the demo world."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from harness.cli.main import invoke, main

SHARED = Path(__file__).parents[2] / "conformance" / "checkpoints"
Capture = pytest.CaptureFixture[str]


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("HARNESS_PROFILE", "HARNESS_RESULTS"):
        monkeypatch.delenv(name, raising=False)


def run(option: str, tasks: str) -> int:
    command = ["run", "--model", "open_clip", "-o", option, "--tasks", tasks]
    return invoke(main, [*command, "--limit", "4", "--device", "cpu"])


def lines(folder: Path) -> list[dict[str, object]]:
    ordered = sorted(folder.rglob("samples.jsonl"))
    return [json.loads(line) for path in ordered for line in path.read_text().splitlines()]


def test_a_tiny_checkpoint_chooses_and_ranks_on_the_demo_world(
    converted: Callable[[str], Path], tmp_path: Path
) -> None:
    assert run(f"path={converted('clip')}", "raf_db,scounter_retrieval") == 0
    content = lines(tmp_path)
    assert len(content) == 8
    assert all(item["error"] is None and item["score_kind"] == "similarity" for item in content)


def test_the_demo_preset_marks_its_records(tmp_path: Path) -> None:
    assert run("preset=demo", "raf_db") == 0
    (path,) = tmp_path.rglob("evaluation.json")
    assert "demo" in json.loads(path.read_text())["marks"]


def test_a_task_that_wants_text_is_refused(capsys: Capture) -> None:
    assert run("preset=demo", "gazefollow") == 2
    assert "model 'open_clip' cannot generate" in capsys.readouterr().err


def test_another_familys_checkpoint_ends_with_one_message(capsys: Capture) -> None:
    assert run(f"path={SHARED / 'bunny_llama_tiny'}", "raf_db") == 2
    assert "--model bunny reads it" in capsys.readouterr().err
