"""The looker of the evaluation's tests, installed so that worker processes find it too."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.evaluation.conftest import faces

__all__ = ["faces"]
MODELS = Path(__file__).parents[1] / "evaluation"
Command = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def command(tmp_path: Path) -> Command:
    """Return what starts ``harness run --model looker --tasks raf_db`` in a process of its own."""
    installed = tmp_path / "installed"
    about = installed / "slow_model-1.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: slow-model\nVersion: 1\n")
    (about / "entry_points.txt").write_text("[harness]\nslow_model = slow_model\n")
    (installed / "slow_model.py").write_text((MODELS / "slow_model.py").read_text())
    path = os.pathsep.join([str(installed), os.environ.get("PYTHONPATH", "")])

    def start(results: str, *arguments: str, **environment: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "harness", "run", "--model", "looker", "--tasks", "raf_db",
             "--data", "raf_db=raf", "--results", results, *arguments],
            env={**os.environ, "PYTHONPATH": path, **environment},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=tmp_path,
        )  # fmt: skip

    return start


def children(process: int) -> list[int]:
    """Return the worker processes of a command."""
    listed = Path(f"/proc/{process}/task").glob("*/children")
    return sorted({int(number) for path in listed for number in path.read_text().split()})
