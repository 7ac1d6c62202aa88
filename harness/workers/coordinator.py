"""The coordinator: hands blocks to workers, journals what comes back, seals in plan order.

It alone writes. There is no barrier: the next evaluation's blocks are asked while the last ones of
this one are answered, and an evaluation is summarised beside.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from itertools import islice
from typing import TYPE_CHECKING

from harness.descriptors import Json
from harness.errors import PluginError, SampleError
from harness.evaluation.requests import PreparedSample
from harness.evaluation.run import Planned, Reporter, ends_task, tell_finished
from harness.evaluation.score import Scorer
from harness.evaluation.writer import EvaluationWriter, Job, is_finished
from harness.plugins import thread_pool
from harness.runs.read import read_evaluation
from harness.runs.sample_record import SampleRecord, parse_sample
from harness.workers.contract import (
    Answered,
    BlockRequest,
    Event,
    Executor,
    Hello,
    Lost,
    Raised,
    Ready,
    Refused,
    SaysWhy,
    WorkOrder,
)
from harness.workers.crew import Crew, Member, Starts, none_starts, none_takes_part
from harness.workers.messages import error_of
from harness.workers.queue import MOST_LOSSES, BlockQueue, Item
from harness.workers.terms import MIXED, Admission

if TYPE_CHECKING:
    from harness.runs.record import EvaluationRecord

WAIT = 1.0
"""Seconds between looks at who hangs."""
_SOON = 0.05  # the same while an evaluation is summarised
_WAITING_IS_SAID = 60.0  # seconds without a worker


class Coordinator:
    """Evaluates a plan by the workers of an executor.

    Args:
        executor: Not started yet.
        name: Its id.
        planned: What is to be computed.
        reporter: Told of progress, and of workers that join, differ and are lost.
        retry_errors: Whether blocks that hold a sample error are asked again.
        strict: Whether a worker that differs in what changes a number by rounding is refused.
    """

    def __init__(  # noqa: PLR0913  what a run evaluates with
        self,
        executor: Executor,
        name: str,
        planned: Sequence[Planned],
        reporter: Reporter,
        *,
        retry_errors: bool = False,
        strict: bool = False,
    ) -> None:
        self._executor, self._name, self._strict = executor, name, strict
        self._all, self._reporter, self._retry_errors = planned, reporter, retry_errors
        self._records: dict[str, EvaluationRecord] = {}
        self._ended: dict[str, PluginError] = {}
        self._crew, self._queue = Crew(), BlockQueue()
        self._most, self._starts = 0, Starts()
        self._admission = Admission({})
        self._progress = _Progress(reporter)
        self._planned: list[Planned] = []
        self._writers: dict[int, EvaluationWriter] = {}
        self._stacks: dict[int, ExitStack] = {}
        self._next = 0
        self._finishing: dict[int, Future[None]] = {}
        self._quiet_since = time.monotonic()
        self._doubled: dict[Item, tuple[str, bytes]] = {}
        self._early: dict[Item, tuple[Answered, list[SampleRecord]]] = {}

    def run(
        self, order: Callable[[Sequence[Planned]], WorkOrder]
    ) -> tuple[list[EvaluationRecord], dict[str, PluginError]]:
        """Compute what is missing.

        Args:
            order: Writes the order for evaluations that are not finished.

        Returns:
            The records in plan order, and the faults that ended tasks.
        """
        for item in self._all:
            if is_finished(item.job, self._reporter.say, retry_errors=self._retry_errors):
                self._reporter.task(item)
                self._reporter.progress(item.job.plan.samples)
                self._finished(item)
            else:
                self._planned.append(item)
        if self._planned:
            written = order(self._planned)
            self._admission = Admission(written.terms, strict=self._strict)
            self._work(written)
        names = [item.job.plan.task.spec.name for item in self._all]
        return [self._records[name] for name in names if name in self._records], self._ended

    def _work(self, order: WorkOrder) -> None:
        with ExitStack() as stack:
            stack.callback(self._leave_all)
            pool = stack.enter_context(thread_pool(1))
            self._open_next()  # a second coordinator is refused before a worker is started
            stack.callback(self._end_workers)
            self._executor.start(order)
            while self._next < len(self._planned) or self._writers:
                for event in self._executor.events(_SOON if self._finishing else WAIT):
                    self._hear(event)
                self._lose_hung()
                self._finish_complete(pool)
                self._open_more()
                self._hand_out()
                self._say_waiting()

    def _end_workers(self) -> None:
        try:
            self._executor.close()
        except PluginError as error:  # it costs no answer, and hides no interrupt
            self._reporter.say(error.message)

    def _leave_all(self) -> None:
        for stack in self._stacks.values():
            stack.close()

    # --- evaluations -------------------------------------------------------------------------

    def _open_more(self) -> None:
        """Open evaluations until there are two blocks for each worker."""
        wanted = 2 * max(1, len(self._crew.members))
        while self._next < len(self._planned) and (
            not self._writers or self._queue.unassigned < wanted
        ):
            self._open_next()

    def _open_next(self) -> None:
        index, item = self._next, self._planned[self._next]
        writer = EvaluationWriter(
            item.job,
            lambda samples: self._progress.add(index, samples),
            self._reporter.say,
            retry_errors=self._retry_errors,
        )
        self._progress.begin(index, item)
        stack = ExitStack()
        stack.enter_context(writer)
        self._next += 1
        self._stacks[index], self._writers[index] = stack, writer
        missing, verdict = writer.missing, writer.journal.verdict
        self._queue.open(index, missing, item.job.plan.blocks, verdict)

    def _finish_complete(self, pool: ThreadPoolExecutor) -> None:
        for index, writer in list(self._writers.items()):
            if index in self._finishing:
                if self._finishing[index].done():
                    self._finishing.pop(index).result()
                    self._close(index)
                    self._finished(self._planned[index])
            elif self._queue.is_complete(index):
                self._queue.close(index)
                about = self._crew.summary(self._name, self._most)
                marks = (MIXED,) if self._admission.is_mixed else ()
                self._finishing[index] = pool.submit(_finish, writer, about, marks)

    def _close(self, index: int) -> None:
        del self._writers[index]
        self._stacks.pop(index).close()
        self._progress.end(index)

    def _finished(self, item: Planned) -> None:
        record = read_evaluation(item.job.directory)
        self._records[item.job.plan.task.spec.name] = record
        tell_finished(item, record, self._reporter)

    # --- workers -----------------------------------------------------------------------------

    def _hand_out(self) -> None:
        for name, member in self._crew.idle():
            item, member.reserved = member.reserved, None
            item = item or self._queue.next() or self._crew.steal() or self._straggler()
            if item is None:
                return
            # A reserved block lets a worker open images ahead; near the end others need it more.
            if self._queue.unassigned > 2 * len(self._crew.members):
                member.reserved = self._queue.next(settled=True)
            verdict, settled = self._queue.verdict(item)
            member.item, member.since = item, time.monotonic()
            after = member.reserved
            request = BlockRequest(
                evaluation=item.evaluation,
                block=item.block,
                verdict=verdict,
                settled=settled,
                ahead=None if after is None else (after.evaluation, after.block),
                early=self._queue.waits(item),
            )
            self._executor.ask(name, request)

    def _straggler(self) -> Item | None:
        """Return a block to ask twice, once nothing else is left; the first answer counts."""
        if self._next < len(self._planned):
            return None
        return self._crew.straggler(
            lambda item: self._planned[item.evaluation].job.plan.blocks[item.block],
            self._queue.is_out,
        )

    def _hear(self, event: Event) -> None:
        self._quiet_since = time.monotonic()
        if isinstance(event, Hello):
            self._welcome(event)
        elif isinstance(event, Refused):
            self._refuse(event.worker, event.reason)
        elif isinstance(event, Lost):
            self._lose(event.worker, event.reason)
        elif (member := self._crew.members.get(event.worker)) is None:
            return  # of one that was given up
        elif isinstance(event, Ready):
            member.is_ready = True
            self._starts.ready()
            member.ready_at = member.since = time.monotonic()
        elif isinstance(event, Answered):
            self._take(member, event)
        elif isinstance(event, Raised):
            self._end(member, event)

    def _welcome(self, event: Hello) -> None:
        why = self._admission.refusal(
            event.terms,
            lambda part: self._reporter.say(f"{MIXED}: worker {event.worker} has another {part}"),
        )
        if why:
            self._executor.stop(event.worker)
            self._refuse(event.worker, why)
            return
        self._crew.join(event.worker, event.terms)
        self._most = max(self._most, len(self._crew.members))

    def _refuse(self, worker: str, reason: str) -> None:
        member = self._crew.leave(worker)
        self._give_back(member)
        self._reporter.say(f"worker {worker} is refused: {reason}")
        if not self._crew.members and not self._executor.alive():
            raise none_takes_part(self._name, reason)

    def _lose(self, worker: str, reason: str) -> None:
        member = self._crew.leave(worker)
        self._crew.lost += 1
        before = "" if member is not None else "before it had planned, "
        if member is None or not member.is_ready:
            others = any(one.is_ready for one in self._crew.members.values())
            if self._starts.failed() and not others:
                raise none_starts(self._name, "had loaded the model", reason)
        item = None if member is None else member.item
        if item is not None and not self._is_wanted(item):
            item = None
        # A worker that never was ready did not fail on this block, so the block is not blamed.
        if member is not None and item is not None and member.is_ready:
            self._count_loss(item)
            member.item = None
        self._give_back(member)
        consequence = "" if item is None else f"; {self._named(item)} is asked again"
        self._reporter.say(f"worker {worker} is lost ({before}{reason}){consequence}")
        self._executor.replace(worker)

    def _give_back(self, member: Member | None) -> None:
        """Put back what a worker that is gone was to be asked."""
        if member is None:
            return
        if member.item is not None and self._is_wanted(member.item):
            self._queue.give_back(member.item)
        if member.reserved is not None:
            self._queue.give_back(member.reserved)

    def _is_wanted(self, item: Item) -> bool:
        """Whether a block of a worker that is gone must be asked again."""
        return self._queue.is_out(item) and not self._crew.is_asked(item)

    def _count_loss(self, item: Item) -> None:
        if not self._queue.lost(item):
            return
        writer = self._writers[item.evaluation]
        if item.recorded:
            writer.add(item.block, lost_records(writer.job, item.block), ())
        self._queue.answered(item, None)

    def _named(self, item: Item) -> str:
        return f"block {item.block} of {self._planned[item.evaluation].job.plan.task.spec.name}"

    def _lose_hung(self) -> None:
        samples = {
            member.item: self._planned[member.item.evaluation].job.plan.blocks[member.item.block]
            for member in self._crew.members.values()
            if member.item is not None
        }
        speed = {index: item.speed for index, item in enumerate(self._planned) if item.speed}
        for name in self._crew.hung(samples, speed):
            seconds = time.monotonic() - self._crew.members[name].since
            self._executor.stop(name)
            self._lose(name, f"it hangs: no answer for {seconds:.0f} s, far more than usual")

    def _say_waiting(self) -> None:
        waited = time.monotonic() - self._quiet_since
        if self._crew.members or waited < _WAITING_IS_SAID:
            return
        self._quiet_since = time.monotonic()
        why = self._executor.waits_for() if isinstance(self._executor, SaysWhy) else ""
        self._reporter.say(f"no worker yet{f': {why}' if why else ''}")

    # --- answers -----------------------------------------------------------------------------

    def _take(self, member: Member, event: Answered) -> None:
        item = member.item
        if item is None or (item.evaluation, item.block) != (event.evaluation, event.block):
            return
        if event.is_kept:
            self._take_kept(member, item, event)
            return
        job = self._planned[item.evaluation].job
        records = [one for line in event.records if (one := parse_sample(line)) is not None]
        if not len(records) == len(event.records) == job.plan.blocks[item.block]:
            self._executor.stop(event.worker)
            self._lose(event.worker, "it answered with other samples than those of the block")
            return
        self._crew.done(member, event.seconds, len(records))
        if self._is_second(event, item) or item.evaluation not in self._writers:
            return  # ended meanwhile
        if self._queue.waits(item):
            self._early[item] = event, records
            return
        self._record(item, event, records)

    def _record(self, item: Item, event: Answered, records: list[SampleRecord]) -> None:
        """Journal an answer that counts, and what it settles."""
        if not self._queue.counts(item, event.verdict):
            self._queue.give_back(item)
            return
        writer = self._writers[item.evaluation]
        self._settle(writer, item, event)
        if item.recorded:
            writer.add(item.block, records, event.notes)

    def _settle(self, writer: EvaluationWriter, item: Item, event: Answered) -> None:
        """Note what the check found, if this was it, and take the answers that waited for it."""
        if (verdict := self._queue.answered(item, event.verdict)) is None:
            return
        writer.journal.settle(verdict)
        waiting, self._early = self._early, {}
        for early, answer in waiting.items():
            if self._queue.waits(early):
                self._early[early] = answer
            elif early.evaluation in self._writers:
                self._record(early, *answer)

    def _is_second(self, event: Answered, item: Item) -> bool:
        """Whether another worker answered a block before; its answer is kept, and must be equal."""
        if self._queue.is_out(item):
            if self._crew.is_asked(item):  # somebody else answers it too
                self._doubled[item] = event.worker, _digest(event)
            return False
        first, lines = self._doubled.pop(item, ("", b""))
        if lines and lines != _digest(event):
            self._admission.is_mixed = True
            self._reporter.say(
                f"{MIXED}: {self._named(item)} was asked of workers {first} and {event.worker}, "
                "whose answers differ; the first one is kept"
            )
        return True

    def _take_kept(self, member: Member, item: Item, event: Answered) -> None:
        """Count a block that is in the worker's own segment."""
        member.keeps = True
        writer = self._writers.get(item.evaluation)
        if writer is not None and item.recorded and not writer.take(item.block):
            self._executor.stop(event.worker)
            self._lose(event.worker, "what it says it has written cannot be read here")
            return
        samples = self._planned[item.evaluation].job.plan.blocks[item.block]
        self._crew.done(member, event.seconds, samples)
        if writer is not None:
            self._settle(writer, item, event)

    def _end(self, member: Member, event: Raised) -> None:
        """End an evaluation as one process would: the others go on after a plugin's fault."""
        item, member.item = member.item, None
        error = error_of(event.error)
        if not isinstance(error, PluginError):
            raise error
        if item is None or event.evaluation not in self._writers:
            return
        self._queue.close(event.evaluation)
        for other in self._crew.members.values():
            if other.reserved is not None and other.reserved.evaluation == event.evaluation:
                other.reserved = None
        task = self._planned[event.evaluation].job.plan.task.id
        self._ended[task] = ends_task(error)
        self._close(event.evaluation)


def _digest(event: Answered) -> bytes:
    return hashlib.sha256(json.dumps(event.records, sort_keys=True).encode()).digest()


def _finish(writer: EvaluationWriter, about: Mapping[str, Json], marks: Sequence[str]) -> None:
    if not writer.sealed:
        writer.finish(about, marks)


def lost_records(job: Job, block: int) -> list[SampleRecord]:
    """Return a block's records when every worker that was asked it is gone."""
    (samples,) = islice(job.plan.stream(), block, block + 1)
    error = SampleError(
        "worker_lost", f"{MOST_LOSSES} workers were lost while they answered this block"
    )
    scorer = Scorer(job.plan.task.spec)
    return [scorer.record(PreparedSample(sample, error=error), None) for sample in samples]


class _Progress:
    """Tells a reporter of one evaluation at a time; what others add meanwhile is kept for later."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self._waiting: dict[int, tuple[Planned, int]] = {}
        self._shown: int | None = None
        self._over: set[int] = set()

    def begin(self, index: int, item: Planned) -> None:
        self._waiting[index] = item, 0
        self._show()

    def add(self, index: int, samples: int) -> None:
        if index == self._shown:
            self._reporter.progress(samples)
        elif index in self._waiting:
            item, before = self._waiting[index]
            self._waiting[index] = item, before + samples

    def end(self, index: int) -> None:
        self._over.add(index)
        self._show()

    def _show(self) -> None:
        while (self._shown is None or self._shown in self._over) and self._waiting:
            self._shown = min(self._waiting)
            item, samples = self._waiting.pop(self._shown)
            self._reporter.task(item)
            self._reporter.progress(samples)
