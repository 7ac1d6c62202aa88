"""The human row: each annotator's answer scored against the other annotators' by the task's metric.

Several annotators' answers are the target of a sample, a list. A sample becomes one for each of
them: the annotator's answer, with the rest as the target. A model is scored against the same rests,
so that both have the same task; the difference is paired and its interval is over the clusters of
the task.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from harness.descriptors import Json
from harness.errors import UserError
from harness.evaluation.collectors import Collector, collector_of
from harness.evaluation.collectors.frame import Frame, Parts, frame_of
from harness.evaluation.score import scored
from harness.metrics import ScoredSample
from harness.runs.record import EvaluationRecord, MetricValue
from harness.runs.sample_record import read_samples
from harness.specs import TaskSpec
from harness.specs.resolve import read_resolved
from harness.stats.paired import Paired

from harness_claims.agreement import interval_alpha, nominal_alpha

MISSING = [-1, -1]
"""A point that an annotator of GazeFollow did not give."""


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
        samples: Samples with at least two annotators.
        alone: Samples with one or none, which take no part.
        annotators: Mean number of annotators of a sample.
    """

    task: str
    title: str
    metric: MetricValue
    model: str
    model_value: float
    paired: Paired
    share: float | None
    alpha: float
    samples: int
    alone: int
    annotators: float


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
        answers = annotators_of(sample)
        if len(answers) < 2:
            alone += 1
            continue
        units.append(answers)
        for place, answer in enumerate(answers):
            rest = [*answers[:place], *answers[place + 1 :]]
            against = replace(sample, id=f"{sample.id}#annotator {place}", target=rest)
            frame.add(against)
            human.add(replace(against, answer=answer, scores=None, score_kind=""))
            model.add(against)
    return LeftOut(frame, human, model, units, alone)


def human_row(record: EvaluationRecord, *, seed: int = 0) -> HumanRow:
    """Return how annotators and a model do against the other annotators.

    Raises:
        UserError: the task's target is no list of annotators' answers, or none has two.
    """
    spec = read_resolved(record.directory)
    lines = read_samples(record.directory)
    annotated = left_out(spec, (scored(line, spec) for line in lines if line.error is None))
    if not annotated.units:
        raise UserError(
            f"no sample of {record.task!r} has answers of two annotators",
            where=str(record.directory),
            fix="a task whose target is a list of annotators' answers: vqav2, textvqa, gazefollow",
        )
    value, model_value = annotated.value(seed), annotated.model.point(annotated.frame)
    return HumanRow(
        record.task,
        record.task_title,
        value,
        record.title,
        model_value,
        annotated.to_human(seed),
        _share(value, model_value),
        alpha_of(annotated.units),
        len(annotated.units),
        annotated.alone,
        sum(map(len, annotated.units)) / len(annotated.units),
    )


def annotators_of(sample: ScoredSample) -> list[Json]:
    """Return the annotators' answers that a target holds; none where it is no list of answers."""
    target = sample.target
    if not isinstance(target, list) or not all(isinstance(one, str | list) for one in target):
        return []
    return [one for one in target if one != MISSING]


def _share(human: MetricValue, model: float) -> float | None:
    value = human.value
    if value is None or not math.isfinite(model):
        return None
    if human.direction == "higher":
        return model / value if value else None
    return value / model if human.direction == "lower" and model else None


def alpha_of(units: Sequence[Sequence[Json]]) -> float:
    """Return Krippendorff's alpha: of points by distance, of texts by equality but for case."""
    if all(isinstance(one, list) for unit in units for one in unit):
        return interval_alpha([[_point(one) for one in unit] for unit in units])
    return nominal_alpha([[str(one).strip().casefold() for one in unit] for unit in units])


def _point(value: Json) -> list[float]:
    assert isinstance(value, list)
    return [float(str(one)) for one in value]
