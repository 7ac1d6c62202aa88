"""A training that starts its processes itself: what they come to, and do when one is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from threading import Thread
from time import sleep

import pytest
from harness_training.processes import how_many_train
from harness_training.settings import TrainingSettings
from harness_training.together import train_together

from harness.errors import HarnessError, UserError
from tests.plugins.training.test_train import flags, record, train, weights

SAME = ("--lora-dropout", "0", "--device", "cpu", "--processes", "2")
TWO = TrainingSettings(processes=2, device="cpu")
PROCESS = """
import json, os, signal, socket, sys
door = socket.socket(socket.AF_UNIX)
door.connect(sys.argv[1])
order = json.loads(door.makefile().readline())
def tell(**message):
    door.sendall(json.dumps(message).encode() + b"\\n")
"""


class Heard:
    """A reporter that keeps what it hears."""

    def __init__(self) -> None:
        self.all: list[object] = []

    def step(self, figures: object) -> None:
        self.all.append(figures)

    def epoch(self, number: int, figures: object) -> None:
        self.all.append((number, figures))

    def say(self, note: str) -> None:
        self.all.append(note)


def processes_do(monkeypatch: pytest.MonkeyPatch, code: str) -> None:
    """Have two processes, which no torchrun starts, run a piece of code."""
    both = (
        f"import subprocess, sys\nall = [subprocess.Popen([sys.executable, '-c', {PROCESS + code!r}"
    )
    both += ", sys.argv[1], str(n)]) for n in (0, 1)]\nsys.exit(max(abs(p.wait()) for p in all))"
    monkeypatch.setattr(
        "harness_training.together._command", lambda _, door: [sys.executable, "-c", both, door]
    )


def test_the_reporter_receives_the_events_of_the_first_process(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    first = "tell(event='say', arguments=[order['out']]); "
    first += "tell(event='epoch', arguments=[0, {'loss': 1.5}]); "
    first += "tell(event='step', arguments=[{'step': 1, 'loss': float('nan')}])"
    processes_do(monkeypatch, f"if sys.argv[2] == '0':\n    {first}\ntell(done=True)")
    heard = Heard()
    train_together({}, tmp_path / "out", TWO, heard)
    assert heard.all[:2] == [str(tmp_path / "out"), (0, {"loss": 1.5})]
    assert len(heard.all) == 3


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("if sys.argv[2] == '1': os.kill(os.getpid(), 9)\ntell(done=True)", "one .* was killed"),
        ("raise SystemExit('no more room')", "one of the processes was killed"),
        (
            "tell(error={'kind': 'UserError', 'message': 'no data', 'where': 'x', 'fix': ''})",
            "x: no data",
        ),
        ("tell(done=True)\nsys.exit('it broke')", "ended with code 1: it broke"),
    ],
)
def test_what_goes_wrong_in_a_process_is_one_message(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, code: str, message: str
) -> None:
    processes_do(monkeypatch, code)
    with pytest.raises(HarnessError, match=message):
        train_together({}, tmp_path / "out", TWO, Heard())


def test_more_processes_than_gpus_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("harness_training.together.gpus", lambda: ["0"])
    with pytest.raises(UserError, match="2 processes need 2 GPUs, and this process may use 1"):
        train_together({}, tmp_path, TrainingSettings(processes=2), Heard())


def test_a_temporary_folder_with_a_long_name_is_said(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    long = tmp_path / ("x" * 120)
    long.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(long))
    with pytest.raises(UserError, match="cannot be given a socket: AF_UNIX path too long"):
        train_together({}, tmp_path / "out", TWO, Heard())


def test_other_processes_than_a_launcher_starts_are_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert how_many_train(TrainingSettings(processes=3)) == 3
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert how_many_train(TrainingSettings()) == how_many_train(TWO) == 2
    with pytest.raises(UserError, match="3 processes are asked for, and a launcher started 2"):
        how_many_train(TrainingSettings(processes=3))


@pytest.mark.torch
def test_a_batch_that_cannot_be_divided_is_refused_before_a_process_starts(
    built: Path, faces: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(*flags(built, faces, "own", *SAME[:-1], "3")) == 2
    assert "batch 4 is not a multiple of micro-batch 2 x 3 processes" in capsys.readouterr().err


@pytest.mark.torch
@pytest.mark.slow
def test_two_processes_started_by_the_training_are_those_of_torchrun(
    built: Path, faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert train(*flags(built, faces, "own", *SAME)) == 0
    output = capsys.readouterr().out
    assert output.count("epoch 1 of") == 1
    assert output.count("trained: own") == 1
    launch = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    command = [*launch, "-m", "harness", *flags(built, faces, "torchrun", *SAME[:-2])]
    subprocess.run(command, check=True, capture_output=True)
    assert weights(tmp_path / "own") == weights(tmp_path / "torchrun")
    expected, other = (record(tmp_path / name) for name in ("own", "torchrun"))
    assert expected["processes"] == other["processes"] == 2
    assert expected["fingerprint"] == other["fingerprint"]
    assert train(*flags(built, faces, "own", *SAME)) == 0  # it is done: nothing is started


@pytest.mark.torch
@pytest.mark.slow
def test_a_killed_process_ends_all_and_the_same_command_continues(
    built: Path, faces: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def kill() -> None:
        while not [*(tmp_path / "own").glob("epoch-000/*")]:
            sleep(0.05)
        victim = next(pid for pid in ranks() if pid)
        os.kill(victim, signal.SIGKILL)

    thread = Thread(target=kill)
    thread.start()
    assert train(*flags(built, faces, "own", *SAME, "--epochs", "3")) == 2
    thread.join()
    assert "one of the processes was killed" in capsys.readouterr().err
    assert not ranks()
    assert train(*flags(built, faces, "own", *SAME, "--epochs", "3")) == 0
    assert train(*flags(built, faces, "whole", *SAME, "--epochs", "3")) == 0
    assert weights(tmp_path / "own") == weights(tmp_path / "whole")


def ranks() -> list[int]:
    """Return the processes that train together for this process's user."""
    collected = []
    for path in Path("/proc").glob("[0-9]*"):
        try:
            line = (path / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"harness_training.together" in line and b"torch.distributed.run" not in line:
            collected.append(int(path.name))
    return collected
