"""The executor ``processes``: workers are processes of this machine, by default one on each GPU.

Messages are lines of JSON over a socket of each process, so that what a model prints is in no way
of them. A process that says nothing for a while is lost, also one that was stopped.
"""

from __future__ import annotations

import json
import os
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from typing import IO

from harness.descriptors import Json
from harness.errors import UserError, one_line, reason_of
from harness.models.threads import cores
from harness.workers.contract import BlockRequest, Event, Lost, Refused, WorkOrder
from harness.workers.gpus import VISIBLE, gpus
from harness.workers.messages import event_of

_READ = 1 << 20  # bytes at once
_ENDS = 5.0  # seconds that a process has to end by itself
_LAST = 300  # characters of what a process wrote last


@dataclass(slots=True)
class _Process:
    """A worker: its process, our end of its socket, and what it wrote to standard error."""

    place: int
    process: subprocess.Popen[bytes]
    socket: socket.socket
    log: IO[bytes]
    heard: float = field(default_factory=time.monotonic)
    unread: bytearray = field(default_factory=bytearray)


class Processes:
    """Starts processes on this machine.

    Args:
        options: ``workers``, ``gpus`` and ``patience``, as the descriptor has them.

    Raises:
        UserError: more GPUs than there are.
    """

    def __init__(self, options: Mapping[str, Json]) -> None:
        workers, wanted, patience = (options[name] for name in ("workers", "gpus", "patience"))
        self._gpus = gpus()
        self._each = wanted if isinstance(wanted, int) else None
        self._patience = float(str(patience))
        self._number = workers if isinstance(workers, int) else self._default()
        needed = self._number * (self._each or 0)
        if needed > len(self._gpus):
            raise UserError(
                f"{self._number} workers with {self._each} GPU each need {needed} GPUs, and this "
                f"machine has {len(self._gpus)}",
                where="--on processes",
                fix=_fewer(len(self._gpus), self._each or 1),
            )
        self._order: WorkOrder | None = None
        self._processes: dict[str, _Process] = {}
        self._selector = selectors.DefaultSelector()
        self._attempts = [0] * self._number
        self._lost: list[Event] = []

    def _default(self) -> int:
        if self._gpus and self._each != 0:
            return max(1, len(self._gpus) // (self._each or 1))
        return min(2, cores())

    # --- the contract ------------------------------------------------------------------------

    def start(self, order: WorkOrder) -> None:
        """Start the processes."""
        self._order = replace(order, shares_machine=self._number)
        for index in range(self._number):
            self._start(index)

    def ask(self, worker: str, request: BlockRequest) -> None:
        """Send a block to a process."""
        if worker in self._processes:
            self._send(worker, {"request": request.to_json()})

    def events(self, timeout: float) -> Sequence[Event]:
        """Return what processes said, and which of them are gone."""
        events, self._lost = self._lost, []
        for key, _ in self._selector.select(0 if events else timeout):
            events += self._receive(key.data)
        now = time.monotonic()
        for name, process in list(self._processes.items()):
            if now - process.heard > self._patience:
                self.stop(name)
                events.append(Lost(name, f"no sign of life for {self._patience:.0f} s"))
        return events

    def alive(self) -> int:
        """Return the number of processes."""
        return len(self._processes)

    def stop(self, worker: str) -> None:
        """Kill a process, also one that is stopped."""
        if (process := self._processes.pop(worker, None)) is not None:
            self._selector.unregister(process.socket)
            process.process.kill()
            process.process.wait()
            process.socket.close()
            process.log.close()

    def replace(self, worker: str) -> None:
        """Start another process on the GPUs of one that is gone."""
        self._start(int(worker.partition("-")[0]) - 1)

    def close(self) -> None:
        """End every process: those that do not end by themselves are killed."""
        for process in self._processes.values():
            with suppress(OSError):
                process.socket.shutdown(socket.SHUT_WR)
        ends = time.monotonic() + _ENDS
        for process in self._processes.values():
            with suppress(subprocess.TimeoutExpired):
                process.process.wait(max(0.0, ends - time.monotonic()))
        for name in list(self._processes):
            self.stop(name)
        self._selector.close()

    # --- processes ---------------------------------------------------------------------------

    def _start(self, index: int) -> None:
        assert self._order is not None
        self._attempts[index] += 1
        attempt = self._attempts[index]
        name = f"{index + 1}" if attempt == 1 else f"{index + 1}-{attempt}"
        ours, theirs = socket.socketpair()
        log = tempfile.TemporaryFile()  # noqa: SIM115  closed with the process
        try:
            process = subprocess.Popen(  # noqa: S603  our own module
                [sys.executable, "-P", "-m", "harness.workers.child", str(theirs.fileno()), name],
                env={**os.environ, **self._environment(index)},
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        except OSError as error:
            ours.close()
            raise UserError(
                f"a worker cannot be started: {reason_of(error)}", where="--on processes"
            ) from None
        finally:
            theirs.close()
        self._processes[name] = _Process(index, process, ours, log)
        self._selector.register(ours, selectors.EVENT_READ, name)
        self._send(name, {"order": self._order.to_json()})

    def _environment(self, index: int) -> dict[str, str]:
        """Return the variables of a worker: where modules lie, and the GPUs it may see."""
        assert self._order is not None
        variables = {"PYTHONPATH": os.pathsep.join(self._order.sys_path)}
        if self._each == 0:
            variables[VISIBLE] = ""
        elif self._gpus:
            each = self._each or 1
            first = index * each
            chosen = [self._gpus[(first + more) % len(self._gpus)] for more in range(each)]
            variables[VISIBLE] = ",".join(chosen)
        return variables

    def _send(self, name: str, message: Mapping[str, object]) -> None:
        process = self._processes[name]
        try:
            process.socket.settimeout(self._patience)
            process.socket.sendall(json.dumps(message).encode() + b"\n")
        except OSError:  # it is gone; reading says why
            return

    def _receive(self, name: str) -> Iterator[Event]:
        process = self._processes.get(name)
        if process is None:
            return
        try:
            data = process.socket.recv(_READ)
        except OSError:
            data = b""
        process.heard = time.monotonic()
        process.unread += data
        *lines, process.unread = process.unread.split(b"\n")
        for line in lines:
            event = event_of(bytes(line))
            if event is not None:
                yield event
            if isinstance(event, Refused):
                self.stop(name)
                return
        if not data:
            reason = self._why(process)
            self.stop(name)
            yield Lost(name, reason)

    def _why(self, process: _Process) -> str:
        """Return how a process ended, and the last line that it wrote."""
        with suppress(subprocess.TimeoutExpired):
            process.process.wait(_ENDS)
        code = process.process.returncode
        ended = "it closed its socket" if code is None else f"it ended with code {code}"
        if code is not None and code < 0:
            ended = f"ended by {signal.Signals(-code).name}"
        last = last_line(process.log)
        return f"{ended}: {last}" if last and code != -signal.SIGKILL else ended


def last_line(log: IO[bytes], skipped: str = "\n") -> str:
    """Return the last line with words in a log, shortened; one with ``skipped`` does not count."""
    log.seek(max(0, log.seek(0, os.SEEK_END) - _READ))
    lines = log.read().decode(errors="replace").split("\n")
    own = (line for line in reversed(lines) if line.strip() and skipped not in line)
    return one_line(next(own, ""), _LAST)


def _fewer(present: int, each: int) -> str:
    """Return what to ask for where there are fewer GPUs than workers want."""
    if present < each:
        return "leave -e gpus out: workers share the GPUs that there are, or compute on the CPU"
    return f"-e workers={present // each}, or leave -e gpus out: workers then share GPUs"
