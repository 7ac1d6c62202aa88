"""How the model answers about the training pool now: the fairness task's own skew, in the middle.

The very metric of the task, on its train split, through the engine that evaluates.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import replace
from itertools import islice

import numpy as np
from harness.errors import UserError
from harness.evaluation.collectors import GroupCollector, collector_of
from harness.evaluation.collectors.frame import Frame
from harness.evaluation.execute import answered_block
from harness.evaluation.images import ahead
from harness.evaluation.plan import BLOCK_IMAGES
from harness.evaluation.requests import RequestMaker
from harness.evaluation.score import Scorer, scored
from harness.evaluation.task import Task
from harness.metrics.contract import Comparison
from harness.models import Answerer
from harness.runs.sample_record import SampleRecord
from harness.samples import Sample
from harness.specs import TaskSpec
from harness.stats.types import Floats
from harness.training.contract import Skews

from harness_training.pool import Pool, source_id


def measure_pool(pool: Pool, answerer: Answerer) -> Skews:
    """Ask the model as it is now the fairness question of every task trained on.

    Raises:
        UserError: a task whose headline metric does not compare groups.
    """
    skews: dict[tuple[str, str, str], float] = {}
    for task in {lesson.task.id: lesson.task for lesson in pool.lessons}.values():
        blocks = _in_blocks(task, own_questions(task, pool))
        skews |= skews_of(task.spec, answers(task, answerer, blocks))
    return skews


def own_questions(task: Task, pool: Pool) -> Iterator[Sample]:
    """Yield what a task asks about each sample of it that is in a pool, which keeps them read."""
    sources: dict[str, Sample] = {}
    for lesson in pool.lessons:
        if lesson.task.id == task.id and not lesson.against:
            name = source_id(task, lesson.sample)
            sources.setdefault(name, replace(lesson.sample, id=name))
    return task.about_each(sources.values())


def answers(
    task: Task, answerer: Answerer, blocks: Iterable[list[Sample]]
) -> Iterator[SampleRecord]:
    """Yield the record of each sample that a task asks about."""
    asker, scorer = RequestMaker(task), Scorer(task.spec)
    with closing(ahead(blocks, asker.block)) as asked_blocks:
        for block in asked_blocks:
            yield from answered_block(answerer, scorer, block)


def skews_of(spec: TaskSpec, records: Iterable[SampleRecord]) -> Skews:
    """Return each concept's skew by attribute value, as the task's headline metric has it.

    Raises:
        UserError: a headline metric that does not compare groups.
    """
    collector, frame = collector_of(spec.main_metric, spec, {}), Frame()
    if not isinstance(collector, GroupCollector):
        raise UserError(
            f"the headline metric {spec.main_metric.id!r} of {spec.id!r} does not compare groups",
            fix="measure on a task whose headline metric compares groups, such as skew",
        )
    samples = [scored(record, spec) for record in records if record.error is None]
    frame.add(*samples)
    collector.add(*samples)
    return _named(*collector.comparison(frame))


def _in_blocks(task: Task, samples: Iterator[Sample]) -> Iterator[list[Sample]]:
    size = BLOCK_IMAGES * len(task.endings)
    while block := list(islice(samples, size)):
        yield block


def _named(comparison: Comparison, totals: Floats) -> Skews:
    skews: dict[tuple[str, str, str], float] = {}
    for rows in comparison.tables(comparison.components(totals)):
        if not rows.simultaneous:
            continue
        for key, value in zip(rows.keys, rows.values.tolist(), strict=True):
            named = {name: attributes for name, attributes in key.items() if name != "concept"}
            if len(named) == 1 and np.isfinite(value):
                ((name, attributes),) = named.items()
                skews[key["concept"], name, attributes] = float(value)
    return skews
