"""Trains by several processes of this machine: ``torchrun`` starts them, a socket connects them.

``torchrun`` runs ``python -m harness_training.together SOCKET`` as each process. It receives the
training's request from the process that the user started, reports progress and errors to it, and
ends when that process is gone.
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
from harness.errors import UserError, quoted
from harness.plugins import block
from harness.workers.gpus import gpus
from harness.workers.messages import error_data, error_of
from harness.workers.processes import last_line
from harness.workers.start import as_json, here

from harness_training.run import NullTrainingReporter, TrainingReporter
from harness_training.settings import TrainingSettings

_WAIT = 1.0  # seconds between looks at the processes
_ENDS = 40.0  # seconds that torchrun has to end; it gives its processes 30
_READ = 1 << 20  # bytes at once
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
        reporter: Receives the events of the first process.

    Raises:
        UserError: more processes than GPUs, or what one of them raised.
    """
    _refuse_few_gpus(settings)
    order = {**request, "out": str(out.absolute()), **here()}
    # The name of a socket has at most 107 bytes: not below a results folder.
    with (
        tempfile.TemporaryDirectory(prefix="harness-") as folder,
        socket.socket(socket.AF_UNIX) as listener,
        (Path(folder) / "log").open("w+b") as log,
    ):
        _bind(listener, f"{folder}/socket")
        listener.listen(settings.processes)
        process = subprocess.Popen(  # noqa: S603  our own module
            _command(settings.processes, f"{folder}/socket"),
            env={**os.environ, "PYTHONSAFEPATH": "1", "PYTHONPATH": _search_path(order)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # Ctrl-C is for this process, which ends the others
        )
        try:
            problem = _serve(process, listener, order, reporter)
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
            # What torchrun writes of the end comes last, and says less than a process itself.
            last = last_line(log, "torch/distributed") or "none of them wrote anything"
            raise UserError(
                f"the processes of the training ended with code {process.returncode}: {last}",
                where=out,
                fix=_AGAIN,
            )


def _bind(listener: socket.socket, name: str) -> None:
    try:
        listener.bind(name)
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


def _command(count: int, address: str) -> list[str]:
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    return [*launcher, "--nproc-per-node", str(count), "-m", "harness_training.together", address]


def _search_path(order: Mapping[str, Any]) -> str:
    return os.pathsep.join(order["sys_path"])


def _serve(
    process: subprocess.Popen[bytes],
    listener: socket.socket,
    order: Mapping[str, Any],
    reporter: TrainingReporter,
) -> Mapping[str, Json] | None:
    """Send each process the order and pass its events on, until all processes are gone.

    Returns:
        The first failure: an error that a process reported, or that a process was killed, which the
        others only see as a broken connection.
    """
    killed = UserError(
        "one of the processes was killed, or crashed", where="--processes", fix=_AGAIN
    )
    done = set[socket.socket]()
    with ExitStack() as connections, selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        while True:
            ended = process.poll() is not None
            ready = selector.select(0 if ended else _WAIT)
            if ended and not ready:
                return None
            for key, _ in ready:
                if key.fileobj is listener:
                    connection = connections.enter_context(listener.accept()[0])
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
                            getattr(reporter, message["event"])(*message["arguments"])
                    if not data:
                        if key.fileobj not in done:
                            return error_data(killed)
                        selector.unregister(key.fileobj)


def _received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(_READ)
    except OSError:
        return b""


class _RemoteReporter(NullTrainingReporter):
    """Sends events to the process that the user started."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def step(self, figures: Mapping[str, float]) -> None:
        """Send the figures of a log line."""
        self.send({"event": "step", "arguments": [dict(figures)]})

    def epoch(self, number: int, figures: Mapping[str, Json]) -> None:
        """Send the figures of an epoch."""
        self.send({"event": "epoch", "arguments": [number, dict(figures)]})

    def say(self, note: str) -> None:
        """Send a note."""
        self.send({"event": "say", "arguments": [note]})

    def send(self, message: Mapping[str, Any]) -> None:
        """Send a message; end this process if nothing receives it."""
        try:
            self._connection.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            os._exit(1)


def main(address: str) -> None:
    """Train as one of the processes."""
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(address)
    lines = connection.makefile("rb")
    order = json.loads(lines.readline())
    Thread(target=_end_with, args=(lines,), daemon=True).start()
    reporter = _RemoteReporter(connection)
    try:
        _train(order, reporter)
    except BaseException as error:  # the user sees whatever it is
        reporter.send({"error": error_data(error)})
        raise
    reporter.send({"done": True})


def _end_with(lines: IO[bytes]) -> None:
    """End this process when the one that the user started is gone."""
    with suppress(OSError):
        lines.read()
    os._exit(1)


def _train(order: Mapping[str, Any], reporter: _RemoteReporter) -> None:
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
    plan.run(Path(order["out"]), reporter)


if __name__ == "__main__":
    main(sys.argv[1])
