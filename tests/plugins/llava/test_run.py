"""The command a user types, on the demo world; the tiny checkpoints were never trained."""

from __future__ import annotations

import json
import shutil
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


def run(folder: Path) -> int:
    command = ["run", "--model", "llava", "-o", f"path={folder}", "--tasks", "raf_db"]
    return invoke(main, [*command, "--limit", "4", "--device", "cpu"])


@pytest.mark.parametrize("name", ["llava15_original_tiny", "llava15_hf_tiny"])
def test_a_tiny_checkpoint_runs_on_the_demo_world(name: str, tmp_path: Path) -> None:
    assert run(SHARED / name) == 0
    (samples,) = tmp_path.rglob("samples.jsonl")
    lines = [json.loads(line) for line in samples.read_text().splitlines()]
    assert len(lines) == 4
    assert not any(line.get("error") for line in lines)


def test_a_template_without_the_image_token_ends_with_one_message(
    tmp_path: Path, capsys: Capture
) -> None:
    folder = shutil.copytree(SHARED / "llava15_hf_tiny", tmp_path / "copy")
    (folder / "chat_template.jinja").write_text("{{ messages[0].content[-1].text }}")
    assert run(folder) == 2
    printed = " ".join(capsys.readouterr().err.split())
    assert "writes nothing for an image; wanted is the model's image token, '<image>'" in printed
    assert "fix: give the template and the tokenizer of this checkpoint" in printed


def test_another_familys_checkpoint_ends_with_one_message(capsys: Capture) -> None:
    assert run(SHARED / "bunny_llama_tiny") == 2
    assert "--model bunny reads it" in capsys.readouterr().err
