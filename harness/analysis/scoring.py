"""A probe's answers as the harness's metrics see them: values, intervals, paired differences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.analysis.splits import Probed, Row
from harness.descriptors import Json
from harness.errors import UserError
from harness.evaluation.collectors import Collector, Frame
from harness.evaluation.intervals import overall
from harness.metrics import ScoredSample
from harness.metrics.contract import Floats
from harness.runs.record import MetricValue
from harness.stats.bootstrap import range_of
from harness.stats.paired import Paired, paired_ranks, paired_sums

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
    collector = Collector(task.metric, task.spec, {})
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
    collector = _collected(task, samples)
    if collector.ranks is not None:
        prepared = collector.ranks.prepare(samples)
        return float(collector.ranks.value(prepared, np.ones((1, len(samples))))[0])
    metric = collector.additive
    assert metric is not None
    totals = np.asarray(collector.statistics.matrix(metric.size).sum(axis=0), dtype=np.float64)
    return float(metric.finalize(totals))


def measured(task: Probed, samples: Samples, seed: int) -> MetricValue:
    """Return the metric's value with its clustered interval."""
    return overall(_collected(task, samples), _frame(samples), samples, seed)


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
    left, right = _collected(task, first), _collected(task, second)
    if left.ranks is not None:
        ranks = left.ranks
        prepared = ranks.prepare([*frame.ordered(first), *frame.ordered(second)])
        found = paired_ranks(
            lambda weights: ranks.value(prepared, weights)[:, None],
            frame.codes,
            strata=frame.strata,
            seed=seed,
            possible=range_of(ranks, prepared),
        )
        return found[0]
    metric, again = left.additive, right.additive
    assert metric is not None
    assert again is not None
    size = max(metric.size, again.size)
    sums = [held.statistics.totals(size, frame.codes, frame.order) for held in (left, right)]
    finalize = metric.finalize
    return paired_sums(
        lambda totals: finalize(totals)[..., None],
        *sums,
        strata=frame.strata,
        seed=seed,
        possible=range_of(metric),
    )[0]
