"""Starts the processes of a training itself: ``torchrun`` on this machine, heard over a socket.

``python -m harness_training.together SOCKET`` is one of them, which ``torchrun`` starts; nobody
types this. It asks for the training, tells how it goes, and ends when whoever began it is gone.
"""

from __future__ import annotations

import json
import os
import selectors
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import asdict, is_dataclass
from pathlib import Path
from threading import Thread
from typing import IO, Any

from harness.config.tasks import include, task_names
from harness.descriptors import Json
from harness.errors import UserError, one_line, quoted
from harness.plugins import block
from harness.workers.gpus import gpus
from harness.workers.messages import error_data, error_of
from harness.workers.start import as_json, here

from harness_training.run import NullTrainingReporter, TrainingReporter
from harness_training.settings import TrainingSettings

_WAIT = 1.0  # seconds between looks at the processes
_ENDS = 40.0  # seconds that torchrun has to end; it gives its processes 30
_READ = 1 << 20  # bytes at once
_LAST = 300  # characters of what a process wrote last
_AGAIN = "the same command continues from the last checkpoint"


def request_of(
    model: str, recipe: str, tasks: list[str], options: Mapping[str, Any]
) -> dict[str, Json]:
    """Return a training as plain data; arguments as for :func:`harness.train`."""
    asked = {key: asdict(value) if is_dataclass(value) else value for key, value in options.items()}  # type: ignore[arg-type]
    return {"model": model, "recipe": recipe, "tasks": list(tasks), "options": as_json(asked)}


def train_together(
    request: Mapping[str, Json], out: Path, settings: TrainingSettings, reporter: TrainingReporter
) -> None:
    """Train by several processes of this machine, and return when all are done.

    Args:
        request: As :func:`request_of` gives it.
        out: Folder of the training.
        settings: Its settings; ``processes`` says how many there are.
        reporter: Hears what the first process hears.

    Raises:
        UserError: more processes than GPUs, or what one of them raised.
    """
    _refuse_few_gpus(settings)
    order = {**request, "out": str(out.absolute()), **here()}
    # The name of a socket has at most 107 bytes: not below a results folder.
    with (
        tempfile.TemporaryDirectory(prefix="harness-") as folder,
        socket.socket(socket.AF_UNIX) as door,
        (Path(folder) / "log").open("w+b") as log,
    ):
        _bind(door, f"{folder}/door")
        door.listen(settings.processes)
        process = subprocess.Popen(  # noqa: S603  our own module
            _command(settings.processes, f"{folder}/door"),
            env={**os.environ, "PYTHONSAFEPATH": "1", "PYTHONPATH": _search_path(order)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for this process, which ends the others
        )
        try:
            problem = _listened(process, door, order, reporter)
        finally:
            if process.poll() is None:
                process.terminate()
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_ENDS)
                process.kill()
                process.wait()
        if problem is not None:
            raise error_of(problem)
        if process.returncode:
            raise UserError(
                f"the processes of the training ended with code {process.returncode}: "
                f"{_last_line(log)}",
                where=out,
                fix=_AGAIN,
            )


def _bind(door: socket.socket, name: str) -> None:
    try:
        door.bind(name)
    except OSError as error:
        raise UserError(
            f"the processes cannot be given a socket: {error}",
            where=quoted(name),
            fix="TMPDIR=/tmp harness train ..., or another folder with a short name",
        ) from None


def _refuse_few_gpus(settings: TrainingSettings) -> None:
    present = gpus()
    if present and settings.device != "cpu" and settings.processes > len(present):
        raise UserError(
            f"{settings.processes} processes need {settings.processes} GPUs, and this process may "
            f"use {len(present)}",
            where="--processes",
            fix=f"--processes {len(present)}, or --device cpu; workers of a study: "
            f"-e gpus={settings.processes}",
        )


def _command(count: int, door: str) -> list[str]:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    return [*launcher, "--nproc-per-node", str(count), "-m", "harness_training.together", door]


def _search_path(order: Mapping[str, Any]) -> str:
    return os.pathsep.join(order["sys_path"])


def _listened(
    process: subprocess.Popen[bytes],
    door: socket.socket,
    order: Mapping[str, Any],
    reporter: TrainingReporter,
) -> Mapping[str, Json] | None:
    """Give each process the order and pass on what they say, until all are gone.

    Returns:
        What went wrong first: an error that one of them told, or that one of them was killed, which
        the others only see as a broken connection.
    """
    killed = UserError(
        "one of the processes was killed, or crashed", where="--processes", fix=_AGAIN
    )
    done = set[socket.socket]()
    with ExitStack() as connections, selectors.DefaultSelector() as selector:
        selector.register(door, selectors.EVENT_READ)
        while True:
            ended = process.poll() is not None
            ready = selector.select(0 if ended else _WAIT)
            if ended and not ready:
                return None
            for key, _ in ready:
                if key.fileobj is door:
                    connection = connections.enter_context(door.accept()[0])
                    connection.sendall(json.dumps(order).encode() + b"\n")
                    selector.register(connection, selectors.EVENT_READ, bytearray())
                elif isinstance(key.fileobj, socket.socket):
                    data = _received(key.fileobj)
                    *lines, key.data[:] = (key.data + data).split(b"\n")
                    for message in map(json.loads, lines):
                        if "error" in message:
                            error: Mapping[str, Json] = message["error"]
                            return error
                        if "done" in message:
                            done.add(key.fileobj)
                        else:
                            getattr(reporter, message["hears"])(*message["what"])
                    if not data:
                        if key.fileobj not in done:
                            return error_data(killed)
                        selector.unregister(key.fileobj)


def _received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(_READ)
    except OSError:
        return b""


def _last_line(log: IO[bytes]) -> str:
    """Return the last line that a process wrote, but for what torchrun writes of its end."""
    log.seek(0)
    lines = log.read().decode(errors="replace").split("\n")
    own = [line for line in lines if line.strip() and "torch/distributed" not in line]
    return one_line(own[-1], _LAST) if own else "none of them wrote a word"


class _Telling(NullTrainingReporter):
    """Tells the process that began the training what a reporter hears."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def step(self, figures: Mapping[str, float]) -> None:
        """Tell of a log line."""
        self.tell({"hears": "step", "what": [dict(figures)]})

    def epoch(self, number: int, figures: Mapping[str, Json]) -> None:
        """Tell of an epoch."""
        self.tell({"hears": "epoch", "what": [number, dict(figures)]})

    def say(self, note: str) -> None:
        """Tell of a note."""
        self.tell({"hears": "say", "what": [note]})

    def tell(self, message: Mapping[str, Any]) -> None:
        """Send a message; nobody to hear it means that the training is to end."""
        try:
            self._connection.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            os._exit(1)


def main(door: str) -> None:
    """Be one of the processes."""
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(door)
    lines = connection.makefile("rb")
    order = json.loads(lines.readline())
    Thread(target=_end_with, args=(lines,), daemon=True).start()
    telling = _Telling(connection)
    try:
        _train(order, telling)
    except BaseException as error:  # whatever it is, the one who began must hear of it
        telling.tell({"error": error_data(error)})
        raise
    telling.tell({"done": True})


def _end_with(lines: IO[bytes]) -> None:
    """End this process when the one that began the training is gone."""
    with suppress(OSError):
        lines.read()
    os._exit(1)


def _train(order: Mapping[str, Any], telling: _Telling) -> None:
    from harness_training.api import plan_training  # which uses this module

    os.chdir(order["folder"])
    if order["blocked"]:
        block(order["blocked"])
    include(order["include"])
    task_names(order["specs"])
    options = order["options"]
    if (settings := options.get("settings")) is not None:
        options["settings"] = TrainingSettings(**settings)
    plan = plan_training(order["model"], order["recipe"], order["tasks"], **options)
    plan.run(Path(order["out"]), telling)


if __name__ == "__main__":
    main(sys.argv[1])
