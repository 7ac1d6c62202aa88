"""What executors have in common whose workers are jobs that share a folder with the coordinator."""

from __future__ import annotations

import shutil
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from harness.workers.contract import BlockRequest, Event, Lost, Refused, WorkOrder

from harness_executor_slurm.mailbox import POLL, Inbox, Signs, attempts, new_mailbox

_ENDS = 10.0  # seconds that jobs have to end by themselves
_SIGN = 2.0  # seconds between signs of life of the coordinator


class MailboxExecutor(ABC):
    """Jobs that run :func:`harness_executor_slurm.mailbox_worker.run`; a subclass submits them.

    Args:
        number: Workers.
        patience: Seconds without a sign of life after which a worker is lost.
    """

    def __init__(self, number: int, patience: float) -> None:
        self.number, self._patience = number, patience
        self.mailbox = Path()
        self._jobs: dict[int, object] = {}
        self._inboxes: dict[str, Inbox] = {}
        self._gone: set[str] = set()
        self._signs: Signs | None = None
        self._number, self._last_sign = 0, 0.0
        self._events: list[Event] = []

    # --- what a scheduler does ---------------------------------------------------------------

    @abstractmethod
    def submit(self, places: Sequence[int]) -> list[object]:
        """Submit a job for each place; return them."""

    @abstractmethod
    def ended(self, job: object) -> str:
        """Return why a job will answer nothing more; empty while it is queued or runs."""

    @abstractmethod
    def is_queued(self, job: object) -> bool:
        """Whether a job waits for its turn, also after it was preempted."""

    @abstractmethod
    def cancel(self, job: object) -> None:
        """End a job, whatever it does."""

    # --- the contract ------------------------------------------------------------------------

    def start(self, order: WorkOrder) -> None:
        """Make the mailbox, and submit the jobs."""
        results = order.options.get("results", order.directories[0])
        self.mailbox = new_mailbox(Path(str(results)), order)
        self._signs = Signs(self.mailbox / "sign")
        places = list(range(1, self.number + 1))
        self._jobs = dict(zip(places, self.submit(places), strict=True))

    def ask(self, worker: str, request: BlockRequest) -> None:
        """Put a block into a worker's folder."""
        self._inboxes[worker].ask(request)

    def events(self, timeout: float) -> Sequence[Event]:
        """Return what workers wrote, and which of them are gone."""
        ends = time.monotonic() + timeout
        while True:
            self._sign()
            events, self._events = [*self._events, *self._heard()], []
            if events or time.monotonic() >= ends:
                return events
            time.sleep(POLL)

    def _sign(self) -> None:
        now = time.monotonic()
        if self._signs is not None and now - self._last_sign > _SIGN:
            self._number, self._last_sign = self._number + 1, now
            self._signs.give(self._number)

    def _heard(self) -> Iterator[Event]:
        for name in attempts(self.mailbox):
            if name not in self._inboxes and name not in self._gone:
                self._inboxes[name] = Inbox(self.mailbox / name)
        for name, inbox in list(self._inboxes.items()):
            for event in inbox.events():
                yield event
                if isinstance(event, Refused):
                    self._leave(name)
            if name in self._inboxes and inbox.signs.silent() > self._patience:
                self._leave(name)
                yield Lost(name, f"no sign of life for {self._patience:.0f} s")
        for index, job in list(self._jobs.items()):
            if why := self.ended(job):
                yield from self._job_ended(index, why)

    def _job_ended(self, index: int, why: str) -> Iterator[Event]:
        del self._jobs[index]
        names = [name for name in self._inboxes if _place(name) == index]
        for name in names:
            yield from self._inboxes[name].events()
            self._leave(name)
            yield Lost(name, why)
        if not names and not any(_place(name) == index for name in self._gone):
            yield Lost(f"{index}-0", why)

    def _leave(self, name: str) -> None:
        if (inbox := self._inboxes.pop(name, None)) is not None:
            inbox.end()
        self._gone.add(name)

    def alive(self) -> int:
        """Return the number of jobs that are queued or run."""
        return len(self._jobs)

    def waits_for(self) -> str:
        """Return how many jobs are queued."""
        queued = sum(self.is_queued(job) for job in self._jobs.values())
        return f"{queued} of {len(self._jobs)} jobs are queued" if queued else ""

    def stop(self, worker: str) -> None:
        """Cancel a worker's job."""
        self._leave(worker)
        if (job := self._jobs.pop(_place(worker), None)) is not None:
            self.cancel(job)

    def replace(self, worker: str) -> None:
        """Submit another job in the place of one that is gone; a requeued one comes by itself."""
        index = _place(worker)
        if any(_place(name) == index for name in self._inboxes):
            return  # it has come back
        if (job := self._jobs.get(index)) is not None:
            if self.is_queued(job):
                return
            self.cancel(job)
        (self._jobs[index],) = self.submit([index])

    def close(self) -> None:
        """End every job."""
        for name in list(self._inboxes):
            self._leave(name)
        ends = time.monotonic() + _ENDS
        for job in self._jobs.values():
            while not self.ended(job) and not self.is_queued(job) and time.monotonic() < ends:
                time.sleep(POLL)
            if not self.ended(job):
                self.cancel(job)
        self._jobs.clear()
        if self._signs is not None:
            shutil.rmtree(self.mailbox, ignore_errors=True)
            with suppress(OSError):
                self.mailbox.parent.rmdir()  # where no other run has one


def _place(worker: str) -> int:
    return int(worker.partition("-")[0])
