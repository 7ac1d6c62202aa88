"""A study that dies anywhere and is asked for again ends as an unbroken one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from harness.cli.main import entry
from tests.plugins.socialfusion.conftest import built
from tests.plugins.training.conftest import faces

__all__ = ["built", "faces"]
pytestmark = [pytest.mark.torch, pytest.mark.slow]
KILL = Path(__file__).parents[1] / "training" / "kill.py"
STUDY = """\
study: small
title: A small study
note: What it is about.
models:
  - {{model: socialfusion, label: Model, options: {{path: {path}}}}}
data:
  - {{label: Faces, tasks: [raf_db]}}
recipes:
  - {{label: Base}}
  - {{label: FT, recipe: ft}}
seeds: [0, 1]
tasks:
  - {{task: raf_db}}
training: {{epochs: 1, batch: 4, micro_batch: 2, save_every: 2, rate: 0.01, device: cpu}}
evaluation: {{device: cpu, dtype: float32}}
"""


def study(results: str) -> list[str]:
    return ["study", "small.yaml", "--results", results]


def left(results: Path) -> dict[str, Any]:
    """Return weights and records of a study, without clocks."""
    actual: dict[str, Any] = {
        str(path.relative_to(results)): path.read_bytes()
        for pattern in ("*.safetensors", "metrics.json", "samples.jsonl", "table.*")
        for path in results.rglob(pattern)
    }
    trials = json.loads(next(results.rglob("study.json")).read_bytes())["trials"]
    return actual | {"trials": [{**trial, "seconds": 0} for trial in trials]}


def test_a_study_killed_again_and_again_ends_as_an_unbroken_one(
    built: Path, faces: Path, tmp_path: Path
) -> None:
    (tmp_path / "small.yaml").write_text(STUDY.format(path=built / "saved"))
    (tmp_path / "harness.toml").write_text(f'[data]\nraf_db = "{faces}"\n')
    for at in ("1", "4", "9", "6", "3"):
        command = [sys.executable, str(KILL), at, *study("killed")]
        ended = subprocess.run(command, check=False, capture_output=True)
        assert ended.returncode == -9, ended.stderr
    for results in ("killed", "whole"):
        with pytest.raises(SystemExit) as done:
            entry(study(results))
        assert not done.value.code
    files = left(tmp_path / "whole")
    assert sum(name.endswith("metrics.json") for name in files) == 3
    assert sum(name.endswith("lora.safetensors") for name in files) >= 2
    assert left(tmp_path / "killed") == files
