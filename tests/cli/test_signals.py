"""SIGTERM and SIGHUP end a command as Ctrl-C does: what is finished is kept, and it is said."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from harness.runs.journal import Journal
from tests.evaluation.conftest import faces
from tests.evaluation.test_run import LOOK, PATH, look, sealed_files
from tests.plugins.socialfusion.conftest import built
from tests.plugins.studies.test_killed import STUDY
from tests.plugins.training import conftest as training
from tests.plugins.training.test_train import flags, weights

__all__ = ["built", "faces"]
Faces = Callable[[int], Path]
KILL = Path(__file__).parents[1] / "plugins" / "training" / "kill.py"
few = training.faces


@pytest.mark.parametrize(
    ("name", "code", "message"),
    [
        ("SIGTERM", 143, "ended by SIGTERM"),
        pytest.param("SIGHUP", 129, "ended by SIGHUP", marks=pytest.mark.slow),
        ("SIGINT", 130, "interrupted"),
    ],
)
def test_a_run_keeps_its_blocks(
    faces: Faces, tmp_path: Path, name: str, code: int, message: str
) -> None:
    faces(150)
    number = str(int(signal.Signals[name]))
    ended = look(tmp_path / "r", LOOKER_DIES_AT="2", LOOKER_SIGNAL=number)
    assert ended.returncode == code, ended.stderr
    assert f"{message}; what is finished is kept, the same command continues" in ended.stderr
    assert "Traceback" not in ended.stderr
    (journal,) = (tmp_path / "r").rglob("journal")
    assert Journal(journal.parent).done == {0, 1}
    assert "continues at 128" in look(tmp_path / "r", "--dry-run").stdout
    assert look(tmp_path / "r").returncode == 0
    assert look(tmp_path / "whole").returncode == 0
    assert sealed_files(tmp_path / "r") == sealed_files(tmp_path / "whole")


def test_who_asked_to_outlive_the_terminal_does(faces: Faces, tmp_path: Path) -> None:
    faces(10)
    ended = subprocess.run(
        [sys.executable, "-c", LOOK, "run", "--model", "looker", "--tasks", "raf_db",
         "--data", "raf_db=raf", "--results", "r"],
        env={**os.environ, "PYTHONPATH": PATH,
             "LOOKER_DIES_AT": "0", "LOOKER_SIGNAL": str(int(signal.SIGHUP))},
        capture_output=True, check=False, text=True,
        preexec_fn=partial(signal.signal, signal.SIGHUP, signal.SIG_IGN),
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr


def ended_by(name: str, at: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command in a process that is sent a signal at a step, block or batch."""
    return subprocess.run(
        [sys.executable, str(KILL), at, *arguments],
        env={**os.environ, "KILL_BY": name},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.torch
@pytest.mark.slow
@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGHUP", 129)])
def test_a_training_continues(built: Path, few: Path, tmp_path: Path, name: str, code: int) -> None:
    ended = ended_by(name, "4", *flags(built, few, "ended"))
    assert (ended.returncode, f"ended by {name}" in ended.stderr) == (code, True), ended.stderr
    assert "Traceback" not in ended.stderr
    for folder in ("ended", "whole"):
        command = [sys.executable, "-m", "harness", *flags(built, few, folder)]
        assert subprocess.run(command, check=False, capture_output=True).returncode == 0
    assert weights(tmp_path / "ended") == weights(tmp_path / "whole")


@pytest.mark.torch
@pytest.mark.slow
@pytest.mark.parametrize("command", ["study", "probe"])
def test_a_study_and_a_probe_end_so_too(
    built: Path, few: Path, tmp_path: Path, command: str
) -> None:
    (tmp_path / "small.yaml").write_text(STUDY.format(path=built / "saved"))
    (tmp_path / "harness.toml").write_text(f'[data]\nraf_db = "{few}"\n')
    probed = ["--encoder", f"model:socialfusion,path={built / 'saved'}", "--tasks", "raf_db"]
    arguments = ["small.yaml"] if command == "study" else [*probed, "--device", "cpu"]
    ended = ended_by("SIGTERM", "2", command, *arguments)
    assert ended.returncode == 143, ended.stderr
    assert "ended by SIGTERM; what is finished is kept" in ended.stderr
    assert "Traceback" not in ended.stderr
