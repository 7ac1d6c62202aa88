from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import harness
from harness.errors import UserError
from harness.models import threads

NAMES = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")


class Torch(SimpleNamespace):
    """As much of PyTorch as threads need."""

    def __init__(self, *, gpu: bool = False) -> None:
        super().__init__(cuda=SimpleNamespace(is_available=lambda: gpu), number=8)

    def get_num_threads(self) -> int:
        return int(self.number)

    def set_num_threads(self, number: int) -> None:
        self.number = number


@pytest.fixture
def torch(monkeypatch: pytest.MonkeyPatch) -> Torch:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    made = Torch()
    monkeypatch.setitem(sys.modules, "torch", made)
    monkeypatch.setattr(threads, "cores", lambda: 8)
    monkeypatch.setattr(threads, "others", lambda: 5.0)
    return made


def settled(torch: Torch, asked: Any = "auto", size: int | None = 10**9, **more: Any) -> int:
    threads.settle(asked, size, **{"device": "cpu", "fixed": False, **more})
    return torch.get_num_threads()


def test_a_small_model_takes_one_thread_and_a_large_one_what_others_leave(torch: Torch) -> None:
    assert settled(torch, size=3_000_000) == 1
    assert settled(torch, size=25_000_000) == 2
    assert settled(torch) == 3
    assert settled(torch, size=None) == 3
    assert threads.automatic(10**9, 2, 40.0)[0] == 1


def test_what_else_runs_does_not_matter_where_records_must_be_byte_equal(torch: Torch) -> None:
    assert settled(torch, fixed=True) == 8


def test_a_number_that_was_asked_for_goes_before_the_environment_and_that_before_auto(
    torch: Torch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "8")
    assert settled(torch) == 8
    assert threads.in_use()["chosen"] == "as OMP_NUM_THREADS says"
    assert settled(torch, asked=3) == 3


def test_a_model_on_a_gpu_leaves_threads_alone(
    torch: Torch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "torch", gpu := Torch(gpu=True))
    assert settled(gpu, device="auto") == 8
    assert settled(gpu, device="cpu") == 3


def test_the_number_is_put_back(torch: Torch) -> None:
    put_back = threads.settle("auto", 1, device="cpu", fixed=False)
    assert torch.get_num_threads() == 1
    assert put_back is not None
    put_back()
    assert torch.get_num_threads() == 8
    assert threads.in_use() == {}


def test_threads_wait_passively_unless_it_is_too_late_or_the_user_says_how(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in NAMES:
        monkeypatch.setenv(name, "")  # put back afterwards
        monkeypatch.delenv(name)
    monkeypatch.setitem(sys.modules, "torch", Torch())
    threads.wait_passively()
    assert "OMP_WAIT_POLICY" not in os.environ
    monkeypatch.delitem(sys.modules, "torch")
    monkeypatch.setenv("GOMP_SPINCOUNT", "10")
    threads.wait_passively()
    assert "OMP_WAIT_POLICY" not in os.environ
    monkeypatch.delenv("GOMP_SPINCOUNT")
    monkeypatch.setattr(threads, "others", lambda: 0.4)
    threads.wait_passively(if_busy=True)
    assert "OMP_WAIT_POLICY" not in os.environ
    threads.wait_passively()
    assert os.environ["OMP_WAIT_POLICY"] == "PASSIVE"


def test_what_else_runs_is_counted_without_this_thread() -> None:
    assert threads.others() >= 0
    assert threads.cores() >= 1


def test_a_number_of_threads_below_one_is_refused() -> None:
    with pytest.raises(UserError, match=r"threads .* at least 1 and at most 1,024, not 0"):
        harness.plan("majority", "raf_db", threads=0)


@pytest.mark.torch
@pytest.mark.slow
def test_a_record_says_threads_and_waiting_and_its_fingerprint_does_not(tmp_path: Path) -> None:
    """In processes of their own: PyTorch is loaded only once."""
    names = set()
    for flags, number, waiting in (
        (["--threads", "2"], 2, "OMP_WAIT_POLICY=PASSIVE"),
        ([], 1, "OMP_WAIT_POLICY=ACTIVE"),
    ):
        results = tmp_path / str(number)
        environment = {name: value for name, value in os.environ.items() if name not in NAMES}
        if not flags:
            environment["OMP_WAIT_POLICY"] = "ACTIVE"
        command = [sys.executable, "-m", "harness", "run", "--model", "socialfusion", "--tasks"]
        subprocess.run(
            [*command, "raf_db", "--limit", "4", "--results", str(results), *flags],
            check=True,
            capture_output=True,
            env=environment,
        )
        (path,) = results.glob("evaluations/raf_db/*/timings.json")
        names.add((path.parent.name, (path.parent / "samples.jsonl").read_bytes()))
        read_byte = json.loads(path.read_bytes())["cpu"]
        assert (read_byte["threads"], read_byte["waiting"]) == (number, waiting)
    assert len(names) == 1
