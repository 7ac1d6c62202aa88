"""The executor ``processes``: killed, stopped and interrupted, the same bytes."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import harness
from harness.runs.journal import Journal
from tests.evaluation.test_run import sealed_files
from tests.workers.conftest import Command, children

Faces = Callable[[int], Path]
ON = ("--on", "processes", "-e", "workers=2")


def output(process: subprocess.Popen[str]) -> str:
    text, _ = process.communicate(timeout=300)
    return text


def journaled(results: Path, blocks: int) -> None:
    """Wait until a number of blocks is on disk."""
    for _ in range(3000):
        for journal in results.rglob("journal"):
            if len(Journal(journal.parent).done) >= blocks:
                return
        time.sleep(0.05)
    raise AssertionError("nothing was journaled")


def whole(command: Command, tmp_path: Path) -> dict[str, bytes]:
    process = command("whole")
    text = output(process)
    assert process.returncode == 0, text
    return sealed_files(tmp_path / "whole")


def test_processes_leave_the_bytes_of_one(faces: Faces, tmp_path: Path) -> None:
    faces(200)
    requested = {"data": {"raf_db": "raf"}, "limit": 150}
    harness.run("random", "raf_db", results="one", **requested)  # type: ignore[arg-type]
    harness.run(
        "random", "raf_db", results="two", on="processes",
        executor_options={"workers": 2}, **requested,  # type: ignore[arg-type]
    )  # fmt: skip
    assert sealed_files(tmp_path / "one") == sealed_files(tmp_path / "two")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "message"),
    [(signal.SIGKILL, "ended by SIGKILL"), (signal.SIGSTOP, "no sign of life")],
)
def test_a_worker_that_is_killed_or_stopped(
    faces: Faces, tmp_path: Path, command: Command, number: int, message: str
) -> None:
    faces(450)
    process = command("r", *ON, "-e", "patience=4", LOOKER_SLEEPS="1")
    journaled(tmp_path / "r", 2)
    os.kill(children(process.pid)[0], number)
    text = output(process)
    assert process.returncode == 0, text
    assert message in text
    assert sealed_files(tmp_path / "r") == whole(command, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_the_coordinator_ends_and_the_same_command_continues(
    faces: Faces, tmp_path: Path, command: Command, number: int
) -> None:
    faces(450)
    process = command("r", *ON, LOOKER_SLEEPS="0.3")
    journaled(tmp_path / "r", 2)
    workers = children(process.pid)
    process.send_signal(number)
    ended = {signal.SIGKILL: -9, signal.SIGINT: 130, signal.SIGTERM: 143}
    text = output(process)
    assert process.returncode == ended[signal.Signals(number)], text
    for _ in range(200):
        if not any(Path(f"/proc/{worker}/exe").exists() for worker in workers):
            break
        time.sleep(0.1)
    else:
        raise AssertionError("workers outlive their coordinator")
    (journal,) = (tmp_path / "r").rglob("journal")
    assert len(Journal(journal.parent).done) >= 2
    again = command("r", *ON)
    text = output(again)
    assert again.returncode == 0, text
    assert sealed_files(tmp_path / "r") == whole(command, tmp_path)


@pytest.mark.slow
def test_a_model_that_dies_on_one_block_costs_that_block(
    faces: Faces, tmp_path: Path, command: Command
) -> None:
    faces(450)
    process = command("r", *ON, "--max-errors", "1", LOOKER_DIES_AT="4")
    text = output(process)  # each worker answers four blocks and dies
    assert process.returncode == 0, text
    assert sealed_files(tmp_path / "r") == whole(command, tmp_path)


@pytest.mark.slow
@pytest.mark.torch
@pytest.mark.parametrize("number", [2, 3, 5])
def test_a_trained_model_by_any_number_of_workers(tmp_path: Path, number: int) -> None:
    requested = {"limit": 150, "deterministic": True}
    harness.run("socialfusion", "raf_db", results=tmp_path / "one", **requested)  # type: ignore[arg-type]
    harness.run(
        "socialfusion", "raf_db", results=tmp_path / "many", on="processes",
        executor_options={"workers": number}, **requested,  # type: ignore[arg-type]
    )  # fmt: skip
    assert sealed_files(tmp_path / "one") == sealed_files(tmp_path / "many")
