"""The human row: each annotator's answer scored against the other annotators' by the task's metric.

A sample becomes one for each of its annotators: the annotator's answer, with what the others say as
the target. A model is scored against the same rests,
so that both have the same task; the difference is paired and its interval is over the clusters of
the task.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from harness.descriptors import Json
from harness.errors import UserError
from harness.evaluation.collectors import Collector, collector_of
from harness.evaluation.collectors.frame import Frame, Parts, frame_of
from harness.evaluation.score import each_annotator, scored
from harness.metrics import ScoredSample
from harness.runs.record import EvaluationRecord, MetricValue
from harness.runs.sample_record import read_samples
from harness.specs import TaskSpec
from harness.specs.resolve import read_resolved
from harness.stats.paired import Paired

from harness_claims.agreement import alpha_of, kappa_of
from harness_claims.annotators import answers_of
from harness_claims.annotators import left_out as each_left_out


@dataclass(frozen=True, slots=True)
class HumanRow:
    """Annotators and a model on the samples of one evaluation.

    Attributes:
        metric: The task's headline metric of the annotators, each against the rest.
        model: Name of the model.
        model_value: The model against the same rests.
        paired: Model minus human.
        share: The model's number as a share of the human one (the other way round for a number
            that is best low); ``None`` for a metric without such a sense.
        alpha: Krippendorff's alpha of the annotators.
        kappa: Fleiss' kappa, of labels and texts that equally many annotators gave each sample.
        samples: Samples with at least two annotators.
        alone: Samples with one or none, which take no part.
        annotators: Mean number of annotators of a sample.
        marks: What the evaluation is marked with.
    """

    task: str
    title: str
    metric: MetricValue
    model: str
    model_value: float
    paired: Paired
    share: float | None
    alpha: float
    kappa: float | None
    samples: int
    alone: int
    annotators: float
    marks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Samples of a task as each annotator answered them, and as a model did, against the rest.

    Attributes:
        units: The annotators' answers of each sample that has two or more.
        alone: Samples with one or none.
    """

    frame: Frame
    human: Collector
    model: Collector
    units: Sequence[Sequence[Json]]
    alone: int

    def value(self, seed: int) -> MetricValue:
        """Return the annotators' number with its interval."""
        return self.human.overall(self.frame, seed)

    def to_human(self, seed: int) -> Paired:
        """Return the difference of the model to the annotators."""
        places = np.zeros(len(self.frame.codes), dtype=np.int64)
        everything = Parts([()], places, [()])
        return self.human.paired(self.model, everything, self.frame, seed).paired[0]


def left_out(spec: TaskSpec, samples: Iterable[ScoredSample]) -> LeftOut:
    """Return samples with each annotator left out in turn."""
    frame = frame_of(spec)
    human, model = (collector_of(spec.main_metric, spec, {}) for _ in range(2))
    units: list[list[Json]] = []
    alone = 0
    for sample in samples:
        answers = answers_of(sample.target, sample.fields, spec.labels)
        if len(answers) < 2:
            alone += 1
            continue
        units.append(answers)
        for against, answered in each_annotator(sample, each_left_out(sample.target, answers)):
            frame.add(against)
            human.add(answered)
            model.add(against)
    return LeftOut(frame, human, model, units, alone)


def human_row(record: EvaluationRecord, *, seed: int = 0) -> HumanRow:
    """Return how annotators and a model do against the other annotators.

    Raises:
        UserError: the task's target is not a list of annotators' answers, or none has two.
    """
    spec = read_resolved(record.directory)
    lines = read_samples(record.directory)
    annotated = left_out(spec, (scored(line, spec) for line in lines if line.error is None))
    if not annotated.units:
        raise UserError(
            f"no sample of {record.task!r} has answers from two annotators",
            where=str(record.directory),
            fix="evaluate a task with several annotators: vqav2, textvqa, gazefollow, fer_plus",
        )
    value, model_value = annotated.value(seed), annotated.model.point(annotated.frame)
    return HumanRow(
        record.task,
        record.task_title,
        value,
        ", ".join(filter(None, (record.title, record.variant))),
        model_value,
        annotated.to_human(seed),
        _share(value, model_value),
        alpha_of(annotated.units),
        kappa_of(annotated.units),
        len(annotated.units),
        annotated.alone,
        sum(map(len, annotated.units)) / len(annotated.units),
        tuple(record.marks),
    )


def _share(human: MetricValue, model: float) -> float | None:
    value = human.value
    if value is None or not math.isfinite(model):
        return None
    if human.direction == "higher":
        return model / value if value else None
    return value / model if human.direction == "lower" and model else None
