"""A probe's answers as the harness's metrics see them: values, intervals, paired differences."""

from __future__ import annotations

from collections.abc import Sequence

from harness.descriptors import Json
from harness.errors import UserError
from harness.evaluation.collectors import Collector, collector_of
from harness.evaluation.collectors.frame import Frame, whole
from harness.metrics import ScoredSample
from harness.runs.record import MetricValue
from harness.stats.paired import Paired
from harness.stats.types import Floats

from harness_analyses.splits import Probed, Row

Samples = Sequence[ScoredSample]


def scored(
    task: Probed, rows: Sequence[Row], answers: Sequence[Json], scores: Floats | None
) -> list[ScoredSample]:
    """Return answers as metrics see them.

    Args:
        task: The task.
        rows: Its samples.
        answers: A label or ``[x, y]`` for each.
        scores: ``(rows, labels)`` log-probabilities of the task's labels.
    """
    return [
        ScoredSample(
            id=row.sample.id,
            cluster=row.sample.cluster,
            target=row.sample.target,
            answer=answer,
            scores=None if scores is None else tuple(scores[index].tolist()),
            labels=task.spec.labels,
            size=row.size,
            groups={name: group.value for name, group in row.sample.groups.items()},
            fields={name: row.sample.fields.get(name) for name in task.spec.data.keep},
            stratum=row.sample.stratum,
            source=row.sample.id,
            score_kind="" if scores is None else "logprob",
        )
        for index, (row, answer) in enumerate(zip(rows, answers, strict=True))
    ]


def _collected(task: Probed, samples: Samples) -> Collector:
    collector = collector_of(task.metric, task.spec, {})
    for sample in samples:
        collector.add(sample)
    return collector


def _frame(samples: Samples) -> Frame:
    frame = Frame()
    for sample in samples:
        frame.add(sample)
    return frame


def value_of(task: Probed, samples: Samples) -> float:
    """Return the metric's value, without an interval."""
    return _collected(task, samples).point(_frame(samples))


def measured(task: Probed, samples: Samples, seed: int) -> MetricValue:
    """Return the metric's value with its clustered interval."""
    return _collected(task, samples).overall(_frame(samples), seed)


def paired(task: Probed, first: Samples, second: Samples, seed: int) -> Paired:
    """Compare two probes on the same samples: second minus first.

    Raises:
        UserError: they do not hold the same samples.
    """
    if [left.id for left in first] != [left.id for left in second]:
        raise UserError(
            f"the two encoders were probed on different images of {task.spec.id!r}",
            fix="take the difference of encoders that saw the same images",
        )
    frame = _frame(first)
    collectors = _collected(task, first), _collected(task, second)
    return collectors[0].paired(collectors[1], whole(frame), frame, seed).paired[0]
