"""Compute one evaluation in this process: stream blocks, answer and journal each, then seal."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from contextlib import ExitStack, closing
from functools import partial

from harness.descriptors import Json
from harness.evaluation.images import Workers, ahead
from harness.evaluation.requests import PreparedSample, pixel_bytes
from harness.evaluation.score import Scorer
from harness.evaluation.writer import EvaluationWriter, Job, Progress, Say, is_finished
from harness.models import Answerer
from harness.models.contract import ChecksItself, PreparesImages, StandsForAnnotators, TakesNotes
from harness.runs.read import read_evaluation
from harness.runs.record import EvaluationRecord
from harness.runs.sample_record import SampleRecord
from harness.samples import Sample


def execute(
    job: Job,
    answerer: Callable[[], Answerer],
    progress: Progress,
    say: Say,
    *,
    retry_errors: bool = False,
) -> EvaluationRecord:
    """Compute what is missing of an evaluation and return its record.

    Args:
        job: What is wanted.
        answerer: Loads the model; called only when a block is still to be answered.
        progress: Told how many more samples are on disk.
        say: Told notes for the user.
        retry_errors: Ask blocks that hold a sample error again.

    Raises:
        UserError: the folder cannot be written, another process writes into it, or what is in it
            was written by no run of this evaluation.
    """
    if is_finished(job, say, retry_errors=retry_errors):
        progress(job.plan.samples)
        return read_evaluation(job.directory)
    if not job.directory.exists():
        answerer()  # a model that cannot be loaded leaves no folder
    with EvaluationWriter(job, progress, say, retry_errors=retry_errors) as writer:
        if not writer.sealed:
            _answer(writer, answerer, say)
            writer.finish()
    return read_evaluation(job.directory)


def _answer(writer: EvaluationWriter, answerer: Callable[[], Answerer], say: Say) -> None:
    """Answer every block that is not journaled."""
    job = writer.job
    task = job.plan.task.id
    scorer = Scorer(job.plan.task.spec)
    verdict, is_adopted = writer.journal.verdict, False
    loaded: list[Answerer] = []  # nothing until the first block is answered
    with closing(_prepared_blocks(job, writer.journal.done, say, loaded)) as blocks:
        for index, block in blocks:
            model = answerer()
            loaded[:] = [model]
            checks = model if isinstance(model, ChecksItself) else None
            if verdict is not None and checks is not None and not is_adopted:
                checks.adopt(task, verdict, settled=True)
                is_adopted = True
            records = answered_block(model, scorer, block)
            if verdict is None and (verdict := verdict_of(model, task)) is not None:
                writer.journal.settle(verdict)
                is_adopted = True
            writer.add(index, records, notes_of(model, scorer))


def notes_of(model: Answerer, scorer: Scorer) -> list[str]:
    """Return what a model and the reading of its answers have to say so far."""
    return [*(model.notes() if isinstance(model, TakesNotes) else ()), *scorer.notes()]


def verdict_of(model: Answerer, task: str) -> dict[str, Json] | None:
    """Return what a model's check of itself found; ``None`` while it is still to be made."""
    if not isinstance(model, ChecksItself):
        return {}
    verdict = model.verdict(task)
    return None if verdict is None else dict(verdict)


def prepare_images(model: Answerer, block: list[PreparedSample]) -> None:
    """Let a model begin with the images of a block that it is asked soon, if it can."""
    if isinstance(model, PreparesImages):
        model.prepare([asked.request for asked in block if asked.request is not None])


def answered_block(
    model: Answerer, scorer: Scorer, block: list[PreparedSample]
) -> list[SampleRecord]:
    """Ask a model one block and return one record per sample, in order."""
    if isinstance(model, StandsForAnnotators):
        return [scorer.annotated(asked, model.annotators(asked.sample)) for asked in block]
    requests = [asked.request for asked in block if asked.request is not None]
    responses = {
        response.request: response for response in (model.answer(requests) if requests else ())
    }
    return [scorer.record(asked, responses.get(asked.sample.id)) for asked in block]


def _prepared_blocks(
    job: Job, done: frozenset[int], say: Say, loaded: Sequence[Answerer]
) -> Generator[tuple[int, list[PreparedSample]]]:
    """Yield unanswered blocks, opening the images of the next ones while one is answered."""
    wanted = (block for block in enumerate(job.plan.stream()) if block[0] not in done)
    with ExitStack() as stack:
        prepare = job.asker.block
        if job.workers and job.asker.opens_images:
            prepare = partial(prepare, opener=stack.enter_context(Workers(job.workers, say)).open)

        def prepared(block: tuple[int, list[Sample]]) -> tuple[int, list[PreparedSample]]:
            samples = prepare(block[1])
            for model in loaded:
                prepare_images(model, samples)
            return block[0], samples

        yield from ahead(wanted, prepared, lambda block: pixel_bytes(block[1]))
