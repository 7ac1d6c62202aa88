"""A worker: plans by itself, says what it is, loads the model once, and answers block by block."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, suppress
from itertools import islice
from typing import TYPE_CHECKING, Any

from harness.api.runs import plan_for_worker
from harness.descriptors import Json
from harness.errors import HarnessError
from harness.evaluation.score import Scorer
from harness.plugins import thread_pool
from harness.workers.contract import Answered, BlockRequest, Event, Hello, Raised, Ready, WorkOrder
from harness.workers.messages import error_data

if TYPE_CHECKING:
    from harness.evaluation.requests import PreparedSample
    from harness.evaluation.writer import Job
    from harness.models import Answerer
    from harness.samples import Sample

Block = list["PreparedSample"]


class Worker:
    """Answers blocks of an order; nothing is written.

    Args:
        name: As events call it.
        order: What is to be done.

    Raises:
        HarnessError: what keeps it from planning.
    """

    def __init__(self, name: str, order: WorkOrder) -> None:
        self.name, self.order = name, order
        self._model, self._planned = plan_for_worker(order)
        self._blocks = [_Blocks(item.job) for item in self._planned]
        self._scorers = [Scorer(item.job.plan.task.spec) for item in self._planned]
        self._stack = ExitStack()
        self._prepare: list[Callable[[list[Sample]], Block]] = []
        self._pool = self._stack.enter_context(thread_pool(1))
        self._ahead: dict[tuple[int, int], Future[Block]] = {}
        self._is_loaded = False
        self._loaded: Answerer | None = None  # the one that answered last

    def hello(self) -> Hello:
        """Return what this worker is."""
        from harness.workers.terms import worker_terms

        return Hello(self.name, worker_terms(self._model, self._planned))

    def load(self, request: BlockRequest) -> Iterator[Event]:
        """Load the model, and yield :class:`Ready` the first time that it is loaded.

        If that raises, :meth:`answer` reports it.
        """
        with suppress(Exception):
            self._answerer(request)
            if not self._is_loaded:
                self._is_loaded = True
                yield Ready(self.name)

    def answer(self, request: BlockRequest) -> Iterator[Event]:
        """Yield what comes of a request: :class:`Ready` the first time, then the answer."""
        yield from self.load(request)
        try:
            yield self._answered(self._answerer(request), request)
        except Exception as error:  # noqa: BLE001  whatever it is, the coordinator must hear of it
            self._model.close()  # whatever state it was left in
            yield Raised(self.name, request.evaluation, error_data(error))

    def _answerer(self, request: BlockRequest) -> Answerer:
        return self._model.answerer(self._planned[request.evaluation].job.plan.task)

    def _answered(self, answerer: Answerer, request: BlockRequest) -> Answered:
        from harness.evaluation.execute import answered_block, notes_of, verdict_of
        from harness.evaluation.writer import not_plain_sample
        from harness.guard import not_plain
        from harness.models.contract import ChecksItself

        job, scorer = self._planned[request.evaluation].job, self._scorers[request.evaluation]
        task = job.plan.task.id
        started = time.perf_counter()
        if request.verdict is not None and isinstance(answerer, ChecksItself):
            answerer.adopt(task, request.verdict, settled=request.settled)
        self._loaded = answerer
        block = self._prepared(request.evaluation, request.block).result()
        if request.ahead is not None:
            self._prepared(*request.ahead)
        records = answered_block(answerer, scorer, block)
        lines: list[dict[str, Json]] = [record.to_json() for record in records]
        if why := not_plain(lines):
            raise not_plain_sample(job.plan.task.spec, records, HarnessError(why))
        return Answered(
            self.name,
            request.evaluation,
            request.block,
            lines,
            tuple(notes_of(answerer, scorer)),
            verdict_of(answerer, task),
            time.perf_counter() - started,
        )

    def _prepared(self, evaluation: int, block: int) -> Future[Block]:
        """Return a block with its images opened; one that was not asked for is let go."""
        key = evaluation, block
        if key not in self._ahead:
            if len(self._ahead) > 1:
                self._ahead.clear()
            self._ahead[key] = self._pool.submit(self._open, evaluation, block)
            return self._ahead[key]
        return self._ahead.pop(key)

    def _open(self, evaluation: int, block: int) -> Block:
        from harness.evaluation.execute import prepare_images

        job = self._planned[evaluation].job
        samples = self._blocks[evaluation].samples(block)
        opened = job.asker.block(samples, **self._opener(job))
        if self._loaded is not None:
            prepare_images(self._loaded, opened)
        return opened

    def _opener(self, job: Job) -> dict[str, Any]:
        """Return the processes that open images, where the run asked for some."""
        if not (job.workers and job.asker.opens_images):
            return {}
        if not self._prepare:
            from harness.evaluation.images import Workers

            pool = self._stack.enter_context(Workers(job.workers, lambda _: None))
            self._prepare.append(pool.open)  # type: ignore[arg-type]
        return {"opener": self._prepare[0]}

    def close(self) -> None:
        """Free the model."""
        self._model.close()
        self._stack.close()


class _Blocks:
    """The samples of an evaluation's blocks, read from the start, forwards.

    A block that another worker lost lies before those that are read: a second stream reads it and
    stays there for the next one, so that all losses cost one more pass over the annotations.
    """

    def __init__(self, job: Job) -> None:
        self._plan = job.plan
        self._streams: dict[int, Iterator[list[Sample]]] = {}  # by the block that each yields next

    def samples(self, block: int) -> list[Sample]:
        """Return a block's samples; its stream reads over those that lie between."""
        position = max((at for at in self._streams if at <= block), default=0)
        stream = self._streams.pop(position, None) or self._plan.stream()
        samples = next(islice(stream, block - position, None), None)
        if samples is None:
            raise HarnessError(f"the plan has no block {block}", where=self._plan.task.id)
        furthest = sorted(self._streams.items())[-1:]
        self._streams = {**dict(furthest), block + 1: stream}
        return samples
