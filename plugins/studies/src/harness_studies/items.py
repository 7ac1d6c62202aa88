"""Hands items of any work to the workers of an executor, and takes what comes of them.

Items are numbered and do not depend on each other. A worker that is lost costs its item's unsaved
part; the item is asked of another one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Collection
from typing import Protocol

from harness.workers.contract import (
    Answered,
    BlockRequest,
    Event,
    Hello,
    Lost,
    Raised,
    Ready,
    Refused,
    WorkOrder,
)
from harness.workers.crew import Starts, none_starts, none_takes_part
from harness.workers.messages import error_of
from harness.workers.queue import MOST_LOSSES
from harness.workers.start import FoundExecutor
from harness.workers.terms import MIXED, Admission

_WAIT = 1.0  # seconds between looks at the workers


class Items(Protocol):
    """The items of a work.

    Attributes:
        pending: Those that nobody is asked for, in the order in which they are asked.
    """

    pending: list[int]

    def is_free(self, item: int, asked: Collection[int]) -> bool:
        """Whether an item may be worked on beside those that are asked now."""
        ...

    def begin(self, item: int, worker: str) -> None:
        """Take note that a worker is asked for an item."""
        ...

    def take(self, item: int, event: Answered) -> None:
        """Take the result of an item."""
        ...

    def give_up(self, item: int, why: str) -> None:
        """Take note that an item cannot be had."""
        ...


class ItemCoordinator:
    """Has every pending item worked on, one at a time by each worker.

    Args:
        found: Starts the workers.
        order: What they are to do; its terms are what a worker must be equal to.
        items: What is asked.
        say: Told of workers that come and go.

    Attributes:
        mixed: What workers that take part differ in, where it can change numbers by rounding.
    """

    def __init__(
        self, executor: FoundExecutor, order: WorkOrder, items: Items, say: Callable[[str], None]
    ) -> None:
        self._name, self._executor = executor.descriptor.id, executor.executor
        self._order, self._items, self._say = order, items, say
        self._asked: dict[str, int | None] = {}
        self._losses: Counter[int] = Counter()
        self._starts = Starts()
        self._admission = Admission(order.terms)
        self.mixed: list[str] = []

    def run(self) -> None:
        """Return when no item is pending or asked for.

        Raises:
            UserError: no worker can take part, or one raised.
        """
        try:
            self._executor.start(self._order)
            while self._items.pending or self._busy():
                for event in self._executor.events(_WAIT):
                    self._hear(event)
                self._hand_out()
        finally:
            self._executor.close()

    def _busy(self) -> list[int]:
        return [item for item in self._asked.values() if item is not None]

    def _hand_out(self) -> None:
        """Ask idle workers, each for an item that may be worked on beside the others."""
        for worker, item in self._asked.items():
            if item is not None:
                continue
            busy = self._busy()
            free = (one for one in self._items.pending if self._items.is_free(one, busy))
            if (chosen := next(free, None)) is None:
                return
            self._items.pending.remove(chosen)
            self._asked[worker] = chosen
            self._items.begin(chosen, worker)
            self._executor.ask(worker, BlockRequest(evaluation=0, block=chosen))

    def _hear(self, event: Event) -> None:
        if isinstance(event, Hello):
            self._welcome(event)
        elif isinstance(event, Refused):
            self._refuse(event.worker, event.reason)
        elif isinstance(event, Lost):
            self._lose(event.worker, event.reason)
        elif event.worker not in self._asked:
            return
        elif isinstance(event, Ready):
            self._starts.ready()
        elif isinstance(event, Answered):
            item, self._asked[event.worker] = self._asked[event.worker], None
            if item is not None and item == event.block:
                self._items.take(item, event)
        elif isinstance(event, Raised):
            raise error_of(event.error)

    def _welcome(self, event: Hello) -> None:
        before = len(self.mixed)
        why = self._admission.refusal(event.terms, self.mixed.append)
        for part in self.mixed[before:]:
            self._say(f"{MIXED}: worker {event.worker} has another {part}")
        if why:
            self._executor.stop(event.worker)
            self._refuse(event.worker, why)
        else:
            self._asked[event.worker] = None

    def _refuse(self, worker: str, reason: str) -> None:
        self._say(f"worker {worker} is refused: {reason}")
        if (item := self._asked.pop(worker, None)) is not None:
            self._items.pending.insert(0, item)
        if not self._asked and not self._executor.alive():
            raise none_takes_part(self._name, reason)

    def _lose(self, worker: str, reason: str) -> None:
        item = self._asked.pop(worker, None)
        self._say(f"worker {worker} is lost ({reason})")
        if item is None:
            if self._starts.failed() and not self._busy():
                raise none_starts(self._name, "had begun to work", reason)
        else:
            self._losses[item] += 1
            if self._losses[item] < MOST_LOSSES:
                self._items.pending.insert(0, item)
            else:
                why = f"{MOST_LOSSES} workers were lost with it; the last one: {reason}"
                self._items.give_up(item, why)
        self._executor.replace(worker)
