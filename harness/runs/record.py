"""The evaluation record as readers see it: one sealed directory, typed.

Files of an evaluation directory::

    evaluation.json   what was asked of which model, under which settings, with which counts
    samples.jsonl     one line per sample, in plan order
    metrics.json      values, intervals, slices
    spec.yaml         the task spec as resolved
    timings.json      clocks and throughput; the only file that differs between equal runs
    seal.json         hashes of the first four
    superseded.json   only in a directory that was set aside to be asked again
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.descriptors import Direction, Json
from harness.stats.interval import Chance, Interval, Range

FORMAT = 1
ASKED = "asked"
"""Of :attr:`EvaluationRecord.settings`: what a run changed of how its task is asked."""


@dataclass(frozen=True, slots=True)
class MetricValue:
    """One metric's value; ``value`` is ``None`` when it is not defined on these samples.

    Attributes:
        range: The possible range on these samples, as the metric declares it.
        undefined: Why there is no value; empty where there is one.
    """

    id: str
    column: str
    direction: Direction
    scale: float
    main: bool
    value: float | None
    interval: Interval | None
    options: Mapping[str, Json] = field(default_factory=dict)
    chance: Chance | None = None
    range: Range = (None, None)
    undefined: str = ""


@dataclass(frozen=True, slots=True)
class DetailRow:
    """One row beside a number. ``counts`` are such as ``n`` and ``k``."""

    key: Mapping[str, str]
    value: float | None
    low: float | None = None
    high: float | None = None
    counts: Mapping[str, float | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Detail:
    """A table beside a number, such as ``skew by attribute``.

    Attributes:
        metrics: Columns of the metrics it stands beside.
        level: Confidence level of the rows' intervals.
        method: Method of the intervals; empty when the rows have none.
    """

    name: str
    metrics: tuple[str, ...]
    level: float
    method: str
    rows: tuple[DetailRow, ...]


@dataclass(frozen=True, slots=True)
class Measure:
    """One comparison between groups, such as ``difference between groups``."""

    name: str
    value: float | None
    interval: Interval | None
    chance: Chance | None


@dataclass(frozen=True, slots=True)
class GroupComparison:
    """One metric compared over the values of one slice, as fairlearn's MetricFrame defines it.

    Attributes:
        slice: Such as ``gender``.
        metric: The metric's id.
        column: Its heading.
        machine: Whether a machine said who is in which group.
        worst: The group with the worst value.
        min_n: Groups of fewer samples are left out.
        left_out: The groups left out.
    """

    slice: str
    metric: str
    column: str
    machine: bool
    worst: str | None
    min_n: int
    left_out: tuple[str, ...]
    measures: tuple[Measure, ...]


@dataclass(frozen=True, slots=True)
class SliceValue:
    """The metrics of one slice value, such as ``gender = female``.

    Attributes:
        unparsed: Scored as wrong, and so are ``refusals``.
    """

    slice: str
    value: str
    source: str
    n: int
    clusters: int
    unparsed: int
    metrics: tuple[MetricValue, ...]
    refusals: int = 0


@dataclass(frozen=True, slots=True)
class Counts:
    """Samples asked, scored and lost.

    Attributes:
        unparsed: Scored as wrong, and so are ``refusals``.
        unlabelled: Without a right answer; they reach only metrics that need none.
        cut: Written answers that the limit of tokens ended.
        unfinished: Those of the unparsed whose reasoning never ended.
        notes: Other remarks on samples, boxes or metrics, and how often each applies.
    """

    samples: int
    scored: int
    errors: int
    unparsed: int
    refusals: int
    clusters: int
    unlabelled: int = 0
    cut: int = 0
    unfinished: int = 0
    notes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationRecord:
    """One sealed evaluation: a model on a task.

    Attributes:
        directory: Where it lies.
        model: Name in tables (the id, or as the user called it).
        model_fingerprint: Hash of everything that can change the model's numbers.
        task_fingerprint: Hash of spec, prompt, data, sample ids and metric versions.
        task_parts: The hash of each part, so that a difference can be named.
        images: Digest of the image hashes, ``None`` when the model opened none.
        marks: ``demo``, ``limited``, ``errored``, ``machine-labelled``, ``contaminated``.
        fingerprint: Hash of everything that can change the numbers; of a mean over seeds, those of
            all its evaluations with commas between.
        lineage: The fingerprint without plugins' code, by which newer evaluations supersede it.
        variant: How the task was changed, such as ``paraphrase 1``; empty when it was not.
        settings: Settings of the run that change numbers, such as ``seed``.
        code: Version and hash of each plugin whose code took part.
        model_code: Those of them that belong to the model.
        versions: Versions of the harness and of libraries.
        identity: The model's identity, from which its fingerprint is made.
        training: How its checkpoint was trained; ``None`` for a model as it came.
        method: The method at inference time, with its options; ``None`` without one.
        notes: Remarks of models and extractors on how answers were computed.
        asked_again: Whether it was set aside for a new run.
        details: Tables beside the numbers.
        comparisons: Metrics compared over groups, slice by slice.
    """

    directory: Path
    model: str
    model_fingerprint: str
    model_options: Mapping[str, Json]
    task: str
    task_title: str
    task_version: int
    task_fingerprint: str
    task_parts: Mapping[str, str]
    task_options: Mapping[str, Json]
    images: str | None
    marks: tuple[str, ...]
    counts: Counts
    metrics: tuple[MetricValue, ...]
    slices: tuple[SliceValue, ...]
    fingerprint: str
    lineage: str
    variant: str = ""
    settings: Mapping[str, Json] = field(default_factory=dict)
    code: Mapping[str, Json] = field(default_factory=dict)
    model_code: Mapping[str, Json] = field(default_factory=dict)
    versions: Mapping[str, Json] = field(default_factory=dict)
    identity: Mapping[str, Json] = field(default_factory=dict)
    training: Mapping[str, Json] | None = None
    method: Mapping[str, Json] | None = None
    notes: tuple[str, ...] = ()
    details: tuple[Detail, ...] = ()
    comparisons: tuple[GroupComparison, ...] = ()
    asked_again: bool = False

    @property
    def title(self) -> str:
        """The model with what it was trained by, how it answers, and what a run asked otherwise."""
        name = titled(self.model, self.training, self.method)
        if "human" in self.marks:
            name += " (leave one out)"
        settings = self.settings.get(ASKED)
        pairs = settings.items() if isinstance(settings, dict) else ()
        return ", ".join([name, *(f"{key}={value}" for key, value in pairs)])

    @property
    def main(self) -> MetricValue:
        """The task's headline metric."""
        return next(metric for metric in self.metrics if metric.main)


def titled(
    name: str, training: Mapping[str, Any] | None, method: Mapping[str, Any] | None = None
) -> str:
    """Return a model's name with its training and its method.

    Raises:
        KeyError, TypeError, AssertionError: the record of a training is incomplete.
    """
    if training is not None:
        recipe, data = training["recipe"], training["data"]
        assert isinstance(recipe, dict)
        assert isinstance(data, dict)
        tasks = data["tasks"]
        named = "+".join(map(str, tasks)) if isinstance(tasks, list) else ""
        name += f" + {recipe['id']} ({named}, seed {training['seed']})"
    if method is None:
        return name
    options = method.get("options")
    items = options.items() if isinstance(options, dict) else ()
    text = ", ".join(f"{key}={value}" for key, value in items)
    return f"{name} + {method['id']}" + (f" ({text})" if text else "")
