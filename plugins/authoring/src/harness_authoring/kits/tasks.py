"""A task that uses what is under check, and answers to it: real samples for a kit."""

from __future__ import annotations

import atexit
import math
import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from functools import cache
from itertools import islice
from pathlib import Path
from random import Random

import harness
from harness.config.tasks import installed_catalog
from harness.errors import HarnessError
from harness.evaluation.score import scored
from harness.evaluation.task import Task
from harness.metrics import ScoredSample
from harness.requests import Choose, Generate, Request, Response, Scores, Text, Vectors
from harness.runs.record import EvaluationRecord
from harness.samples import Sample
from harness.specs import TaskSpec
from harness.specs.catalog import Catalog
from harness.specs.spec import GenerateSpec
from harness_training.measure import answers

from harness_authoring.subjects import Subject

LIMIT = 60  # samples that are answered

_USES: dict[str, Callable[[TaskSpec, str], bool]] = {
    "reader": lambda spec, name: spec.data.reader == name,
    "metric": lambda spec, name: any(metric.id == name for metric in spec.metrics),
    "extractor": lambda spec, name: (
        isinstance(spec.ask, GenerateSpec) and spec.ask.extractor == name
    ),
}


@cache
def _catalog() -> Catalog:
    return installed_catalog()


def task_using(subject: Subject) -> Task | None:
    """Return the task named for a check, else the first that uses the subject; None without one.

    Its data lie where ``--data`` says, or where the profile has them.

    Raises:
        UserError: an unknown task.
    """
    name = subject.task or (_first_using(subject) if subject.installed else "")
    if not name:
        return None
    return harness.load_task(name, data=subject.data)


def _first_using(subject: Subject) -> str:
    uses, catalog = _USES[subject.kind], _catalog()
    for name in catalog.entries:
        try:
            if uses(catalog.task(name), subject.id):
                return name
        except HarnessError:  # a broken spec is used by nobody
            continue
    return ""


def answered(task: Task) -> list[ScoredSample]:
    """Return samples of a task as a metric sees them, answered by chance."""
    samples = list(islice(task.samples(), LIMIT))
    records = answers(task, _Chance(task, samples), [samples])
    return [scored(record, task.spec) for record in records if record.error is None]


class _Chance:
    """Answers whatever is asked: scores, vectors, and the text of some sample's right answer."""

    def __init__(self, task: Task, samples: Sequence[Sample]) -> None:
        self._texts = ["I cannot tell."]
        for sample in samples:
            with suppress(HarnessError):  # a sample without an answer
                self._texts.append(task.render_answer(sample.target))
        self._texts += task.options

    def answer(self, requests: Sequence[Request]) -> Iterator[Response]:
        """Answer a block, each request by its own chance."""
        for request in requests:
            yield Response(request.id, self._result(request))

    def _result(self, request: Request) -> Scores | Text | Vectors:
        chance, want = Random(request.id), request.want
        if isinstance(want, Choose):
            values = tuple(-chance.uniform(0.1, 9.0) for _ in want.options)
            lengths = tuple(max(1, len(option.encode())) for option in want.options)
            return Scores("logprob", values, lengths, lengths)
        if isinstance(want, Generate):
            return Text(chance.choice(self._texts))
        images = tuple(_unit(chance) for _ in request.images)
        return Vectors(images, tuple(_unit(Random(text)) for text in want.texts))

    def close(self) -> None:
        """Free nothing."""


def _unit(chance: Random) -> tuple[float, float]:
    angle = chance.uniform(0, math.tau)
    return math.cos(angle), math.sin(angle)


@cache
def evaluation(task: str, data: str = "") -> EvaluationRecord:
    """Return a small evaluation of a task by the baseline that answers by chance."""
    folder = Path(tempfile.mkdtemp(prefix="harness-check-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    located = {task: data} if data else None
    result = harness.run("random", task, results=folder, limit=LIMIT, data=located)
    return result.records[0]
