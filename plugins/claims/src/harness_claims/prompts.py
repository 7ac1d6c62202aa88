"""One number over several wordings of its question, with prompts and clusters as what varies.

Prompts and clusters are crossed: every prompt asked every cluster. Both are drawn with replacement
at once (the pigeonhole bootstrap, Owen 2007), so that the interval is about other wordings as well
as other people; it is a little too wide rather than too short.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from harness.descriptors import Direction
from harness.errors import UserError
from harness.evaluation.collectors import (
    Collector,
    GroupCollector,
    SumCollector,
    collector_of,
)
from harness.evaluation.collectors.frame import Frame, frame_of
from harness.evaluation.score import scored
from harness.runs.record import EvaluationRecord
from harness.runs.sample_record import read_samples
from harness.specs.resolve import read_resolved
from harness.specs.variants import Variant
from harness.stats.bootstrap import resampled
from harness.stats.rows import Matrix, distinct_rows, generator
from harness.stats.types import Floats
from scipy.sparse import hstack

DRAWS, FEW = 1000, 5
_Sums = tuple[Matrix, Callable[[Floats], Floats]]
"""Totals of each cluster, and what makes values of totals."""


@dataclass(frozen=True, slots=True)
class Crossed:
    """A mean over prompts.

    Attributes:
        mean: Mean of the prompts' values.
        low: Lower end of its 95 % interval over prompts and clusters; NaN without one.
        high: Upper end.
        share: Share of the mean's variance that is due to prompts, 0 to 1.
    """

    mean: float
    low: float
    high: float
    share: float


@dataclass(frozen=True, slots=True)
class PromptSpread:
    """A model's headline number on a task, as asked and over all its prompts.

    Attributes:
        values: Name of each prompt to its value; the first is as the task asks.
        worst: Name of the prompt with the worst value; empty for a number without a sense.
        changes_sign: Whether a number that is best at zero is on both sides of it.
        samples: Scored under every prompt.
        left_out: Not scored under one of them.
        marks: What any of the evaluations is marked with.
        why: Why there is no interval; empty where there is one.
    """

    task: str
    title: str
    column: str
    model: str
    direction: Direction
    scale: float
    values: Mapping[str, float]
    crossed: Crossed
    worst: str
    changes_sign: bool
    samples: int
    left_out: int
    marks: tuple[str, ...]
    why: str = ""


def crossed(values: Floats, drawn: Floats, *, seed: int = 0, centred: bool = False) -> Crossed:
    """Return the mean over prompts with its interval and the share of its variance.

    Args:
        values: ``(prompts,)`` in the data.
        drawn: ``(draws, prompts)`` under draws of clusters, which all prompts share.
        seed: Seed of the draws of prompts.
        centred: Move the draws so that their mean is the value: those of an extreme lean outward,
            and all of them may lie beyond it.
    """
    prompts = len(values)
    weights = generator(seed).multinomial(prompts, np.full(prompts, 1 / prompts), size=len(drawn))
    means = (drawn * weights).sum(axis=1) / prompts
    means = means[np.isfinite(means)]
    if 2 * len(means) < len(drawn) or len(means) < 2:
        return Crossed(float(values.mean()), float("nan"), float("nan"), float("nan"))
    shift = values.mean() - means.mean() if centred else 0.0
    low, high = np.quantile(means, (0.025, 0.975)) + shift
    of_clusters = np.nanvar(drawn.mean(axis=1))
    total_variance = means.var()
    share = max(0.0, 1 - of_clusters / total_variance) if total_variance > 0 else 0.0
    return Crossed(float(values.mean()), float(low), float(high), float(share))


def groups_of(records: Sequence[EvaluationRecord]) -> list[list[EvaluationRecord]]:
    """Return evaluations that differ in their prompt alone, as asked first; two or more each."""
    groups: dict[str, list[EvaluationRecord]] = {}
    for record in records:
        if record.variant and Variant.named(record.variant).perturbs:
            continue  # the question is the same
        parts = {name: part for name, part in record.task_parts.items() if name != "variant"}
        key = [record.model_fingerprint, record.task, parts, {**record.settings}, record.method]
        groups.setdefault(json.dumps(key, sort_keys=True, default=str), []).append(record)
    ordered = (sorted(group, key=lambda one: one.variant) for group in groups.values())
    return [group for group in ordered if len(group) > 1 and not group[0].variant]


def prompt_spread(group: Sequence[EvaluationRecord], *, seed: int = 0) -> PromptSpread:
    """Return a number over its prompts.

    Raises:
        UserError: no sample was scored under every prompt, or a damaged file.
    """
    first = group[0]
    spec = read_resolved(first.directory)
    of_each = [
        {
            line.id: scored(line, spec)
            for line in read_samples(record.directory)
            if line.error is None
        }
        for record in group
    ]
    shared = [name for name in of_each[0] if all(name in samples for samples in of_each[1:])]
    if not shared:
        raise UserError("no sample was scored under every prompt", where=str(first.directory))
    frame, collectors = frame_of(spec), [collector_of(spec.main_metric, spec, {}) for _ in group]
    for name in shared:
        frame.add(of_each[0][name])
        for collector, samples in zip(collectors, of_each, strict=True):
            collector.add(samples[name])
    values, summary, why = crossed_of(collectors, frame, seed=seed)
    main = first.main
    names = [record.variant or "as asked" for record in group]
    badness = {"higher": -values, "lower": values, "zero": np.abs(values)}.get(main.direction)
    return PromptSpread(
        first.task,
        first.task_title,
        main.column,
        first.title,
        main.direction,
        main.scale,
        dict(zip(names, map(float, values), strict=True)),
        summary,
        "" if badness is None or np.isnan(badness).all() else names[int(np.nanargmax(badness))],
        main.direction == "zero" and bool((values > 0).any() and (values < 0).any()),
        len(shared),
        max(one.counts.samples for one in group) - len(shared),
        tuple(sorted({mark for one in group for mark in one.marks})),
        why,
    )


def crossed_of(
    collectors: Sequence[Collector], frame: Frame, *, seed: int = 0
) -> tuple[Floats, Crossed, str]:
    """Return the value of each prompt, their mean with its interval, and why there is none.

    Args:
        collectors: One for each prompt, all of the same samples.
        frame: Where the samples belong.
        seed: Seed of the draws.
    """
    values = np.array([collector.point(frame) for collector in collectors])
    if all(isinstance(one, SumCollector | GroupCollector) for one in collectors):
        drawn, extreme = _drawn(collectors, frame, seed), isinstance(collectors[0], GroupCollector)
        return values, crossed(values, drawn, seed=seed, centred=extreme), ""
    summary = Crossed(float(values.mean()), float("nan"), float("nan"), float("nan"))
    return values, summary, "a metric of ranks has no interval over prompts"


def _drawn(collectors: Sequence[Collector], frame: Frame, seed: int) -> Floats:
    """Return ``(draws, prompts)`` values under draws of clusters."""
    groups = [one for one in collectors if isinstance(one, GroupCollector)]
    for positions in groups:  # positions that depend on answers must be the same under every prompt
        for other in groups:
            positions.counted.merge(other.counted)
    parts = [*map(_sums_or_groups(frame), collectors)]
    ends = np.cumsum([0, *(matrix.shape[1] for matrix, _ in parts)])
    rows = distinct_rows(hstack([matrix for matrix, _ in parts], format="csr"), frame.strata)

    def values(totals: Floats) -> Floats:
        return np.stack(
            [
                finalize(totals[:, start:end])
                for (_, finalize), start, end in zip(parts, ends[:-1], ends[1:], strict=True)
            ],
            axis=-1,
        )

    return resampled(values, rows, draws=DRAWS, seed=seed, jackknife=False).drawn


def _sums_or_groups(frame: Frame) -> Callable[[Collector], _Sums]:
    def of(collector: Collector) -> _Sums:
        if isinstance(collector, GroupCollector):
            return _groups(collector, frame)
        assert isinstance(collector, SumCollector)
        metric = collector.metric
        return collector.statistics.totals(metric.size, frame.codes, frame.order), metric.finalize

    return of


def _groups(collector: GroupCollector, frame: Frame) -> _Sums:
    labelled, size = collector.counted.labelled(frame), collector.metric.counts.size
    groups = collector.metric.parts(labelled.names)
    settled, _ = collector.comparison(frame)

    def finalize(totals: Floats) -> Floats:
        return settled.combine(settled.components(totals.reshape(-1, len(groups), size)))

    return labelled.by_cluster(groups), finalize
