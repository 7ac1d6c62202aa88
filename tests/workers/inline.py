"""Executors without a process: workers in this one, lost, late or different as a test says."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from harness.descriptors import Json
from harness.workers.contract import Answered, BlockRequest, Event, Hello, Lost, WorkOrder
from harness.workers.worker import AnyWorker, begin

Change = Callable[[str, dict[str, Json]], dict[str, Json]]


class Inline:
    """Workers of this process.

    Args:
        number: Workers at the beginning.
        loses: Whether a worker is lost with what it was asked, by name and number of requests.
        changes: What a worker says it is.
    """

    def __init__(
        self,
        number: int = 1,
        loses: Callable[[str, BlockRequest], bool] = lambda *_: False,
        changes: Change = lambda _, terms: terms,
    ) -> None:
        self.number, self.loses, self.changes = number, loses, changes
        self.workers: dict[str, AnyWorker] = {}
        self.requests: list[tuple[str, BlockRequest]] = []
        self.stopped: list[str] = []
        self.said: deque[Event] = deque()
        self.order: WorkOrder | None = None
        self.closed = False

    def start(self, order: WorkOrder) -> None:
        self.order = order
        for index in range(self.number):
            self.join(str(index + 1))

    def join(self, name: str) -> None:
        assert self.order is not None
        worker, hello = begin(name, self.order)
        assert worker is not None, hello
        assert isinstance(hello, Hello)
        self.workers[name] = worker
        self.said.append(replace(hello, terms=self.changes(name, dict(hello.terms))))

    def ask(self, worker: str, request: BlockRequest) -> None:
        self.requests.append((worker, request))
        answer = list(self.workers[worker].answer(request))
        if self.loses(worker, request):
            answer = [event for event in answer if not isinstance(event, Answered)]
            answer.append(Lost(worker, "told to"))
        self.said.extend(answer)

    def events(self, timeout: float) -> Sequence[Event]:  # noqa: ARG002  the contract
        message, self.said = list(self.said), deque()
        return message

    def alive(self) -> int:
        return len(self.workers) - len(self.stopped)

    def stop(self, worker: str) -> None:
        self.stopped.append(worker)

    def replace(self, worker: str) -> None:
        self.join(f"{worker}'")

    def close(self) -> None:
        self.closed = True
        for worker in self.workers.values():
            worker.close()

    def blocks(self) -> list[tuple[int, int]]:
        return [(request.evaluation, request.block) for _, request in self.requests]


def options_of(**keywords: Json) -> Mapping[str, Json]:
    return {"workers": 2, "gpus": None, "patience": 60, **keywords}
