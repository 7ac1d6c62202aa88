"""Real Ray and submitit: the bytes of one process, with workers killed; and what they refuse."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.cli.main import entry
from harness.descriptors import is_installed, parse_options
from harness.errors import UserError
from tests.evaluation.test_run import sealed_files
from tests.workers.conftest import Command
from tests.workers.test_processes import journaled, output, whole

Faces = Callable[[int], Path]
RUN = ("run", "--model", "random", "--tasks", "raf_db", "--data", "raf_db=raf", "--results", "r")
MODULES = {"ray": "ray", "slurm": "submitit"}
LOCAL = ("-e", "cluster=local")
SLURM = ("--on", "slurm", "-e", "cluster=local", "-e", "workers=2", "-e", "patience=20")


def workers_named(text: bytes, folder: Path) -> Iterator[int]:
    """Yield the processes whose command line holds a text and that work for this test."""
    for path in Path("/proc").glob("[0-9]*"):
        try:
            line, variables = (path / "cmdline").read_bytes(), (path / "environ").read_bytes()
        except OSError:
            continue
        if text in line and str(folder).encode() in variables:
            yield int(path.name)


@pytest.mark.parametrize(
    ("engine", "arguments", "message"),
    [
        ("slurm", ("-e", "workers=1"), "this machine has no sbatch"),
        ("slurm", ("-e", "partitin=x"), "did you mean 'partition' or"),
        ("slurm", ("-e", "cluster=locl"), "did you mean 'local'?"),
        ("slurm", (*LOCAL, "-e", "gpus=99"), "a job with 99 GPUs does not fit"),
        ("slurm", (*LOCAL, "-e", "cpus=2", "-e", "qos=x"), "do not use qos, cpus"),
        ("slurm", (*LOCAL, "-e", "memory=9"), "fix: leave out -e memory=..."),
        ("ray", ("-e", "address=127.0.0.1:9"), "nothing answers at 127.0.0.1:9"),
        ("ray", ("-e", "address=nowhere"), "is neither auto nor HOST:PORT"),
        ("ray", ("-e", "address=auto"), "-e address=auto finds no Ray"),
        ("ray", ("-e", "workers=0"), "0 is less than 1"),
    ],
)
def test_what_is_not_there_is_one_message(  # noqa: PLR0917
    faces: Faces,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    engine: str,
    arguments: tuple[str, ...],
    message: str,
) -> None:
    """Where the engine is not installed, the message says how to install it."""
    faces(5)
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    of_options = "did you mean" in message or "less than" in message
    missing = not is_installed(MODULES[engine]) and not of_options
    with pytest.raises(SystemExit) as ended:
        entry([*RUN, "--on", engine, *arguments])
    err = capsys.readouterr().err
    assert ended.value.code == 2
    assert (
        f"pip install 'social-harness-executor-{engine}[{engine}]'" if missing else message
    ) in err
    assert "Traceback" not in err
    assert not Path("r").exists()


@pytest.mark.parametrize(
    ("visible", "arguments"), [("2,3", "2"), ("0,1,4", "0,1"), ("GPU-a,GPU-b", "must hold numbers")]
)
def test_jobs_on_this_machine_see_the_gpus_that_their_command_sees(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, visible: str, arguments: str
) -> None:
    pytest.importorskip("submitit")
    from harness_executor_slurm import OPTIONS
    from harness_executor_slurm.jobs import Slurm

    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    number = arguments.count(",") + 1
    options = parse_options(OPTIONS, {"cluster": "local", "gpus": number}, owner="")
    if "numbers" in arguments:
        with pytest.raises(UserError, match=arguments):
            Slurm(options)
        return
    slurm = Slurm(options)
    executor = slurm._executor(tmp_path)
    executor.update_parameters(**slurm._parameters())
    assert executor.submit(os.getenv, "CUDA_VISIBLE_DEVICES").result() == arguments


@pytest.mark.slow
def test_jobs_of_submitit_that_are_killed(faces: Faces, tmp_path: Path, command: Command) -> None:
    pytest.importorskip("submitit")
    faces(450)
    process = command("r", *SLURM, LOOKER_SLEEPS="0.5")
    journaled(tmp_path / "r", 2)
    names = [path.name for path in (tmp_path / "r").rglob("journal/*.jsonl")]
    assert any(name.count("-") == 3 for name in names)  # NUMBER-RUN-WORKER-ATTEMPT
    os.kill(next(workers_named(b"submitit.core._submit", tmp_path)), signal.SIGKILL)
    text = output(process)
    assert process.returncode == 0, text
    assert "is lost" in text
    assert sealed_files(tmp_path / "r") == whole(command, tmp_path)
    assert not (tmp_path / "r" / "workers").exists()


@pytest.mark.slow
def test_jobs_keep_what_they_answer_when_their_coordinator_is_killed(
    faces: Faces, tmp_path: Path, command: Command
) -> None:
    pytest.importorskip("submitit")
    faces(450)
    process = command("r", *SLURM, LOOKER_SLEEPS="0.5")
    journaled(tmp_path / "r", 2)
    process.kill()
    output(process)
    again = command("r")  # one process merges the segments of the jobs
    text = output(again)
    assert again.returncode == 0, text
    assert sealed_files(tmp_path / "r") == whole(command, tmp_path)
    for job in workers_named(b"submitit", tmp_path):
        os.kill(job, signal.SIGKILL)


@pytest.mark.slow
def test_actors_of_ray_on_fake_gpus_that_are_killed(
    faces: Faces, tmp_path: Path, command: Command
) -> None:
    pytest.importorskip("ray")
    faces(450)
    ports = []
    sockets = [socket.socket() for _ in range(6)]
    for item in sockets:
        item.bind(("127.0.0.1", 0))
        ports.append(item.getsockname()[1])
        item.close()
    flags = (
        *("--port", "--node-manager-port", "--dashboard-agent-grpc-port"),
        *("--dashboard-agent-listen-port", "--metrics-export-port", "--runtime-env-agent-port"),
    )
    started = subprocess.Popen(
        [str(Path(sys.executable).with_name("ray")), "start", "--head", "--block", "--num-gpus=4",
         "--node-ip-address=127.0.0.1", "--include-dashboard=false", "--disable-usage-stats",
         *(f"{flag}={port}" for flag, port in zip(flags, ports, strict=True))],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(
            [str(tmp_path / "installed"), os.environ.get("PYTHONPATH", "")])},
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=tmp_path,
    )  # fmt: skip
    try:
        for _ in range(600):
            with socket.socket() as reached:
                if reached.connect_ex(("127.0.0.1", ports[0])) == 0:
                    break
            time.sleep(0.2)
        time.sleep(5)
        on = ("--on", "ray", "-e", f"address=127.0.0.1:{ports[0]}")
        process = command("r", *on, LOOKER_SLEEPS="0.5")
        journaled(tmp_path / "r", 2)
        actor = next(iter(workers_named(b"ray::Actor", tmp_path)))
        os.kill(actor, signal.SIGKILL)
        text = output(process)
        assert process.returncode == 0, text
        assert "is lost" in text
        assert sealed_files(tmp_path / "r") == whole(command, tmp_path)
        refused = command("other", *on, "-e", "gpus=5")
        assert "Ray has 4" in output(refused)
        assert refused.returncode == 2
    finally:
        started.terminate()
        started.wait(60)
