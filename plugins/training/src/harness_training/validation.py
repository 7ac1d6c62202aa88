"""Which epoch's weights are kept: a declared metric on samples that are never trained on.

They are the task's validation split, or clusters held out of its train split; the split that the
task evaluates is refused.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.descriptors import Json
from harness.errors import UserError, unknown
from harness.evaluation.plan import Selection, TaskPlan, plan_task
from harness.evaluation.summarise import summarise
from harness.evaluation.task import Task
from harness.plugins import find, plugins
from harness.samples.hashes import id_hash
from harness.specs import MetricSpec, fingerprint

from harness_training.measure import answers
from harness_training.pool import Cluster, cluster_of, on_split, on_train_split, source_of

if TYPE_CHECKING:
    from harness.models import Answerer

    from harness_training.settings import TrainingSettings

_NAMES = ("val", "valid", "validation", "dev")


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """What is measured after each epoch.

    Attributes:
        plan: Plan of the samples that are measured, read once for all epochs.
        metric: Its direction says what is best.
        without: Clusters that must not be trained on.
        annotations: Hash of the split's annotation files.
    """

    plan: TaskPlan
    metric: MetricSpec
    without: frozenset[Cluster]
    annotations: str

    @property
    def task(self) -> Task:
        """On the split that is measured."""
        return self.plan.task

    @property
    def ids(self) -> frozenset[str]:
        """Ids of the samples that are measured."""
        return self.plan.selection.ids or frozenset()

    def about(self) -> dict[str, Json]:
        """Return what stands in the training's record."""
        return {
            "task": self.task.id,
            "metric": self.metric.column,
            "direction": self.metric.direction,
            "scale": self.metric.scale,
            "split": self.task.spec.data.split,
            "held_out": len(self.without),
            "samples": len(self.ids),
            "sha256": fingerprint({"ids": [*sorted(self.ids)], "annotations": self.annotations}),
        }

    def measure(self, answerer: Answerer) -> float | None:
        """Return the metric of the model as it is; ``None`` where it is not defined."""
        metric = replace(self.metric, main=True)
        spec = replace(self.task.spec, metrics=(metric,), slices=())
        records = answers(Task(spec, self.task.settings), answerer, self.plan.stream())
        return summarise(spec, [list(records)]).metrics[0].value

    def best(self, epochs: Sequence[Mapping[str, Json]]) -> int | None:
        """Return the best of the epochs recorded so far; ``None`` when none has a value."""
        values = [epoch.get("validation") for epoch in epochs]
        numbers = [value if isinstance(value, float | int) else None for value in values]
        return best_epoch(numbers, self.metric.direction)

    def seen(self) -> set[str]:
        """Return benchmark and id of each sample, as :data:`harness_training.run.SEEN` has it."""
        spec = self.task.spec
        endings = self.task.endings
        return {f"{spec.data.benchmark} {source_of(name, endings)}" for name in self.ids}


def named_task(text: str) -> tuple[str, str]:
    """Return task and metric of ``TASK:METRIC``.

    Raises:
        UserError: when it is not written so.
    """
    task, colon, metric = text.partition(":")
    if not task or not colon or not metric:
        raise UserError(
            f"{text!r} is not TASK:METRIC", where="--validate", fix="see `harness tasks show TASK`"
        )
    return task, metric


def plan_validation(task: Task, settings: TrainingSettings) -> Validation:
    """Settle which samples are measured, and by what.

    Raises:
        UserError: an unknown metric, no split to validate on, or annotations that are missing.
    """
    metric = _metric(task, named_task(settings.validate)[1])
    held_out = on_train_split(task) if settings.hold_out else on_split(task, _split(task))
    annotations = fingerprint({**held_out.annotation_hashes()})
    without: frozenset[Cluster] = frozenset()
    samples = held_out.samples()
    if settings.hold_out:
        without = _held_out(held_out, settings.hold_out)
        samples = (sample for sample in samples if cluster_of(held_out, sample) in without)
    ids = [sample.id for sample in samples]
    if not ids:
        raise UserError(f"task {task.id!r} has nothing to validate on", where=held_out.located.root)
    if settings.validate_limit is not None:
        ids = sorted(ids, key=id_hash)[: settings.validate_limit]
    plan = plan_task(held_out, Selection(ids=frozenset(ids)))
    return Validation(plan=plan, metric=metric, without=without, annotations=annotations)


def best_epoch(values: Sequence[float | None], direction: str) -> int | None:
    """Return the first epoch with the best value; ``None`` when no epoch has one."""
    badness = {"higher": lambda value: -value, "lower": lambda value: value, "zero": abs}[direction]
    ranked = [(badness(value), number) for number, value in enumerate(values) if value is not None]
    return min(ranked)[1] if ranked else None


def _metric(task: Task, name: str) -> MetricSpec:
    for metric in task.spec.metrics:
        if name in {metric.id, metric.column}:
            if metric.direction == "none":
                raise UserError(f"neither end of {metric.column!r} is better", where="--validate")
            return metric
    columns = [metric.column for metric in task.spec.metrics]
    raise unknown(f"metric of {task.id!r}", name, columns)


def _split(task: Task) -> str:
    data = task.spec.data
    splits = find("reader", data.reader, plugins().readers()).splits
    candidates = [name for name in splits if name in _NAMES and name != data.split]
    if candidates:
        return candidates[0]
    why = (
        "it is what the task evaluates"
        if data.split in _NAMES
        else f"it has {', '.join(splits) or 'none that it names'}"
    )
    raise UserError(
        f"task {task.id!r} has no validation split of its own: {why}",
        fix="--hold-out 0.1 validates on a tenth of the train split instead of training on it",
    )


def _held_out(task: Task, share: float) -> frozenset[Cluster]:
    clusters = sorted({cluster_of(task, sample) for sample in task.samples()}, key=_cluster_hash)
    count = math.ceil(share * len(clusters))
    if count >= len(clusters):
        raise UserError(
            f"all {len(clusters)} clusters of {task.id!r} would be held out",
            where="--hold-out",
        )
    return frozenset(clusters[:count])


def _cluster_hash(cluster: Cluster) -> bytes:
    return id_hash(" ".join(cluster))
