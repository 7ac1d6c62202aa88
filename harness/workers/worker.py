"""How a worker begins and serves, whatever its work is."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from importlib import import_module
from typing import Protocol

from harness import plugins
from harness.targets import load_target
from harness.workers.contract import BLOCKS, BlockRequest, Event, Hello, Refused, WorkOrder
from harness.workers.messages import error_data

EVALUATES = "harness.api.worker:Worker"
"""What does the work ``blocks``: it plans as :func:`harness.plan` does."""


class AnyWorker(Protocol):
    """A worker of any kind of work; :class:`harness.api.worker.Worker` says what its methods do."""

    def hello(self) -> Hello:
        """Return what this worker is."""

    def load(self, request: BlockRequest) -> Iterator[Event]:
        """Load what a request needs."""

    def answer(self, request: BlockRequest) -> Iterator[Event]:
        """Yield what comes of a request."""

    def close(self) -> None:
        """Free everything."""


def _worker_of(work: str) -> Callable[[str, WorkOrder], AnyWorker]:
    """Return what does a kind of work, made of a worker's name and an order."""
    module, colon, name = (EVALUATES if work == BLOCKS else work).partition(":")
    if colon:
        made: Callable[[str, WorkOrder], AnyWorker] = getattr(import_module(module), name)
        return made
    kind = plugins.find("study kind", work, plugins.plugins().study_kinds())
    maker: Callable[[str, WorkOrder], AnyWorker] = load_target(replace(kind, target=kind.worker))
    return maker


def begin(name: str, order: WorkOrder) -> tuple[AnyWorker | None, Event]:
    """Return a worker that has planned an order, and what it says: hello, or why it cannot.

    Args:
        name: Name of the worker.
        order: What is to be done.
    """
    try:
        with suppress(OSError):  # of another machine; what is relative is then not found, and said
            os.chdir(order.folder)
        if order.blocked:
            plugins.block(order.blocked)
        worker: AnyWorker = _worker_of(order.work)(name, order)
        return worker, worker.hello()
    except Exception as error:  # noqa: BLE001  whatever it is, the coordinator must hear of it
        data = error_data(error)
        where = f"{data['where']}: " if data["where"] else ""
        return None, Refused(name, f"{where}{data['message']}{_lacking(order)}")


def _lacking(order: WorkOrder) -> str:
    """Return the plugins of the coordinator's plan that are not loaded here; empty for none."""
    recorded = order.terms.get("versions")
    recorded = recorded if isinstance(recorded, dict) else {}
    named = [text for key, text in recorded.items() if "plugin" in key and isinstance(text, str)]
    used = {text.partition(" ")[0] for text in named} - {"social-harness", "none"}
    infos = {info.distribution: info for info in plugins.plugins().infos}
    lacking = [
        f"{name} is not installed there"
        if info is None
        else f"{info} {info.status}: {info.problem}"
        for name in sorted(used)
        if (info := infos.get(name)) is None or info.status != "loaded"
    ]
    return f" ({'; '.join(lacking)})" if lacking else ""


def serve(
    name: str, order: WorkOrder, requests: Iterator[BlockRequest], say: Callable[[Event], None]
) -> None:
    """Be a worker: say hello, answer requests until there are no more.

    Args:
        name: Name of the worker.
        order: What is to be done.
        requests: What it is asked, one at a time.
        say: Takes its events.
    """
    worker, hello = begin(name, order)
    say(hello)
    if worker is None:
        return
    try:
        for request in requests:
            for event in worker.answer(request):
                say(event)
    finally:
        worker.close()
