"""From sample records to values, intervals and slices: one stream over the journal."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from harness.descriptors import load_target, parse_options
from harness.evaluation.score import Record, scored
from harness.metrics import AdditiveMetric, RankMetric, ScoredSample
from harness.plugins import find, plugins
from harness.runs.record import Counts, Interval, MetricValue, SliceValue
from harness.specs import MetricSpec, TaskSpec
from harness.stats.bootstrap import additive_interval, rank_interval
from harness.stats.collect import ClusterTotals

DRAWS = 1000
LEVEL = 0.95


@dataclass(frozen=True, slots=True)
class Summary:
    """What a task's records come to. ``images`` is ``None`` when none was opened."""

    counts: Counts
    metrics: tuple[MetricValue, ...]
    slices: tuple[SliceValue, ...]
    images: str | None
    machine_labelled: bool

    def as_json(self) -> dict[str, Any]:
        """Return ``metrics.json``."""
        return {
            "metrics": [asdict(metric) for metric in self.metrics],
            "slices": [asdict(value) for value in self.slices],
        }


class _Collector:
    """Statistics of one metric over one set of samples."""

    def __init__(self, spec: MetricSpec, task: TaskSpec) -> None:
        descriptor = find("metric", spec.id, plugins().metrics())
        options = parse_options(descriptor.options, spec.options, owner=f"metric {descriptor.id!r}")
        self.spec = spec
        self.metric: AdditiveMetric | RankMetric = load_target(descriptor)(options, task.labels)
        self._totals: ClusterTotals | None = None
        self._samples: list[ScoredSample] = []
        if not isinstance(self.metric, RankMetric):
            self._totals = ClusterTotals(self.metric.size)

    def add(self, sample: ScoredSample) -> None:
        if self._totals is not None and not isinstance(self.metric, RankMetric):
            self._totals.add(sample.cluster, self.metric.statistics(sample))
        else:
            self._samples.append(sample)

    def value(self, seed: int) -> MetricValue:
        value: float = float("nan")
        interval: Interval | None = None
        if self._totals is not None and not isinstance(self.metric, RankMetric):
            matrix = self._totals.matrix()
            if matrix.shape[0]:
                value, interval = additive_interval(
                    self.metric, matrix, draws=DRAWS, level=LEVEL, seed=seed
                )
        elif self._samples and isinstance(self.metric, RankMetric):
            codes: dict[str, int] = {}
            clusters = np.array(
                [codes.setdefault(sample.cluster, len(codes)) for sample in self._samples],
                dtype=np.int64,
            )
            value, interval = rank_interval(
                self.metric, self._samples, clusters, draws=DRAWS, level=LEVEL, seed=seed
            )
        defined = bool(np.isfinite(value))
        return MetricValue(
            id=self.spec.id,
            column=self.spec.column,
            direction=self.spec.direction,
            scale=self.spec.scale,
            main=self.spec.main,
            value=float(value) if defined else None,
            interval=interval if defined else None,
            options=dict(self.spec.options),
        )


@dataclass(slots=True)
class _Slice:
    source: str
    collectors: list[_Collector]
    clusters: set[str] = field(default_factory=set)
    n: int = 0
    unparsed: int = 0


def summarise(spec: TaskSpec, blocks: Iterable[list[Record]], *, seed: int = 0) -> Summary:
    """Compute every metric of a task, overall and by slice.

    Samples that errored are counted and left out; unparsed answers and refusals are scored as
    wrong by the metrics and counted.
    """
    overall = [_Collector(metric, spec) for metric in spec.metrics]
    slices: dict[tuple[str, str], _Slice] = {}
    samples = errors = unparsed = refusals = 0
    clusters: set[int] = set()
    digest, any_image = hashlib.sha256(), False
    for record in _each(blocks):
        samples += 1
        for image in record["images"]:
            any_image = True
            digest.update(image["sha256"].encode())
        if record["error"] is not None:
            errors += 1
            continue
        unparsed += record["problem"] == "unparsed"
        refusals += record["problem"] == "refusal"
        clusters.add(hash(record["cluster"]))
        sample = scored(record, spec)
        for collector in overall:
            collector.add(sample)
        _add_to_slices(slices, spec, record, sample)
    return Summary(
        Counts(samples, samples - errors, errors, unparsed, refusals, len(clusters)),
        tuple(collector.value(seed) for collector in overall),
        tuple(
            SliceValue(
                slice=name,
                value=value,
                source=held.source,
                n=held.n,
                clusters=len(held.clusters),
                unparsed=held.unparsed,
                metrics=tuple(collector.value(seed) for collector in held.collectors),
            )
            for (name, value), held in sorted(slices.items())
        ),
        digest.hexdigest() if any_image else None,
        any(held.source == "machine" for held in slices.values()),
    )


def _add_to_slices(
    slices: dict[tuple[str, str], _Slice], spec: TaskSpec, record: Record, sample: ScoredSample
) -> None:
    for name in spec.slices:
        pair = record["groups"].get(name)
        if pair is None:
            continue
        key = (name, pair[0])
        if key not in slices:
            slices[key] = _Slice(pair[1], [_Collector(metric, spec) for metric in spec.metrics])
        held = slices[key]
        held.n += 1
        held.clusters.add(sample.cluster)
        held.unparsed += record["problem"] != ""
        for collector in held.collectors:
            collector.add(sample)


def _each(blocks: Iterable[list[Record]]) -> Iterator[Record]:
    for block in blocks:
        yield from block
