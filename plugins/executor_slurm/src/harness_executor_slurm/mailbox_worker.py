"""A worker that takes its requests from a mailbox, and goes on alone when nobody asks any more."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Event as Flag
from threading import Thread

from harness.workers.contract import BLOCKS, Answered, BlockRequest, Event, Hello
from harness.workers.terms import differences

from harness_executor_slurm.mailbox import Outbox

SIGN = 2.0
"""Seconds between signs of life."""
PATIENCE = 60.0
"""Seconds without a sign of the coordinator after which a worker goes on alone."""


def run(mailbox: Path, place: int, places: int, patience: float = PATIENCE) -> None:
    """Be a worker of a mailbox.

    Args:
        mailbox: The folder of the run.
        place: The worker's number, from 1 on.
        places: The number of workers that were started.
        patience: Seconds without a sign of the coordinator.
    """
    outbox = Outbox(mailbox, place)
    ended = Flag()
    Thread(target=_sign, args=(outbox, ended), daemon=True).start()
    try:
        _serve(outbox, places, patience)
    finally:
        ended.set()


def _sign(outbox: Outbox, ended: Flag) -> None:
    number = 0
    while True:
        number += 1
        outbox.signs.give(number)
        if ended.wait(SIGN):
            return


def _serve(outbox: Outbox, places: int, patience: float) -> None:
    from harness.workers.worker import begin

    worker, hello = begin(outbox.name, outbox.order)
    outbox.say(hello)
    if worker is None or not isinstance(hello, Hello):
        return
    try:
        for request in outbox.requests(patience):
            for event in worker.answer(request):
                outbox.say(event, early=request.early)
        if not outbox.is_ended() and not differences(outbox.order.terms, hello.terms):
            for request in _alone(outbox, places):
                for event in worker.answer(request):
                    _keep(outbox, event)
    finally:
        worker.close()


def _alone(outbox: Outbox, places: int) -> Iterator[BlockRequest]:
    """Yield a worker's share of what nobody has answered, where the self-check was made.

    Of other work than a run's blocks, nothing: the coordinator alone writes what comes of it.
    """
    if outbox.order.work != BLOCKS:
        return
    for evaluation, _ in enumerate(outbox.order.evaluations):
        terms = outbox.order.terms["evaluations"]
        assert isinstance(terms, dict)
        about = terms[outbox.order.evaluations[evaluation]]
        assert isinstance(about, dict)
        for block in range(outbox.place - 1, int(str(about["blocks"])), places):
            if outbox.is_ended():
                return
            journal = outbox.journal(evaluation)
            if journal is None:
                break
            journal.merge()
            if journal.verdict is not None and block not in journal.done:
                yield BlockRequest(
                    evaluation=evaluation, block=block, verdict=journal.verdict, settled=True
                )


def _keep(outbox: Outbox, event: Event) -> None:
    """Journal an answer; an evaluation that an error ends is left to the next coordinator."""
    if isinstance(event, Answered):
        outbox.keep(event)
