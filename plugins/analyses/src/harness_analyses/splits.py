"""What a probe reads of a task: images with their right answers, in three splits."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from harness.descriptors import Json
from harness.errors import DataError, SampleError, UserError
from harness.evaluation.collectors import make_metric
from harness.evaluation.plan import Selection
from harness.evaluation.requests import open_sample
from harness.evaluation.task import Task
from harness.metrics import GroupMetric
from harness.metrics.accuracy import DESCRIPTORS
from harness.samples import Sample
from harness.samples.hashes import id_number
from harness.samples.images import LoadedImage
from harness.samples.limits import MAX_PIXELS
from harness.specs import ChooseSpec, MetricSpec, TaskSpec
from harness.specs.prompt import options_as_sent
from harness_training.pool import on_train_split

Kind = Literal["labels", "points"]
SPLITS = ("train", "val", "test")
ACCURACY = MetricSpec(DESCRIPTORS[0].id, "Accuracy", "higher", 100.0, main=True)
_LOOKED_AT = 50


@dataclass(frozen=True, slots=True)
class Row:
    """A sample with the hash of its image as the task's view shows it."""

    sample: Sample
    key: str
    size: tuple[int, int]


@dataclass(frozen=True, slots=True)
class Probed:
    """A task as a probe asks it.

    Attributes:
        spec: The task, asking each sample once.
        kind: Classes, or points for gaze.
        metric: The task's headline, or accuracy where that compares groups.
        rows: By split: ``train``, ``val``, ``test``.
        validation: Where ``val`` came from: ``split`` or ``part of train``.
        left_out: Samples without a right answer or whose image cannot be opened.
        images: Hash of all images by split, in order.
        marks: Marks of the data, and of their being a part.
    """

    spec: TaskSpec
    kind: Kind
    metric: MetricSpec
    rows: dict[str, tuple[Row, ...]]
    validation: str
    left_out: int
    images: str
    marks: tuple[str, ...] = ()

    def about(self) -> dict[str, Json]:
        """Return what decides the numbers."""
        return {
            "id": self.spec.id,
            "version": self.spec.version,
            "metric": self.metric.id,
            "metric options": dict(self.metric.options),
            "validation": self.validation,
            "images": self.images,
            "samples": {split: len(rows) for split, rows in self.rows.items()},
        }


def read_task(task: Task, *, limit: int | None, share: float, seed: int) -> Probed:
    """Read a task for a probe; every image is opened once for its hash, none is kept.

    Args:
        task: The task.
        limit: At most this many samples in each split, those whose id has the smallest hash.
        share: Share of train's clusters used for validation, where the task has no split for it.
        seed: Deals them out.

    Raises:
        UserError: a task without class labels or points, without a train split, with one class in
            a split, or with fewer samples than classes.
    """
    kind = _kind(task)
    spec, samples_by_split, validation, limited = divided(task, limit=limit, share=share, seed=seed)
    rows: dict[str, tuple[Row, ...]] = {}
    left_out = 0
    digest = hashlib.sha256()
    for split, samples in samples_by_split.items():
        kept_rows = [row for row in (_row(task, one) for one in samples) if row is not None]
        left_out += len(samples) - len(kept_rows)
        rows[split] = tuple(kept_rows)
        for row in kept_rows:
            digest.update(f"{split} {row.sample.id} {row.key} {row.sample.target}\n".encode())
    found_task = Probed(
        spec,
        kind,
        _metric(spec, kind),
        rows,
        validation,
        left_out,
        digest.hexdigest(),
        (*task.located.marks, *(("limited",) if limited else ())),
    )
    _check(found_task)
    return found_task


def divided(
    task: Task, *, limit: int | None, share: float, seed: int
) -> tuple[TaskSpec, dict[str, list[Sample]], str, bool]:
    """Return a probe's spec, each split's samples, where ``val`` is from, and if some are left out.

    No image is opened; arguments as for :func:`read_task`.

    Raises:
        UserError: a task without a train split.
    """
    spec = task.spec
    if isinstance(spec.ask, ChooseSpec):
        spec = replace(spec, ask=replace(spec.ask, normalisation="none"))
    spec = replace(spec, data=replace(spec.data, each=None))
    train, trains_on_part = _samples(on_train_split(task), limit)
    test, tests_on_part = _samples(task, limit)
    (val, limited), validation = _validation(task, limit), "split"
    limited = limited or trains_on_part or tests_on_part
    if val is None:
        validation = "part of train"
        aside = {one.cluster for one in train if id_number(f"{seed}|{one.cluster}") / 2**64 < share}
        val = [one for one in train if one.cluster in aside]
        train = [one for one in train if one.cluster not in aside]
    return spec, dict(zip(SPLITS, (train, val, test), strict=True)), validation, limited


def open_row(spec: TaskSpec, row: Row) -> LoadedImage:
    """Open a row's image again."""
    return open_sample(spec, row.sample, MAX_PIXELS)[0]


def _kind(task: Task) -> Kind:
    """Say which probe fits a task.

    Raises:
        UserError: none does.
    """
    some = [one for one, _ in zip(task.read(), range(_LOOKED_AT), strict=False)]
    targets = [one.target for one in some if one.target is not None]
    if (
        isinstance(task.spec.ask, ChooseSpec)
        and targets
        and set(map(str, targets)) <= set(task.spec.labels)
    ):
        option_sets = {options_as_sent(task.spec, one) for one in some}
        if len(option_sets) == 1:
            return "labels"
    if targets and all(_is_points(one) for one in targets):
        return "points"
    raise UserError(
        f"task {task.id!r} has no class labels, so no linear probe fits it",
        fix="logistic probes take choices among fixed labels, ridge probes take points",
    )


def _is_points(target: Json) -> bool:
    return (
        isinstance(target, list)
        and bool(target)
        and all(isinstance(point, list | tuple) and len(point) == 2 for point in target)
    )


def _metric(spec: TaskSpec, kind: Kind) -> MetricSpec:
    main = spec.main_metric
    made = make_metric(main.id, main.options, spec.labels)
    return ACCURACY if kind == "labels" and isinstance(made, GroupMetric) else main


def _samples(task: Task, limit: int | None) -> tuple[list[Sample], bool]:
    """Return a split's samples, each once, as ``harness run --limit`` chooses them; if it has more.

    A split in which each sample is there leaves none out, whatever the limit.
    """
    once = Task(replace(task.spec, data=replace(task.spec.data, each=None)), task.settings)
    task.annotation_hashes()  # says which files are missing, before any is read
    selection = Selection(limit).narrowed(once)
    return list(selection.of(once.samples())), not selection.is_everything


def _validation(task: Task, limit: int | None) -> tuple[list[Sample] | None, bool]:
    if task.spec.data.split == "val":
        return None, False
    data = replace(task.spec.data, split="val")
    try:
        samples, is_part = _samples(Task(replace(task.spec, data=data), task.settings), limit)
    except (UserError, DataError):
        return None, False  # the release has none
    return samples or None, is_part


def _row(task: Task, sample: Sample) -> Row | None:
    if sample.target is None:
        return None
    if len(sample.images) != 1:
        raise UserError(f"task {task.id!r} shows {len(sample.images)} images; a probe reads one")
    try:
        image = open_sample(task.spec, sample, MAX_PIXELS)[0]
    except SampleError:
        return None
    return Row(sample, image.key, (image.width, image.height))


def _check(task: Probed) -> None:
    for split, rows in task.rows.items():
        where = f"task {task.spec.id!r}, {split} ({task.validation if split == 'val' else 'split'})"
        if not rows:
            raise UserError(f"{where}: there is no sample with both a right answer and an image")
        if task.kind == "labels":
            present = {str(row.sample.target) for row in rows}
            if split != "val" and len(present) < 2:
                raise UserError(
                    f"{where}: all samples have one class ({next(iter(present))})",
                    fix="a larger --limit, or a task with several classes",
                )
            classes = len(task.spec.labels)
            if split == "train" and len(rows) < classes:
                raise UserError(
                    f"{where}: {len(rows)} samples are too few for {classes} classes",
                    fix="a larger --limit",
                )


def targets(rows: Sequence[Row], kind: Kind) -> list[Json]:
    """Return right answers: labels, or the mean of the annotators' points."""
    if kind == "labels":
        return [row.sample.target for row in rows]
    return [_mean(row.sample.target) for row in rows]


def _mean(points: Json) -> Json:
    mean = np.asarray(points, dtype=np.float64).mean(axis=0)
    return [float(mean[0]), float(mean[1])]
