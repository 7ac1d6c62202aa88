"""The kit of executors: workers with this process's versions, equal answers, and an end."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import harness
from harness.config.tasks import installed_catalog
from harness.errors import HarnessError, PluginError, UserError
from harness.workers.contract import (
    Answered,
    BlockRequest,
    Event,
    Executor,
    Hello,
    Lost,
    Refused,
    SaysWhy,
    WorkOrder,
)
from harness.workers.messages import line_of
from harness.workers.start import here
from harness.workers.worker import begin

from harness_authoring.contract import Check, ContractError, NotApplicableError
from harness_authoring.subjects import Subject

PATIENCE = 120.0  # seconds that workers may take to plan
_STEP = 0.2
_MODEL = "random"


def _task(subject: Subject) -> str:
    for name in [subject.task] if subject.task else installed_catalog().entries:
        try:
            task = harness.load_task(name)
            if next(iter(task.samples()), None) is not None:
                return name
        except HarnessError:  # broken, or its data are not there
            continue
    raise NotApplicableError("no task can be evaluated here: name one with --task")


@contextmanager
def _started(subject: Subject) -> Iterator[tuple[Executor, WorkOrder]]:
    """Start workers for one small evaluation; end them whatever comes."""
    task, made = _task(subject), subject.make()
    with tempfile.TemporaryDirectory() as folder:
        order = WorkOrder(
            model=_MODEL,
            tasks=(task,),
            options={"results": folder, "limit": 8},
            evaluations=(task,),
            directories=(str(Path(folder) / "evaluation"),),
            **here(),
        )
        try:
            with subject.contract.calling("start"):
                made.start(order)
            yield made, order
        except UserError as error:
            if isinstance(error, PluginError):
                raise
            raise NotApplicableError(f"it cannot start here: {error.message}") from None
        finally:
            with subject.contract.calling("close"):
                made.close()


def _until(
    subject: Subject, executor: Executor, enough: Callable[[Sequence[Event]], bool]
) -> list[Event]:
    """Return events until there are enough of them.

    Raises:
        ContractError: a worker refused, or there were not enough in time.
    """
    events: list[Event] = []
    ends = time.monotonic() + PATIENCE
    while time.monotonic() < ends:
        with subject.contract.calling("events"):
            heard = executor.events(_STEP)
        events += subject.contract.listed(heard, "events", Event, "a list of events")
        for event in events:
            if isinstance(event, Refused):
                raise ContractError(f"worker {event.worker!r} cannot take part: {event.reason}")
        if enough(events):
            return events
    waits = executor.waits_for() if isinstance(executor, SaysWhy) else ""
    raise ContractError(
        f"within {PATIENCE:.0f} s too few messages come from workers. {waits}".strip()
    )


def _greeted(events: Sequence[Event]) -> dict[str, Hello]:
    return {event.worker: event for event in events if isinstance(event, Hello)}


def answers(subject: Subject) -> None:
    """Start workers that are what this process is, and answer a block as it does."""
    with _started(subject) as (executor, order):
        hellos = _greeted(_until(subject, executor, lambda heard: bool(_greeted(heard))))
        name, hello = next(iter(hellos.items()))
        worker, settings = begin("here", order)
        if worker is None or not isinstance(settings, Hello):
            raise NotApplicableError(
                f"it cannot be planned here: {getattr(settings, 'reason', settings)}"
            )
        request = BlockRequest(evaluation=0, block=0)
        expected = [event for event in worker.answer(request) if isinstance(event, Answered)]
        worker.close()
        differing = sorted(
            key for key in settings.terms if settings.terms[key] != hello.terms.get(key)
        )
        if differing:
            raise ContractError(f"its workers differ from this process in {', '.join(differing)}")
        executor.ask(name, request)
        events = _until(subject, executor, lambda heard: any(
            isinstance(event, Answered | Lost) and event.worker == name for event in heard
        ))  # fmt: skip
        lost = next((event for event in events if isinstance(event, Lost)), None)
        if lost is not None:
            raise ContractError(f"its worker is lost during its first block: {lost.reason}")
        answered = next(event for event in events if isinstance(event, Answered))
        if not answered.is_kept and _line(answered) != _line(expected[0]):
            raise ContractError("its worker answers a block differently than this process does")


def _line(event: Answered) -> bytes:
    return line_of(replace(event, worker="", seconds=0.0))


def replaces(subject: Subject) -> None:
    """End a worker, receive nothing more from it, and start another under a new name."""
    with _started(subject) as (executor, _):
        first = _greeted(_until(subject, executor, lambda heard: bool(_greeted(heard))))
        name, before = next(iter(first)), executor.alive()
        executor.stop(name)
        after = executor.alive()
        if type(after) is not int or after >= before:
            raise ContractError(
                f"after a worker is stopped it counts {after} workers, and {before} before"
            )
        executor.ask(name, BlockRequest(evaluation=0, block=0))  # of one that is gone: no error
        executor.replace(name)
        events = _until(
            subject, executor, lambda heard: bool(_greeted(heard).keys() - first.keys() - {name})
        )
        if any(event.worker == name and not isinstance(event, Lost) for event in events):
            raise ContractError("a stopped worker still sends messages")


def ends(subject: Subject) -> None:
    """Wait no longer than asked, and end all workers on close."""
    with _started(subject) as (executor, _):
        began = time.monotonic()
        with subject.contract.calling("events"):
            heard = executor.events(0.0)
        if time.monotonic() - began > PATIENCE / 4:
            raise ContractError("events(0) waits")
        if not _greeted(heard):
            _until(subject, executor, lambda events: bool(_greeted(events)))
    left = executor.alive()
    if left:
        raise ContractError(f"after close {left} workers are alive")


def unstarted(subject: Subject) -> None:
    """Close without having started, as after an error."""
    executor = subject.make()
    with subject.contract.calling("close"):
        executor.close()


CHECKS = (
    Check("answers", "workers are what this process is, and answer as it does", answers),
    Check("replaces", "a worker ends when asked to; another has a name of its own", replaces),
    Check("ends", "it waits no longer than asked; after close no worker is left", ends),
    Check("unstarted", "it can be closed without having been started", unstarted),
)
