"""Writes one evaluation: its lock and journal while it is answered, its sealed files at the end."""

from __future__ import annotations

import hashlib
import shutil
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from shlex import quote
from typing import IO, Any, Self

import yaml

from harness.config.tasks import own_folder
from harness.descriptors import Json
from harness.errors import HarnessError, UserError
from harness.evaluation.plan import IDS, TaskPlan
from harness.evaluation.requests import RequestMaker
from harness.evaluation.retry import errored, reopen
from harness.evaluation.summarise import Summary, summarise
from harness.events import BlockAnswered
from harness.guard import described, not_plain
from harness.jsonfiles import read_object
from harness.models import threads
from harness.plugins import contract_of, find, plugins
from harness.runs.journal import FOLDER as JOURNAL
from harness.runs.journal import Journal, remove_journal
from harness.runs.lock import writing
from harness.runs.read import read_evaluation
from harness.runs.record import FORMAT
from harness.runs.sample_record import SampleRecord
from harness.runs.seal import SAMPLES, is_sealed, open_whole, seal, write_json, write_whole
from harness.runs.superseded import PLAN, set_aside
from harness.specs import TaskSpec
from harness.specs.resolve import resolved

_MANY = 10_000  # samples whose metrics and intervals take long enough to say so
_LOOKS, _APART = 50, 0.2  # how often a segment is looked at, seconds between

Progress = Callable[[int], None]
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One evaluation to be had: a planned task, a model's identity, and where it goes.

    Attributes:
        lineage: Hash of all that the fingerprint is of but plugins' code.
        code: Code of the plugins that read, answer and score.
        model: What ``evaluation.json`` says of the model.
        numbers: Settings that change numbers.
        marks: Marks of data, model and selection.
        unused: Options of the model that change no answer, each with why not.
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
    unused: Sequence[str] = ()
    workers: int = 0
    again: bool = False


def is_finished(job: Job, say: Say, *, retry_errors: bool = False) -> bool:
    """Whether an evaluation needs no answer, after what is to be asked anew was made ready for it.

    Args:
        job: The evaluation.
        say: Told what was set aside.
        retry_errors: Whether blocks that hold a sample error are asked again.

    Raises:
        UserError: the folder cannot be written, or another process writes into it.
    """
    if job.again and stands(job.directory):
        with writing(job.directory):
            say(f"set aside, to be evaluated again: {set_aside(job.directory)}")
    if is_sealed(job.directory):
        if not retry_errors or not read_evaluation(job.directory).counts.errors:
            return True
        with writing(job.directory):
            reopen(job.directory, job.plan.blocks)
    return False


def stands(directory: Path) -> bool:
    """Whether something is there that was not begun to ask an evaluation again."""
    begun = directory / JOURNAL
    if is_sealed(directory) or not begun.is_dir():
        return is_sealed(directory)
    plan = begun / PLAN
    return not plan.is_file() or read_object(plan).get("again") is not True


class EvaluationWriter:
    """The one writer of an evaluation; a context that holds its lock.

    Args:
        job: What is evaluated.
        progress: Told how many more samples are on disk.
        say: Told notes for the user.
        retry_errors: Whether journaled blocks that hold a sample error are missing too.

    Attributes:
        sealed: Another process finished it before this one had the lock.
        journal: Its finished blocks; open within the context.
        answered: Samples that were added.

    Raises:
        UserError: on entry: the folder cannot be written, another process writes into it, or what
            is in it was written by no run of this evaluation.
    """

    journal: Journal

    def __init__(
        self, job: Job, progress: Progress, say: Say, *, retry_errors: bool = False
    ) -> None:
        self.job, self.sealed, self.answered = job, False, 0
        self._progress, self._say, self._retry_errors = progress, say, retry_errors
        self._stack = ExitStack()
        self._is_new = False
        self._started = 0.0
        self._read_so: Sequence[str] = ()  # what the reader says of how it reads

    def __enter__(self) -> Self:
        job = self.job
        self._is_new = not job.directory.exists()
        with ExitStack() as stack:
            stack.enter_context(writing(job.directory))
            self.journal = stack.enter_context(Journal(job.directory, job.plan.blocks))
            self._started = time.perf_counter()
            self._read_so = job.plan.task.reader_notes()
            self.sealed = is_sealed(job.directory)
            if not self.sealed:
                _write_plan(job)
                for block in errored(self.journal) if self._retry_errors else ():
                    self.journal.forget(block)
                for block in sorted(self.journal.done):
                    self._progress(job.plan.blocks[block])
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        if self._is_new and not (self.sealed or self.journal.done):
            shutil.rmtree(self.job.directory, ignore_errors=True)  # nothing was answered
        self._stack.close()

    @property
    def missing(self) -> list[int]:
        """Indexes of the blocks that are still to be answered, in order."""
        done = self.journal.done
        return [index for index in range(len(self.job.plan.blocks)) if index not in done]

    def add(self, index: int, records: list[SampleRecord], notes: Iterable[str]) -> None:
        """Journal a block and what is to be said of it, and tell who listens.

        Raises:
            UserError: it cannot be written.
            PluginError: a reader gave a sample that is not plain data.
        """
        for note in (*self._read_so, *notes):
            if note not in self.journal.notes:
                self.journal.note(note)
                self._say(f"{self.job.plan.task.spec.name}: {note}")
        try:
            self.journal.append(index, records)
        except (TypeError, ValueError) as error:  # what is not JSON
            raise not_plain_sample(self.job.plan.task.spec, records, error) from error
        self._added(index, records)

    def take(self, index: int) -> bool:
        """Count a block that a worker has journaled itself; return whether it is there.

        Raises:
            UserError: the worker's segment holds what is no block of the plan.
        """
        for _ in range(_LOOKS):  # on a network's file system it may take a moment
            for note in self.journal.merge_notes():
                self._say(note)
            if index in self.journal.done:
                self._added(index, self.journal.records(index))
                return True
            time.sleep(_APART)
        return False

    def _added(self, index: int, records: list[SampleRecord]) -> None:
        plan = self.job.plan
        self.answered += len(records)
        self._progress(len(records))
        errors = sum(record.error is not None for record in records)
        event = BlockAnswered(plan.task.id, index, len(plan.blocks), len(records), errors)
        if problem := plugins().notify("harness_block_answered", event):
            self._say(problem)

    def finish(self, workers: Mapping[str, Json] | None = None, marks: Iterable[str] = ()) -> None:
        """Write what is sealed, and seal it.

        Args:
            workers: What ``timings.json`` says of workers that answered.
            marks: Marks of how it was answered.

        Raises:
            UserError: a file cannot be written, or the journal's samples are not the plan's.
        """
        job, journal = self.job, self.journal
        if len(journal.done) != len(job.plan.blocks):
            raise HarnessError("the journal is missing blocks of the plan", where=job.directory)
        spec = job.plan.task.spec
        if job.plan.samples >= _MANY:
            self._say(f"{spec.name}: computing metrics and intervals, which takes a while")
        directory = job.directory
        with open_whole(directory / SAMPLES) as file:
            blocks = _written(job, journal, file)
            said = {f"samples to which -o {name} does not apply": job.plan.samples
                    for name in job.unused}  # fmt: skip
            summary = summarise(spec, blocks, left_out={**job.plan.left_out, **said})
        write_json(directory / "metrics.json", summary.as_json())
        write_json(directory / "evaluation.json", _evaluation(job, summary, journal.notes, marks))
        text = yaml.safe_dump(resolved(spec), sort_keys=False, allow_unicode=True)
        write_whole(directory / "spec.yaml", [text.encode()])
        write_json(directory / "timings.json", self._timings(workers))
        seal(directory)
        remove_journal(directory)
        self.sealed = True

    def _timings(self, workers: Mapping[str, Json] | None) -> dict[str, Json]:
        seconds = time.perf_counter() - self._started
        speed = round(self.answered / seconds, 3) if self.answered and seconds > 0 else None
        timings: dict[str, Json] = {
            "finished": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "samples_answered": self.answered,
            "seconds": round(seconds, 3),
            "samples_per_second": speed,
        }
        if workers is not None:
            timings["workers"] = dict(workers)
        elif self.answered and (cpu := threads.in_use()):
            timings["cpu"] = cpu
        if own_folder(source := self.job.plan.task.spec.source) is not None:
            timings["spec"] = str(source)
        return timings


def not_plain_sample(spec: TaskSpec, records: list[SampleRecord], error: Exception) -> Exception:
    """Return who put what is not plain data into a record."""
    reader = contract_of(find("reader", spec.data.reader, plugins().readers()))
    for record in records:
        data = record.to_json()
        for name in ("id", "cluster", "stratum", "target", "fields", "groups"):
            if why := not_plain(data[name]):
                return reader.wrong(
                    f"yielded a sample, {described(record.id)}, whose {name} is not plain data: "
                    f"{why}"
                )
    return error


def _write_plan(job: Job) -> None:
    """Write beside the journal what the evaluation will be, for those who find it unfinished."""
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


def _written(job: Job, journal: Journal, file: IO[bytes]) -> Iterator[list[SampleRecord]]:
    """Yield the journal's blocks in plan order, and copy their lines: they are parsed once.

    Raises:
        UserError: in the end, when their samples were not the plan's, or in another order.
    """
    digest = hashlib.sha256()
    for index in sorted(journal.done):
        block = []
        for record, line in journal.lines(index):
            digest.update(f"{record.id}\n".encode())
            file.write(f"{line}\n".encode())
            block.append(record)
        yield block
    if digest.hexdigest() != job.plan.parts[IDS]:
        raise UserError(
            "the journal holds samples that are not in the plan",
            where=job.directory,
            fix=f"harness results rm {quote(str(job.directory))}; the same command then restarts",
        )


def _evaluation(
    job: Job, summary: Summary, notes: list[str], more_marks: Iterable[str]
) -> dict[str, Any]:
    spec = job.plan.task.spec
    marks = {*job.marks, *more_marks}
    if summary.counts.errors:
        marks.add("errored")
    if summary.by_annotators:
        marks.add("human")
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
            count.name: getattr(summary.counts, count.name) for count in fields(summary.counts)
        },
        "versions": job.versions,
        **({"notes": notes} if notes else {}),
    }
