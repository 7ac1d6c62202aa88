"""How the model answers about the training pool now: the fairness task's own skew, in the middle.

The very metric of the task, on its train split, through the engine that evaluates.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from harness.errors import UserError
from harness.evaluation.ask import Asker
from harness.evaluation.execute import answered_block
from harness.evaluation.plan import Selection, plan_task
from harness.evaluation.score import Record, Scorer, scored
from harness.evaluation.task import Task
from harness.metrics.contract import GroupMetric, Label
from harness.models import Answerer
from harness.plugins import make, plugins
from harness.specs import TaskSpec
from harness.training.contract import Skews
from harness.training.pool import on_train_split, source_id

if TYPE_CHECKING:
    from harness.training.plan import TrainingPlan


def measure_pool(plan: TrainingPlan, answerer: Answerer) -> Skews:
    """Ask the model as it is now the fairness question of every task trained on.

    Raises:
        UserError: a task whose headline metric does not compare groups.
    """
    found: dict[tuple[str, str, str], float] = {}
    for task in plan.tasks:
        ids = {
            source_id(lesson.task, lesson.sample)
            for lesson in plan.pool.lessons
            if lesson.task.id == task.id and not lesson.against
        }
        found |= skews_of(task.spec, ask_train_split(task, answerer, ids))
    return found


def ask_train_split(task: Task, answerer: Answerer, ids: Iterable[str]) -> Iterable[Record]:
    """Yield records of the task's own questions about samples of its train split."""
    wanted = frozenset(f"{name}{ending}" for name in ids for ending in task.endings)
    return asked_records(on_train_split(task), answerer, wanted)


def asked_records(task: Task, answerer: Answerer, ids: frozenset[str]) -> Iterable[Record]:
    """Yield records of these samples of the split that a task asks about."""
    planned = plan_task(task, Selection(ids=ids))
    asker, scorer = Asker(task), Scorer(task.spec)
    for samples in planned.stream():
        yield from answered_block(answerer, scorer, asker.block(samples))


def skews_of(spec: TaskSpec, records: Iterable[Record]) -> Skews:
    """Return each concept's skew by attribute value, as the task's headline metric has it.

    Raises:
        UserError: a headline metric that does not compare groups.
    """
    main = spec.main_metric
    metric = make("metric", main.id, plugins().metrics(), main.options, spec.labels)
    if not isinstance(metric, GroupMetric):
        raise UserError(
            f"the headline metric {main.id!r} of {spec.id!r} compares no groups",
            fix="measure on a task of skew, such as scounter or cmsc",
        )
    sums: dict[Label, dict[int, float]] = {}
    for record in records:
        if record["error"] is not None:
            continue
        sample = scored(record, spec)
        held = sums.setdefault(metric.counts.label(sample), {})
        for place, value in metric.counts.statistics(sample).items():
            held[place] = held.get(place, 0.0) + value
    return _components(metric, sums)


def _components(metric: GroupMetric, sums: dict[Label, dict[int, float]]) -> Skews:
    labels = sorted(sums)
    parts: Sequence[Label] = metric.parts(labels)
    totals = np.zeros((len(parts), metric.counts.size))
    for row, part in enumerate(parts):
        for label in labels:
            if set(part) <= set(label):
                for place, value in sums[label].items():
                    totals[row, place] += value
    comparison = metric.settle(metric.counts, parts, totals)
    found: dict[tuple[str, str, str], float] = {}
    for rows in comparison.tables(comparison.components(totals)):
        if not rows.simultaneous:
            continue
        for key, value in zip(rows.keys, rows.values.tolist(), strict=True):
            named = {name: held for name, held in key.items() if name != "concept"}
            if len(named) == 1 and np.isfinite(value):
                ((name, held),) = named.items()
                found[key["concept"], name, held] = float(value)
    return found
