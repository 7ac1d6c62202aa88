"""Finished evaluations read again with other metrics, from the answers they keep."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from harness.descriptors import Json, parse_options
from harness.evaluation.collectors import Shared, collector_of
from harness.evaluation.collectors.frame import frame_of
from harness.evaluation.score import scored
from harness.plugins import find, plugins
from harness.runs.record import EvaluationRecord, MetricValue
from harness.runs.sample_record import read_samples
from harness.specs import MetricSpec, TaskSpec
from harness.specs.resolve import read_resolved

ERRORED = "samples that errored, which no metric counts"


@dataclass(frozen=True, slots=True)
class Rescored:
    """Metrics of an evaluation that its task did not name, and what they leave out."""

    task: str
    title: str
    model: str
    metrics: tuple[MetricValue, ...]
    notes: Mapping[str, int]
    marks: tuple[str, ...]


def rescore(
    record: EvaluationRecord,
    metrics: Sequence[str],
    options: Mapping[str, Json] | None = None,
    *,
    seed: int = 0,
) -> Rescored:
    """Return metrics of an evaluation's answers; nothing is asked or written.

    Args:
        record: A sealed evaluation.
        metrics: Ids of metrics.
        options: Their options, each to those metrics that have it. Where it is not here, a metric
            takes what the task gives the first of its own metrics that has such an option.
        seed: Seed of resampling.

    Raises:
        UserError: no such metric, an option that none of them has, or a task that it does not fit.
        DataError: the answers lack what it reads, such as log-probabilities.
    """
    spec = read_resolved(record.directory)
    shared, frame = Shared(), frame_of(spec)
    specs = [_spec_of(name, spec, options or {}) for name in metrics]
    collectors = [collector_of(one, spec, shared) for one in specs]
    notes: dict[str, int] = {}
    for line in read_samples(record.directory):
        if line.error is not None:
            notes[ERRORED] = notes.get(ERRORED, 0) + 1
            continue
        sample = scored(line, spec)
        frame.add(sample)
        for collector in collectors:
            collector.add(sample)
    values = tuple(collector.overall(frame, seed) for collector in collectors)
    for collector in collectors:  # a comparison of groups knows them once it is made
        notes |= collector.notes()
    model = ", ".join(filter(None, (record.title, record.variant)))
    return Rescored(record.task, record.task_title, model, values, notes, tuple(record.marks))


def _spec_of(name: str, task: TaskSpec, options: Mapping[str, Json]) -> MetricSpec:
    descriptor = find("metric", name, plugins().metrics())
    names = {option.name for option in descriptor.options}
    inherited: dict[str, Json] = {}
    for metric in reversed(task.metrics):
        inherited |= {key: value for key, value in metric.options.items() if key in names}
    chosen = {key: value for key, value in options.items() if key in names}
    parsed = parse_options(descriptor.options, {**inherited, **chosen}, owner=f"metric {name!r}")
    scale = 100.0 if descriptor.direction == "higher" else 1.0
    return MetricSpec(name, name, descriptor.direction, scale, main=False, options=parsed)
