"""Linear decodability of frozen visual encoders, and how much of it VLM training took away.

Social degradation is the first encoder's probe minus another's, on the same images: the reading
of arXiv 2512.01148's wording (INFERRED; the paper's layers, pooling and probe were not to be had).
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import numpy as np
from harness.analysis.encoders import Encoder
from harness.analysis.results import Analysis, finished, table_of, write_analysis
from harness.descriptors import Json
from harness.errors import DataError, UserError
from harness.progress import EachMinute
from harness.stats.paired import Paired, corrected

from harness_analyses.features import Column, Features, FeatureStore
from harness_analyses.linear import (
    ALPHA_GRID,
    C_GRID,
    Fitted,
    fit_labels,
    fit_points,
    require_sklearn,
)
from harness_analyses.scoring import Samples, measured, paired, scored, value_of
from harness_analyses.splits import SPLITS, Probed, Row, open_row, targets

if TYPE_CHECKING:
    from harness.samples.images import LoadedImage

    from harness_analyses.towers import Tower

KIND = "probe"
SCHEME = 1  # raised when the way features or probes are computed changes their numbers

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeSettings:
    """What decides a probe's numbers beside encoders and tasks.

    Attributes:
        layers: ``all`` or numbers of blocks, as :meth:`.towers.Tower.columns` takes them.
        pooling: ``class``, ``mean``, ``attention``, separated by commas.
        control: Whether a probe of permuted labels stands beside each probe (selectivity).
        seed: Seed of permutations, bootstraps and splits.
        batch: Images in one pass.
    """

    layers: str = "-1"
    pooling: str = "mean"
    control: bool = True
    seed: int = 0
    batch: int = 16

    def about(self) -> dict[str, Json]:
        """Return what decides the numbers."""
        return {
            "layers": self.layers,
            "pooling": self.pooling,
            "control": self.control,
            "seed": self.seed,
            "C": list(C_GRID),
            "alpha": list(ALPHA_GRID),
            "scheme": SCHEME,
        }


@dataclass(frozen=True, slots=True)
class Seen:
    """What one encoder said of all images.

    Attributes:
        columns: Name as asked, such as ``-1/mean``, to the column that it is.
        store: Features of the images.
        known: Images that have features.
        images: By task, hash of the images it has features of.
        rejected: Images that its preprocessing rejected.
    """

    encoder: Encoder
    columns: Mapping[str, Column]
    store: FeatureStore
    known: frozenset[str]
    images: Mapping[str, str]
    rejected: int


Encode = Callable[[Sequence[Probed]], Sequence[Seen]]
"""Returns what each encoder said of the images of tasks."""


@dataclass(frozen=True, slots=True)
class Probe:
    """One encoder, layer and pooling on one task; ``samples`` are its scored test answers."""

    encoder: str
    task: Probed
    name: str
    column: Column
    fitted: Fitted
    control: float | None
    samples: Samples = field(repr=False)


def run_probe(  # noqa: PLR0913  what a probe is made of
    encoders: Sequence[Encoder],
    tasks: Sequence[Probed],
    settings: ProbeSettings,
    *,
    results: Path,
    cache: Path,
    say: Say,
    encode: Encode | None = None,
    notes: Sequence[str] = (),
) -> Analysis:
    """Probe encoders on tasks; what was done before is read back.

    Args:
        encoders: The first is what the others are compared with.
        tasks: Read by :func:`.splits.read_task`.
        settings: Layers, pooling and so on.
        results: Folder of the results.
        cache: Folder of features.
        say: Receives lines on the progress.
        encode: Encodes the images of all encoders elsewhere; this process does it when ``None``.
        notes: On how they were encoded elsewhere; read afterwards.

    Raises:
        UserError: a layer that an encoder has not, features that are not finite, scikit-learn or
            another library that is missing.
    """
    require_sklearn()
    if len({encoder.name for encoder in encoders}) < len(encoders):
        raise UserError("an encoder is named twice")
    about: dict[str, Json] = {
        "encoders": [{"name": one.name, **one.identity} for one in encoders],
        "tasks": [task.about() for task in tasks],
        "settings": settings.about(),
        "marks": [*sorted({mark for one in (*encoders, *tasks) for mark in one.marks})],
    }
    done = finished(results, KIND, about)
    if done is not None:
        return done
    started = time.monotonic()
    each = (
        [see(encoder, tasks, settings, cache, say) for encoder in encoders]
        if encode is None
        else encode(tasks)
    )
    for encoded in each[1:]:
        refuse_different(each[0], encoded)
    probes = [
        probe_column(encoded, task, name, settings, say)
        for encoded in each
        for task in tasks
        for name in encoded.columns
    ]
    notes = [*notes]
    notes += [
        f"{encoded.encoder.name} rejected {encoded.rejected} images; they are left out"
        for encoded in each
        if encoded.rejected
    ]
    notes += [
        f"{task.spec.id}: {task.left_out} samples without a right answer or a readable image"
        for task in tasks
        if task.left_out
    ]
    tables = [table_of("probe", [_row(probe, settings.seed) for probe in probes])]
    if len(encoders) > 1:
        pairs = comparable(probes, encoders[0].name)
        tables.append(table_of("degradation", differences(pairs, settings.seed)))
        notes += _unpaired(probes, pairs)
    seconds = time.monotonic() - started
    return write_analysis(results, KIND, about, tables, notes=notes, seconds=seconds)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The images that an encoder is to encode, and what is kept of each.

    Attributes:
        missing: Images without features; a task and a row that show each.
        keys: All images, those with features too.
    """

    encoder: Encoder
    columns: Mapping[str, Column]
    store: FeatureStore
    missing: Sequence[tuple[Probed, Row]]
    keys: Sequence[str]

    def layers(self) -> list[Column]:
        """Return the columns in the order in which they are computed."""
        return sorted(set(self.columns.values()))

    def keep(self, images: Iterable[tuple[str, Mapping[Column, Features] | None]]) -> int:
        """Store images' features; return how many images have none, as they were rejected."""
        rejected = 0
        for key, features in images:
            if features is None:
                rejected += 1
            else:
                self.store.put(key, features)
        return rejected

    def seen(self, tasks: Sequence[Probed], rejected: int) -> Seen:
        """Return what the encoder said, once every missing image was encoded or rejected."""
        self.store.flush()
        layers = self.layers()
        encoded = frozenset(key for key in self.keys if self.store.has(key, layers))
        images = {task.spec.id: _digest(task, encoded) for task in tasks}
        return Seen(self.encoder, self.columns, self.store, encoded, images, rejected)


def wanted_of(  # noqa: PLR0913, PLR0917  as see
    encoder: Encoder,
    tower: Tower,
    tasks: Sequence[Probed],
    settings: ProbeSettings,
    cache: Path,
    say: Say,
) -> Wanted:
    """Return what an encoder is to encode; its tower says which layers it has."""
    columns = tower.columns(settings.layers, settings.pooling)
    layers_used = sorted(set(columns.values()))
    store = FeatureStore(cache / "probes", {**encoder.identity, "scheme": SCHEME})
    rows = {row.key: (task, row) for task in tasks for split in SPLITS for row in task.rows[split]}
    missing = [row for key, row in rows.items() if not store.has(key, layers_used)]
    say(f"{encoder.name}: {len(missing):,} images to encode, layers {list(tower.layers)}")
    return Wanted(encoder, columns, store, missing, list(rows))


def see(
    encoder: Encoder, tasks: Sequence[Probed], settings: ProbeSettings, cache: Path, say: Say
) -> Seen:
    """Have every image's features on disk: with one pass per image for all layers and tasks."""
    tower = encoder.load()
    wanted = wanted_of(encoder, tower, tasks, settings, cache, say)
    rejected, layers = 0, wanted.layers()
    far = EachMinute(say, encoder.name, len(wanted.missing), "images")
    for start in range(0, len(wanted.missing), settings.batch):
        batch = wanted.missing[start : start + settings.batch]
        images = [open_row(task.spec, row) for task, row in batch]
        rejected += wanted.keep(encoded(encoder.name, tower, images, layers))
        far.advance(len(batch))
    return wanted.seen(tasks, rejected)


def encoded(
    name: str, tower: Tower, images: Sequence[LoadedImage], columns: Sequence[Column]
) -> list[tuple[str, Mapping[Column, Features] | None]]:
    """Return the key and the features of images; ``None`` for one that the encoder rejects.

    Raises:
        DataError: features that are not finite.
    """
    pairs = list(
        zip([image.key for image in images], _encoded(tower, images, columns), strict=True)
    )
    for key, features in pairs:
        if features is not None:
            _require_finite(name, key, features)
    return pairs


def _encoded(
    tower: Tower, images: Sequence[LoadedImage], columns: Sequence[Column]
) -> list[Mapping[Column, Features] | None]:
    from harness_analyses.towers import PromptError

    try:
        return list(tower.features(images, columns))
    except PromptError:
        if len(images) == 1:
            return [None]
    return [_encoded(tower, [image], columns)[0] for image in images]


def _require_finite(name: str, key: str, features: Mapping[Column, Features]) -> None:
    for column, vector in features.items():
        if not np.isfinite(vector).all():
            raise DataError(
                f"{name} gives features that are not finite at layer {column.layer}",
                where=f"image {key[:12]}",
                fix="--dtype float32, or another layer",
            )


def _digest(task: Probed, keys: frozenset[str]) -> str:
    digest = hashlib.sha256()
    for split in SPLITS:
        for row in task.rows[split]:
            if row.key in keys:
                digest.update(f"{split} {row.key}\n".encode())
    return digest.hexdigest()


def probe_column(
    encoded: Seen, task: Probed, name: str, settings: ProbeSettings, say: Say
) -> Probe:
    """Fit and test a probe of one layer and pooling, and its control."""
    column = encoded.columns[name]
    rows = {
        split: [row for row in task.rows[split] if row.key in encoded.known] for split in SPLITS
    }
    features = {
        split: encoded.store.matrix(column, [row.key for row in rows_of_split])
        for split, rows_of_split in rows.items()
    }
    fitted, samples = fit(task, rows, features)
    control = None
    if settings.control:
        _, drawn = fit(task, rows, features, permuted=settings.seed)
        control = value_of(task, drawn)
    say(f"{encoded.encoder.name}: {task.spec.id}, layer {name}")
    return Probe(encoded.encoder.name, task, name, column, fitted, control, samples)


def fit(
    task: Probed,
    rows: Mapping[str, Sequence[Row]],
    features: Mapping[str, Features],
    *,
    permuted: int | None = None,
) -> tuple[Fitted, Samples]:
    """Fit a probe and score its answers to the test samples.

    Args:
        task: The task.
        rows: Samples by split.
        features: ``(samples, width)`` by split, in their order.
        permuted: Seed by which right answers of train and val change places; a control, whose
            test answers are still held against the right ones. ``None`` leaves them.

    Raises:
        UserError: fewer than two classes in train.
    """
    train, val = list(rows["train"]), list(rows["val"])
    if permuted is not None:
        train, val = (_shuffled(part, permuted) for part in (train, val))
    sign = -1.0 if task.metric.direction == "lower" else 1.0

    def judge(answers: Sequence[Json], scores: object) -> float:
        probabilities = scores if isinstance(scores, np.ndarray) else None
        return sign * value_of(task, scored(task, val, answers, probabilities))

    aims = targets(train, task.kind)
    if task.kind == "points":
        fitted = fit_points(features, aims, judge)
    else:
        labels = [str(one) for one in aims]
        if len(set(labels)) < 2:
            raise UserError(f"task {task.spec.id!r}: its train split has one class only")
        fitted = fit_labels(features, labels, task.spec.labels, judge)
    return fitted, scored(task, rows["test"], fitted.answers, fitted.scores)


def _shuffled(rows: Sequence[Row], seed: int) -> list[Row]:
    """Return rows whose right answers have changed places."""
    answers = [row.sample.target for row in rows]
    Random(seed).shuffle(answers)
    return [
        replace(row, sample=replace(row.sample, target=answer))
        for row, answer in zip(rows, answers, strict=True)
    ]


def refuse_different(first: Seen, second: Seen) -> None:
    """Refuse a difference of encoders that have features of different images.

    Raises:
        UserError: naming the task.
    """
    for task, images in first.images.items():
        if second.images[task] != images:
            raise UserError(
                f"{first.encoder.name} and {second.encoder.name} have features of different "
                f"images of {task!r}, so their difference would mean nothing",
                where=f"image sets {images[:12]} and {second.images[task][:12]}",
                fix="leave out the images that one of them rejects, or probe each alone",
            )


def comparable(probes: Sequence[Probe], first: str) -> list[tuple[Probe, Probe]]:
    """Pair the first encoder's probes with the others', by task, layer as asked, and pooling."""
    base = {(one.task.spec.id, one.name): one for one in probes if one.encoder == first}
    pairs = []
    for probe in probes:
        other = base.get((probe.task.spec.id, probe.name))
        if probe.encoder != first and other is not None:
            pairs.append((other, probe))
    return pairs


def _unpaired(probes: Sequence[Probe], pairs: Sequence[tuple[Probe, Probe]]) -> list[str]:
    used = {id(one) for pair in pairs for one in pair}
    alone = sorted({f"{one.encoder} {one.name}" for one in probes if id(one) not in used})
    return [f"no counterpart to compare with: {', '.join(alone)}"] if alone else []


def differences(pairs: Sequence[tuple[Probe, Probe]], seed: int) -> list[dict[str, Json]]:
    """Return a row a pair; ``degradation`` is positive where the second encoder is worse.

    P values are of the paired permutation test over clusters, Holm's over all rows.
    """
    tested: list[Paired] = corrected(
        [paired(probe.task, reference.samples, probe.samples, seed) for probe, reference in pairs]
    )
    rows: list[dict[str, Json]] = []
    for (probe, reference), difference in zip(pairs, tested, strict=True):
        metric, interval = probe.task.metric, difference.interval
        sign = -1.0 if metric.direction == "lower" else 1.0
        ends = (
            sorted((sign * interval.low + 0.0, sign * interval.high + 0.0))
            if interval
            else (None, None)
        )
        value = difference.difference
        rows.append(
            {
                "first": probe.encoder,
                "second": reference.encoder,
                "task": probe.task.spec.id,
                "layer": probe.name.partition("/")[0],
                "pooling": probe.column.pooling,
                "metric": metric.column,
                "scale": metric.scale,
                "degradation": None if value is None else sign * value + 0.0,  # never -0
                "low": ends[0],
                "high": ends[1],
                "p": difference.p,
                "corrected": difference.corrected,
                "detectable": difference.detectable,
            }
        )
    return rows


def _row(probe: Probe, seed: int) -> dict[str, Json]:
    task, metric = probe.task, probe.task.metric
    value = measured(task, probe.samples, seed)
    sign = -1.0 if metric.direction == "lower" else 1.0
    selectivity = (
        None
        if probe.control is None or value.value is None
        else sign * (value.value - probe.control)
    )
    return {
        "encoder": probe.encoder,
        "task": task.spec.id,
        "layer": probe.name.partition("/")[0],
        "block": probe.column.layer,
        "pooling": probe.column.pooling,
        "metric": metric.column,
        "direction": metric.direction,
        "scale": metric.scale,
        "value": value.value,
        "low": value.interval.low if value.interval else None,
        "high": value.interval.high if value.interval else None,
        "control": probe.control,
        "selectivity": selectivity,
        "strength": probe.fitted.strength,
        "converged": probe.fitted.converged,
        "samples": len(probe.samples),
        "clusters": len({one.cluster for one in probe.samples}),
    }
