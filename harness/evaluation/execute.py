"""Compute one evaluation: stream blocks, journal each, then summarise and seal."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from harness.descriptors import Json
from harness.errors import HarnessError, UserError
from harness.evaluation.images import Workers, ahead
from harness.evaluation.plan import IDS, TaskPlan
from harness.evaluation.requests import PreparedSample, RequestMaker
from harness.evaluation.retry import errored, reopen
from harness.evaluation.score import Scorer
from harness.evaluation.summarise import Summary, summarise
from harness.events import BlockAnswered
from harness.guard import described, not_plain
from harness.jsonfiles import read_object
from harness.models import Answerer, threads
from harness.models.contract import TakesNotes
from harness.plugins import contract_of, find, plugins
from harness.runs.journal import FOLDER as JOURNAL
from harness.runs.journal import Journal, remove_journal
from harness.runs.lock import writing
from harness.runs.read import read_evaluation
from harness.runs.record import FORMAT, EvaluationRecord
from harness.runs.sample_record import SampleRecord
from harness.runs.seal import is_sealed, seal, write_json, write_whole
from harness.runs.superseded import PLAN, set_aside
from harness.specs.resolve import resolved


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One evaluation to be had: a planned task, a model's identity, and where it goes.

    Attributes:
        lineage: Hash of all that the fingerprint is of but plugins' code.
        code: Of the plugins that read, answer and score.
        model: What ``evaluation.json`` says of the model.
        numbers: Settings that change numbers.
        marks: Marks of data, model and selection.
        workers: Processes that open images ahead; a thread does when 0.
        again: Set aside what is there and ask anew; what was begun so continues.
    """

    plan: TaskPlan
    directory: Path
    fingerprint: str
    lineage: str
    code: dict[str, Json]
    model: dict[str, Json]
    numbers: dict[str, Json]
    marks: tuple[str, ...]
    versions: dict[str, Json]
    asker: RequestMaker
    workers: int = 0
    again: bool = False


Progress = Callable[[int], None]
Say = Callable[[str], None]


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
        progress: Told the number of samples that came to be on disk.
        say: Told notes for the user.
        retry_errors: Ask blocks that hold a sample error again.

    Raises:
        UserError: the folder cannot be written, another process writes into it, or what is in it
            was written by no run of this evaluation.
    """
    if job.again and stands(job.directory):
        with writing(job.directory):
            say(f"set aside, to be asked again: {set_aside(job.directory)}")
    if is_sealed(job.directory):
        if not retry_errors or not read_evaluation(job.directory).counts.errors:
            progress(job.plan.samples)
            return read_evaluation(job.directory)
        with writing(job.directory):
            reopen(job.directory, job.plan.blocks)
    if not job.directory.exists():
        answerer()  # what cannot be loaded leaves no folder behind
    with writing(job.directory), Journal(job.directory, job.plan.blocks) as journal:
        started = time.perf_counter()
        if not is_sealed(job.directory):
            _say_what(job)
            for block in errored(journal) if retry_errors else ():
                journal.forget(block)
            answered = _answer(job, journal, answerer, progress, say)
            _finish(job, journal, started, answered)
    return read_evaluation(job.directory)


def stands(directory: Path) -> bool:
    """Whether something is there that was not begun to ask an evaluation again."""
    begun = directory / JOURNAL
    if is_sealed(directory) or not begun.is_dir():
        return is_sealed(directory)
    plan = begun / PLAN
    return not plan.is_file() or read_object(plan).get("again") is not True


def _say_what(job: Job) -> None:
    """Write beside the journal what the evaluation will be, for whoever finds it unfinished."""
    path = job.directory / JOURNAL / PLAN
    if path.is_file():
        return
    about = {
        "format": FORMAT,
        "model": job.model["id"],
        "task": job.plan.task.id,
        "samples": job.plan.samples,
        "blocks": len(job.plan.blocks),
        "fingerprint": job.fingerprint,
        "lineage": job.lineage,
        "code": job.code,
        "again": job.again,
    }
    write_json(path, about)


def _answer(
    job: Job, journal: Journal, answerer: Callable[[], Answerer], progress: Progress, say: Say
) -> int:
    """Answer every block that is not journaled; return how many samples."""
    done = journal.done
    scorer = Scorer(job.plan.task.spec)
    read_so = job.plan.task.reader_notes()
    answered = 0
    for index, size in enumerate(job.plan.blocks):
        if index in done:
            progress(size)
    with closing(_asked(job, done, say)) as blocks:
        for index, block in blocks:
            model = answerer()
            records = answered_block(model, scorer, block)
            own = model.notes() if isinstance(model, TakesNotes) else []
            for note in [*read_so, *own, *scorer.notes()]:
                if note not in journal.notes:
                    journal.note(note)
                    say(note)
            try:
                journal.append(index, records)
            except (TypeError, ValueError) as error:  # what is no JSON
                raise _not_plain(job, records, error) from error
            answered += len(records)
            progress(len(records))
            errors = sum(record.error is not None for record in records)
            event = BlockAnswered(
                job.plan.task.id, index, len(job.plan.blocks), len(records), errors
            )
            problem = plugins().notify("harness_block_answered", event)
            if problem:
                say(problem)
    return answered


def _not_plain(job: Job, records: list[SampleRecord], error: Exception) -> Exception:
    """Return who put what is no plain data into a record."""
    spec = job.plan.task.spec
    reader = contract_of(find("reader", spec.data.reader, plugins().readers()))
    for record in records:
        data = record.to_json()
        for name in ("id", "cluster", "stratum", "target", "fields", "groups"):
            if why := not_plain(data[name]):
                return reader.wrong(
                    f"yielded a sample, {described(record.id)}, whose {name} is no plain data: "
                    f"{why}"
                )
    return error


def answered_block(
    model: Answerer, scorer: Scorer, block: list[PreparedSample]
) -> list[SampleRecord]:
    """Ask a model one block and return a record a sample, in order."""
    requests = [asked.request for asked in block if asked.request is not None]
    responses = {
        response.request: response for response in (model.answer(requests) if requests else ())
    }
    return [scorer.record(asked, responses.get(asked.sample.id)) for asked in block]


def _asked(job: Job, done: frozenset[int], say: Say) -> Generator[tuple[int, list[PreparedSample]]]:
    """Yield unanswered blocks, opening the next one's images while this one is answered."""
    wanted = (block for block in enumerate(job.plan.stream()) if block[0] not in done)
    with ExitStack() as stack:
        ask = job.asker.block
        if job.workers and job.asker.opens_images:
            ask = partial(ask, opener=stack.enter_context(Workers(job.workers, say)).open)
        yield from ahead(wanted, lambda block: (block[0], ask(block[1])))


def _finish(job: Job, journal: Journal, started: float, answered: int) -> None:
    if len(journal.done) != len(job.plan.blocks):
        raise HarnessError("the journal lacks blocks of the plan", where=job.directory)
    spec = job.plan.task.spec
    summary = summarise(spec, _planned(job, journal))
    directory = job.directory
    write_whole(directory / "samples.jsonl", _lines(journal))
    write_json(directory / "metrics.json", summary.as_json())
    write_json(directory / "evaluation.json", _evaluation(job, summary, journal.notes))
    text = yaml.safe_dump(resolved(spec), sort_keys=False, allow_unicode=True)
    write_whole(directory / "spec.yaml", [text.encode()])
    seconds = time.perf_counter() - started
    write_json(
        directory / "timings.json",
        {
            "finished": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "samples_answered": answered,
            "seconds": round(seconds, 3),
            "samples_per_second": round(answered / seconds, 3)
            if answered and seconds > 0
            else None,
            **({"cpu": held} if answered and (held := threads.in_use()) else {}),
        },
    )
    seal(directory)
    remove_journal(directory)


def _planned(job: Job, journal: Journal) -> Iterator[list[SampleRecord]]:
    """Yield the journal's blocks; at their end, check that their samples were the plan's.

    Raises:
        UserError: they were others, or in another order.
    """
    digest = hashlib.sha256()
    for block in journal.blocks():
        digest.update("".join(f"{record.id}\n" for record in block).encode())
        yield block
    if digest.hexdigest() != job.plan.parts[IDS]:
        raise UserError(
            "the journal holds samples that are not the plan's",
            where=job.directory,
            fix="harness results rm with this folder; the same command then begins anew",
        )


def _lines(journal: Journal) -> Iterator[bytes]:
    # One encoder for all: json.dumps makes one for each line.
    encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False).encode
    for block in journal.blocks():
        for record in block:
            yield encode(record.to_json()).encode() + b"\n"


def _evaluation(job: Job, summary: Summary, notes: list[str]) -> dict[str, Any]:
    spec = job.plan.task.spec
    marks = set(job.marks)
    if summary.counts.errors:
        marks.add("errored")
    if summary.machine_labelled:
        marks.add("machine-labelled slices")
    return {
        "format": FORMAT,
        "status": "success",
        "fingerprint": job.fingerprint,
        "lineage": job.lineage,
        "code": job.code,
        "model": job.model,
        "task": {
            "id": spec.id,
            "title": spec.title,
            "version": spec.version,
            "variant": str(spec.variant or ""),
            "fingerprint": job.plan.fingerprint,
            "parts": job.plan.parts,
            "options": {name: option.value for name, option in spec.options.items()},
            "unit": spec.unit,
        },
        "settings": job.numbers,
        "marks": sorted(marks),
        "images": summary.images,
        "counts": {
            held.name: getattr(summary.counts, held.name) for held in fields(summary.counts)
        },
        "versions": job.versions,
        **({"notes": notes} if notes else {}),
    }
