"""From sample records to values, intervals and slices: one stream over the journal."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.evaluation.score import Record, scored
from harness.metrics import AdditiveMetric, RankMetric, ScoredSample
from harness.plugins import find, make, plugins
from harness.runs.record import Counts, Interval, MetricValue, SliceValue
from harness.specs import MetricSpec, TaskSpec
from harness.stats.bootstrap import additive_interval, rank_interval
from harness.stats.collect import Clusters, Codes, Statistics, counted

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
    """Statistics of one metric over all scored samples; a slice is a part of them."""

    def __init__(self, spec: MetricSpec, task: TaskSpec) -> None:
        known = plugins().metrics()
        metric: AdditiveMetric | RankMetric = make(
            "metric", spec.id, known, spec.options, task.labels
        )
        self._needs_target = find("metric", spec.id, known).needs_target
        self._spec = spec
        # Settled once: asking a protocol whether a metric is one costs more than its statistics.
        self._additive: tuple[AdditiveMetric, Statistics] | None = None
        self.ranks: RankMetric | None = None
        if isinstance(metric, RankMetric):
            self.ranks = metric
        else:
            self._additive = metric, Statistics(metric.size)

    def add(self, sample: ScoredSample) -> None:
        if self._additive is not None:
            metric, statistics = self._additive
            takes = sample.target is not None or not self._needs_target
            statistics.add(metric.statistics(sample) if takes else {})

    def value(self, part: _Part, kept: Sequence[ScoredSample], seed: int) -> MetricValue:
        value: float = float("nan")
        interval: Interval | None = None
        if not len(part.codes):
            pass
        elif self._additive is not None:
            metric, statistics = self._additive
            totals = statistics.totals(part.codes, part.members)
            value, interval = additive_interval(metric, totals, draws=DRAWS, level=LEVEL, seed=seed)
        elif self.ranks is not None:
            members = range(len(kept)) if part.members is None else part.members
            takes = [
                at
                for at, place in enumerate(members)
                if kept[place].target is not None or not self._needs_target
            ]
            samples = [kept[members[at]] for at in takes]
            value, interval = rank_interval(
                self.ranks, samples, part.codes[takes], draws=DRAWS, level=LEVEL, seed=seed
            )
        defined = bool(np.isfinite(value))
        return MetricValue(
            id=self._spec.id,
            column=self._spec.column,
            direction=self._spec.direction,
            scale=self._spec.scale,
            main=self._spec.main,
            value=float(value) if defined else None,
            interval=interval if defined else None,
            options=dict(self._spec.options),
        )


@dataclass(frozen=True, slots=True)
class _Part:
    """Some of the scored samples: their places, ``None`` for all, and their clusters' codes."""

    codes: Codes
    members: NDArray[np.intp] | None = None

    @property
    def clusters(self) -> int:
        return int(self.codes.max()) + 1 if len(self.codes) else 0


@dataclass(slots=True)
class _SliceValue:
    """One value of a slice; its number is its place in ``_Slice.values``."""

    number: int
    source: str
    n: int = 0
    unparsed: int = 0


@dataclass(slots=True)
class _Slice:
    """Which value each scored sample has in a slice: a number, -1 for none."""

    numbers: array[int] = field(default_factory=lambda: array("i"))
    values: dict[str, _SliceValue] = field(default_factory=dict)

    def add(self, pair: Sequence[str] | None, *, parsed: bool) -> None:
        if pair is None:
            self.numbers.append(-1)
            return
        held = self.values.get(pair[0])
        if held is None:
            held = self.values[pair[0]] = _SliceValue(len(self.values), pair[1])
        self.numbers.append(held.number)
        held.n += 1
        held.unparsed += not parsed


def summarise(spec: TaskSpec, blocks: Iterable[list[Record]], *, seed: int = 0) -> Summary:
    """Compute every metric of a task, overall and by slice.

    Samples that errored are counted and left out; unparsed answers and refusals are scored as
    wrong by the metrics and counted.
    """
    collectors = [_Collector(metric, spec) for metric in spec.metrics]
    keeps = any(collector.ranks is not None for collector in collectors)
    kept: list[ScoredSample] = []
    slices = {name: _Slice() for name in spec.slices}
    samples = errors = unparsed = refusals = unlabelled = 0
    clusters = Clusters()
    digest, any_image = hashlib.sha256(), False
    for record in _each(blocks):
        samples += 1
        for image in record["images"]:
            any_image = True
            digest.update(image["sha256"].encode())
        if record["error"] is not None:
            errors += 1
            continue
        problem = record["problem"]
        unparsed += problem == "unparsed"
        refusals += problem == "refusal"
        unlabelled += record["target"] is None
        clusters.add(record["cluster"])
        sample = scored(record, spec)
        for collector in collectors:
            collector.add(sample)
        for name, held in slices.items():
            held.add(record["groups"].get(name), parsed=problem == "")
        if keeps:
            kept.append(sample)
    whole = _Part(clusters.codes())
    del clusters
    return Summary(
        Counts(samples, samples - errors, errors, unparsed, refusals, whole.clusters, unlabelled),
        tuple(collector.value(whole, kept, seed) for collector in collectors),
        tuple(_by_slice(slices, whole, collectors, kept, seed)),
        digest.hexdigest() if any_image else None,
        any(
            value.source == "machine" for held in slices.values() for value in held.values.values()
        ),
    )


def _by_slice(
    slices: dict[str, _Slice],
    whole: _Part,
    collectors: Sequence[_Collector],
    kept: Sequence[ScoredSample],
    seed: int,
) -> Iterator[SliceValue]:
    for name, held in sorted(slices.items()):
        numbers = np.asarray(held.numbers)
        for value, said in sorted(held.values.items()):
            members = np.flatnonzero(numbers == said.number)
            part = _Part(counted(whole.codes[members]), members)
            yield SliceValue(
                slice=name,
                value=value,
                source=said.source,
                n=said.n,
                clusters=part.clusters,
                unparsed=said.unparsed,
                metrics=tuple(collector.value(part, kept, seed) for collector in collectors),
            )


def _each(blocks: Iterable[list[Record]]) -> Iterator[Record]:
    for block in blocks:
        yield from block
