"""From sample records to values, intervals, slices and comparisons: one stream over the journal."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from harness.evaluation.collectors import Collector, Counted, Frame, SliceOf
from harness.evaluation.group_metrics import Compared
from harness.evaluation.intervals import by_slice, overall
from harness.evaluation.score import scored
from harness.metrics import ScoredSample
from harness.metrics.contract import TellsNotes
from harness.runs.record import Counts, Detail, GroupComparison, MetricValue, SliceValue
from harness.runs.sample_record import SampleRecord
from harness.specs import TaskSpec
from harness.stats.collect import Clusters


@dataclass(frozen=True, slots=True)
class Summary:
    """What a task's records come to. ``images`` is ``None`` when none was opened."""

    counts: Counts
    metrics: tuple[MetricValue, ...]
    slices: tuple[SliceValue, ...]
    images: str | None
    machine_labelled: bool
    details: tuple[Detail, ...] = ()
    comparisons: tuple[GroupComparison, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """Return ``metrics.json``."""
        return {
            "metrics": [asdict(metric) for metric in self.metrics],
            "slices": [asdict(value) for value in self.slices],
            "details": [asdict(table) for table in self.details],
            "comparisons": [asdict(comparison) for comparison in self.comparisons],
        }


def summarise(spec: TaskSpec, blocks: Iterable[list[SampleRecord]], *, seed: int = 0) -> Summary:
    """Compute every metric of a task, overall, by slice and compared over slices.

    Samples that errored are counted and left out; unparsed answers and refusals are scored as
    wrong by the metrics and counted.
    """
    shared: dict[object, Counted] = {}
    collectors = [Collector(metric, spec, shared) for metric in spec.metrics]
    keeps = any(collector.ranks is not None for collector in collectors)
    kept: list[ScoredSample] = []
    alike: dict[object, Mapping[str, str]] = {}
    slices = [SliceOf(name) for name in sorted(spec.slices)]
    frame = Frame(units=None if spec.data.each is None else Clusters())
    samples = errors = unparsed = refusals = unlabelled = cut = unfinished = 0
    notes: dict[str, int] = {}
    digest, any_image = hashlib.sha256(), False
    for record in _each(blocks):
        samples += 1
        for image in record.images:
            any_image = True
            digest.update(image.sha256.encode())
        for what, times in record.notes.items():
            notes[what] = notes.get(what, 0) + times
        if record.error is not None:
            errors += 1
            continue
        problem = record.problem
        unparsed += problem == "unparsed"
        refusals += problem == "refusal"
        unlabelled += record.target is None
        if record.written is not None:
            cut += record.written.finish == "length"
            unfinished += bool(record.written.unfinished)
        sample = scored(record, spec)
        frame.add(sample)
        for collector in collectors:
            collector.add(sample)
        for held in slices:
            held.add(record.groups.get(held.name), problem)
        if keeps:
            kept.append(_slim(sample, alike))
    compared = Compared(frame, seed)
    values = tuple(
        overall(collector, frame, kept, seed)
        if collector.groups is None
        else compared.value(collector)
        for collector in collectors
    )
    for collector in collectors:
        metric: object = collector.ranks
        if isinstance(metric, TellsNotes):
            notes |= metric.notes([one for one in kept if one.target is not None])
    found = [by_slice(held, collectors, frame, kept, seed) for held in slices]
    return Summary(
        Counts(
            samples,
            samples - errors,
            errors,
            unparsed,
            refusals,
            frame.number,
            unlabelled,
            cut,
            unfinished,
            notes,
        ),
        values,
        tuple(value for listed, _ in found for value in listed),
        digest.hexdigest() if any_image else None,
        any(held.machine for held in slices),
        tuple(compared.details()),
        tuple(comparison for _, listed in found for comparison in listed),
    )


def _slim(sample: ScoredSample, alike: dict[object, Mapping[str, str]]) -> ScoredSample:
    """Return what a metric of ranks may read; samples of the same groups share them."""
    groups = sample.groups or {}
    held = alike.setdefault(tuple(groups.items()), groups)
    return replace(sample, stratum="", source="", groups=held)


def _each(blocks: Iterable[list[SampleRecord]]) -> Iterator[SampleRecord]:
    for block in blocks:
        yield from block
