"""The Ray that a run starts for itself: tried again, ended with the run, and its faults told."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

local = pytest.importorskip("harness_executor_ray.local")
FAILS = """
session=$(echo "$*" | sed 's/.*--temp-dir=\\([^ ]*\\).*/\\1/')/session_2000
mkdir -p $session/logs
echo "[C] node_manager.cc:1: Check failed: a.has_value() Timed out waiting for file /x" \\
  > $session/logs/raylet.err
"""
STARTS = 'echo "Ray runtime started."\n'
WAITS = "echo $$ >> $RAY_TMPDIR/started\nexec sleep 60\n"


@pytest.fixture
def scripted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the script that is run in the place of ``ray``; what it starts is in ``started``."""
    command = tmp_path / "ray"
    monkeypatch.setattr(local, "_RAY", str(command))
    monkeypatch.setattr(local, "_LOOK", 0.02)
    monkeypatch.setattr(local, "_MOST_TRIES", 2)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    return command


def write(command: Path, text: str) -> None:
    command.write_text(f"#!/bin/sh\n{text}")
    command.chmod(0o755)


def left_running(folder: Path) -> list[str]:
    """Return the processes of the script that are still there."""
    numbers = (folder / "started").read_text().split()
    for _ in range(100):
        running = [number for number in numbers if Path(f"/proc/{number}").exists()]
        if not running:
            break
        time.sleep(0.02)
    return running


def test_a_node_that_ends_itself_is_started_again(scripted: Path) -> None:
    folder = scripted.parent
    once = f"if [ -e $RAY_TMPDIR/started ]; then {STARTS}else {FAILS}fi\n{WAITS}"
    write(scripted, once)
    ray = local.LocalRay(30)
    try:
        assert ray.address.startswith("127.0.0.1:")
        assert len((folder / "started").read_text().split()) == 2
    finally:
        ray.end()
    assert not left_running(folder)
    assert not list(folder.glob("harness-*"))


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (f"{FAILS}{WAITS}", "and 2 tries: Timed out waiting for file /x"),
        ("echo 'Error: No such option: --head'\nexit 2\n", "2 tries: No such option: --head"),
    ],
)
def test_what_it_ended_with_is_told(scripted: Path, script: str, expected: str) -> None:
    write(scripted, script)
    with pytest.raises(TimeoutError, match=expected):
        local.LocalRay(30)
    assert not list(scripted.parent.glob("harness-*"))


def test_it_ends_when_the_run_is_killed(scripted: Path) -> None:
    write(scripted, f"{STARTS}{WAITS}")
    folder = scripted.parent
    lines = (
        "import os, signal",
        "from harness_executor_ray import local",
        f"local._RAY = {str(scripted)!r}",
        "local.LocalRay(30)",
        "os.kill(os.getpid(), signal.SIGKILL)",
    )
    subprocess.run([sys.executable, "-c", "\n".join(lines)], check=False)
    assert not left_running(folder)
    for _ in range(100):
        if not list(folder.glob("harness-*")):
            break
        time.sleep(0.02)
    assert not list(folder.glob("harness-*"))


def test_nothing_is_left_where_it_cannot_be_started(
    scripted: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    with pytest.raises(OSError, match="temporarily unavailable"):
        local.LocalRay(30)
    assert not list(scripted.parent.glob("harness-*"))


def test_its_folder_is_removed_after_whatever_still_writes_into_it(scripted: Path) -> None:
    """What Ray starts outlives ``ray start`` by a moment, and writes logs."""
    logs = "session=$(echo \"$*\" | sed 's/.*--temp-dir=\\([^ ]*\\).*/\\1/')/logs"
    child = "(trap '' TERM; echo | while :; do mkdir -p $session; touch $session/log; done) &"
    write(scripted, f"{logs}\n{child}\n{STARTS}{WAITS}")
    ray = local.LocalRay(30)
    keeper = ray._keeper
    assert keeper.stdin is not None
    keeper.stdin.close()  # as when the run is killed
    keeper.wait(60)
    assert not list(scripted.parent.glob("harness-*"))


def test_ray_is_ended_where_its_keeper_was_killed(scripted: Path) -> None:
    write(scripted, f"{WAITS.replace('exec', STARTS + 'exec')}")
    ray = local.LocalRay(30)
    ray._keeper.kill()
    ray._keeper.wait()
    ray.end()
    assert not left_running(scripted.parent)
    assert not list(scripted.parent.glob("harness-*"))


def test_a_folder_is_removed_whose_ray_had_ended_before_the_run_was_killed(scripted: Path) -> None:
    write(scripted, STARTS)
    ray = local.LocalRay(30)
    for _ in range(500):
        if (ray._folder / "ended").exists():
            break
        time.sleep(0.02)
    keeper = ray._keeper
    assert keeper.stdin is not None
    keeper.stdin.close()
    keeper.wait(60)
    assert not list(scripted.parent.glob("harness-*"))


@pytest.mark.slow
def test_an_address_is_not_dropped_where_ray_was_joined_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ray = pytest.importorskip("ray")
    from harness_executor_ray.actors import RayActors

    from harness.errors import UserError

    joined = SimpleNamespace(gcs_address="127.0.0.1:1")
    monkeypatch.setattr(ray, "is_initialized", lambda: True)
    monkeypatch.setattr(ray, "get_runtime_context", lambda: joined)
    options = {"gpus": None, "address": None, "workers": 1, "wait": 1, "cpus": 1}
    actors = RayActors(options)
    actors._connect()
    actors._address = joined.gcs_address
    actors._connect()
    actors._address = "127.0.0.1:2"
    with pytest.raises(UserError, match=r"already joined Ray at 127\.0\.0\.1:1, not at"):
        actors._connect()


@pytest.mark.slow
def test_ray_takes_the_loopback_for_its_address() -> None:
    """What does this is a private constant of Ray, which a release may rename."""
    services = pytest.importorskip("ray._private.services")
    constants = pytest.importorskip("ray._private.ray_constants")
    before = constants.ENABLE_RAY_CLUSTER
    with local.loopback():
        assert services.get_node_ip_address() == "127.0.0.1"
    assert constants.ENABLE_RAY_CLUSTER is before
