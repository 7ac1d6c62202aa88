"""The evaluation record as readers see it: one sealed directory, typed.

Files of an evaluation directory::

    evaluation.json   what was asked of which model, under which settings, with which counts
    samples.jsonl     one line a sample, in plan order
    metrics.json      values, intervals, slices
    spec.yaml         the task spec as resolved
    timings.json      clocks and throughput; the only file that differs between equal runs
    seal.json         hashes of the first four
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from harness.descriptors import Json

FORMAT = 1


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval in the metric's own unit (before ``scale``).

    Attributes:
        method: Such as ``cluster bootstrap, percentile``.
        draws: Bootstrap draws; 0 for closed forms.
    """

    low: float
    high: float
    level: float
    method: str
    draws: int = 0


@dataclass(frozen=True, slots=True)
class MetricValue:
    """One metric's value; ``value`` is ``None`` when it is not defined on these samples."""

    id: str
    column: str
    direction: Literal["higher", "lower", "zero"]
    scale: float
    main: bool
    value: float | None
    interval: Interval | None
    options: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SliceValue:
    """The metrics of one slice value, such as ``gender = female``."""

    slice: str
    value: str
    source: str
    n: int
    clusters: int
    unparsed: int
    metrics: tuple[MetricValue, ...]


@dataclass(frozen=True, slots=True)
class Counts:
    """Samples asked, scored and lost.

    Attributes:
        unparsed: Scored as wrong, and so are ``refusals``.
        unlabelled: Without a right answer; they reach only metrics that need none.
    """

    samples: int
    scored: int
    errors: int
    unparsed: int
    refusals: int
    clusters: int
    unlabelled: int = 0


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
        raw: ``evaluation.json`` as read.
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
    raw: Mapping[str, Json]

    @property
    def main(self) -> MetricValue:
        """The task's headline metric."""
        return next(metric for metric in self.metrics if metric.main)
