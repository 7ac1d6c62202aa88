"""Starts actors, hands them blocks, and waits for what they say."""

from __future__ import annotations

import logging
import os
import socket
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

import ray
from harness.descriptors import Json
from harness.errors import UserError, error_text, one_line
from harness.workers.contract import BlockRequest, Event, Hello, Lost, Refused, WorkOrder
from harness.workers.messages import event_of, line_of
from ray.exceptions import RayError

from harness_executor_ray.local import LocalRay, loopback

_LEAST_WAIT = 10.0  # seconds that a cluster which has started has to let this run in
_PAUSE = 3.0  # seconds before an actor is started for one that never planned
_ANSWERS = 5.0  # seconds that an address has to answer
_UNREACHABLE = (RayError, ConnectionError, RuntimeError, ValueError, OSError)


class Actor:
    """A worker within Ray; what it says are lines of JSON.

    Args:
        name: As events call it.
        order: What is to be done.
        variables: The harness's own of the environment: a cluster has those it was started with.
    """

    def __init__(self, name: str, order: Mapping[str, Json], variables: Mapping[str, str]) -> None:
        self._name, self._order = name, order
        os.environ.update(variables)
        self._worker: Any = None

    def hello(self) -> list[bytes]:
        """Plan, and say what this worker is, or why it cannot take part."""
        from harness.workers.worker import begin

        self._worker, description = begin(self._name, WorkOrder.from_json(self._order))
        return [line_of(description)]

    def load(self, request: Mapping[str, Json]) -> list[bytes]:
        """Load the model, the first time that something is asked of it."""
        return [line_of(event) for event in self._worker.load(BlockRequest.from_json(request))]

    def answer(self, request: Mapping[str, Json]) -> list[bytes]:
        """Answer a block."""
        return [line_of(event) for event in self._worker.answer(BlockRequest.from_json(request))]


class RayActors:
    """Workers are actors.

    Args:
        options: As the descriptor has them.

    Raises:
        UserError: an address where nobody answers.
    """

    def __init__(self, options: Mapping[str, Json]) -> None:
        gpus, address = options["gpus"], options["address"]
        self._workers, self._wait = int(str(options["workers"])), float(str(options["wait"]))
        self._gpus = None if gpus is None else float(str(gpus))
        self._cpus = float(str(options["cpus"]))
        self._address = None if address is None else _answering(str(address))
        self._local: LocalRay | None = None
        self._is_joined = False  # by this run; Ray that was there before it stays
        self._order: dict[str, Json] = {}
        self._actors: dict[str, Any] = {}
        self._waiting: dict[Any, str] = {}
        self._attempts: dict[int, int] = {}
        self._greeted: set[str] = set()
        self._later: list[tuple[float, int]] = []
        self._each = 0.0

    # --- the contract ------------------------------------------------------------------------

    def start(self, order: WorkOrder) -> None:
        """Reach Ray, or start it here, and start the actors."""
        self._order = order.to_json()
        self._connect()
        untyped: Any = ray  # as are its functions
        present = float(untyped.cluster_resources().get("GPU", 0.0))
        self._each = min(1.0, present) if self._gpus is None else self._gpus
        if self._each > present:
            raise UserError(
                f"an actor with {self._each:g} GPUs fits on no node: Ray has {present:g}",
                where="--on ray",
                fix="-e gpus=0 computes on the CPU",
            )
        for index in range(1, self._workers + 1):
            self._start(index)

    def _connect(self) -> None:
        """Reach Ray: this process's own, the one at the address, or one that is started here."""
        if ray.is_initialized():
            joined = str(ray.get_runtime_context().gcs_address)
            if self._address not in {None, joined}:
                raise UserError(
                    f"this process has already joined Ray at {joined}, not at {self._address}",
                    where="-e address",
                    fix="leave out -e address, or call ray.shutdown() before",
                )
            return
        self._is_joined = True
        try:
            if self._address is not None:
                _join(self._address, self._wait)
                return
            ends = time.monotonic() + self._wait
            self._local = LocalRay(self._wait)
            with loopback():
                _join(self._local.address, ends - time.monotonic())
        except _UNREACHABLE as error:
            if self._address is not None:
                problem = f"Ray at {self._address} cannot be reached"
                fix = "ray start --head; without -e address Ray is started here"
            else:
                problem = "Ray, which this run starts on this machine, cannot be used"
                fix = "try again, or -e wait=600 on a loaded machine; --on processes needs no Ray"
            raise UserError(f"{problem}: {error_text(error)}", where="--on ray", fix=fix) from None

    def _start(self, index: int) -> None:
        attempt = self._attempts[index] = self._attempts.get(index, 0) + 1
        name = f"{index}" if attempt == 1 else f"{index}-{attempt}"
        kind: Any = ray.remote(num_gpus=self._each, num_cpus=self._cpus, max_restarts=0)(Actor)
        self._actors[name] = actor = kind.remote(name, self._order, _variables())
        self._waiting[actor.hello.remote()] = name

    def ask(self, worker: str, request: BlockRequest) -> None:
        """Hand an actor a block; a model that is not loaded yet is loaded before it."""
        if (actor := self._actors.get(worker)) is not None:
            data = request.to_json()
            self._waiting[actor.load.remote(data)] = worker
            self._waiting[actor.answer.remote(data)] = worker

    def events(self, timeout: float) -> Sequence[Event]:
        """Return what actors said, and which of them are gone."""
        heard: list[Event] = []
        due = [entry for entry in self._later if entry[0] <= time.monotonic()]
        self._later = [entry for entry in self._later if entry not in due]
        for _, index in due:
            self._start(index)
        for reference in self._ready(timeout):
            name = self._waiting.pop(reference, None)
            if name is None or name not in self._actors:
                continue
            try:
                lines: list[bytes] = ray.get(reference)
            except RayError as error:
                self.stop(name)
                heard.append(Lost(name, one_line(error_text(error).partition("\n")[0])))
                continue
            events = [event for line in lines if (event := event_of(line)) is not None]
            heard += events
            if any(isinstance(event, Hello) for event in events):
                self._greeted.add(name)
            if any(isinstance(event, Refused) for event in events):
                self.stop(name)
        return heard

    def _ready(self, timeout: float) -> list[Any]:
        """Return what has come, in the order in which it was asked for."""
        if not self._waiting:
            time.sleep(min(timeout, 0.1))
            return []
        references = list(self._waiting)
        first, _ = ray.wait(references, num_returns=1, timeout=timeout)
        if not first:
            return []
        ready, _ = ray.wait(references, num_returns=len(references), timeout=0)
        come = {*first, *ready}
        return [reference for reference in references if reference in come]

    def alive(self) -> int:
        """Return the number of actors, those that wait for a place included."""
        return len(self._actors) + len(self._later)

    def waits_for(self) -> str:
        """Return what actors wait for that have no place yet."""
        if not self._actors:
            return ""
        untyped: Any = ray
        free = untyped.available_resources()
        return (
            f"{len(self._actors)} actors want {self._cpus:g} CPUs and {self._each:g} GPUs each; "
            f"free are {free.get('CPU', 0):g} and {free.get('GPU', 0):g}"
        )

    def stop(self, worker: str) -> None:
        """Kill an actor."""
        if (actor := self._actors.pop(worker, None)) is not None:
            with suppress(RayError, ValueError):
                ray.kill(actor)
            self._waiting = {key: name for key, name in self._waiting.items() if name != worker}

    def replace(self, worker: str) -> None:
        """Start another actor, soon: on a node that died every start fails for some seconds."""
        pause = 0.0 if worker in self._greeted else _PAUSE
        self._later.append((time.monotonic() + pause, int(worker.partition("-")[0])))

    def close(self) -> None:
        """End the actors, and Ray where it was started for this run."""
        if ray.is_initialized():
            for name in list(self._actors):
                self.stop(name)
            if self._is_joined:
                ray.shutdown()
        if self._local is not None:
            self._local.end()


def _variables() -> dict[str, str]:
    """Return the harness's variables of this environment, such as its cache and its profile."""
    return {key: value for key, value in os.environ.items() if key.startswith("HARNESS_")}


def _join(address: str | None, seconds: float) -> None:
    """Join a cluster; Ray itself waits without an end for one that answers in another language.

    Raises:
        TimeoutError: it takes longer.
    """
    joined: Future[object] = Future()

    def join() -> None:
        try:
            untyped: Any = ray
            untyped.init(address=address, log_to_driver=False, logging_level=logging.ERROR)
            joined.set_result(None)
        except BaseException as error:  # noqa: BLE001  raised in the caller's thread
            joined.set_exception(error)

    Thread(target=join, daemon=True).start()
    try:
        joined.result(max(_LEAST_WAIT, seconds))
    except TimeoutError:
        raise TimeoutError(
            f"no answer within {max(_LEAST_WAIT, seconds):.0f} s (-e wait)"
        ) from None


def _answering(address: str) -> str:
    """Return an address where somebody answers, with the one that ``auto`` stands for.

    Ray itself tries a cluster that has ended for minutes.

    Raises:
        UserError: it is none, or nobody answers.
    """
    if address == "auto":
        address = _current()
    host, colon, port = address.removeprefix("ray://").rpartition(":")
    if not (colon and port.isdecimal()):
        raise UserError(
            f"-e address={address} is neither auto nor HOST:PORT", fix="-e address=auto"
        )
    try:
        socket.create_connection((host, int(port)), timeout=_ANSWERS).close()
    except (OSError, OverflowError) as error:
        raise UserError(
            f"nothing answers at {address}: {getattr(error, 'strerror', None) or error}",
            where="--on ray",
            fix="ray start --head; without -e address Ray is started here",
        ) from None
    return address


def _current() -> str:
    """Return the cluster that the environment names, or that was started on this machine last."""
    if address := os.environ.get("RAY_ADDRESS", ""):
        return address
    noted = Path(os.environ.get("RAY_TMPDIR", tempfile.gettempdir())) / "ray/ray_current_cluster"
    try:
        return noted.read_text("utf-8").strip()
    except OSError:
        raise UserError(
            "-e address=auto finds no Ray: RAY_ADDRESS is empty, and none was started here",
            where="--on ray",
            fix="ray start --head; without -e address Ray is started here",
        ) from None
