"""What summarising keeps of the samples: clusters, strata, slices, and each metric's statistics."""

from __future__ import annotations

import zlib
from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from scipy.sparse import csr_array

from harness.metrics import AdditiveMetric, GroupMetric, RankMetric, ScoredSample
from harness.metrics.contract import GroupCounts, Label
from harness.metrics.guard import make_metric
from harness.plugins import find, plugins
from harness.samples import Group
from harness.specs import MetricSpec, TaskSpec
from harness.stats.collect import Clusters, Codes, Statistics, counted
from harness.stats.labelled import Labelled, Labels
from harness.stats.rows import Matrix


@dataclass
class Frame:
    """Where each scored sample belongs.

    Samples stand in an order that the order they came in does not change, and with it no draw of a
    bootstrap or permutation and no last digit of a sum: by cluster, then by id (hashes of both).

    Attributes:
        units: What carries a sample's label, kept only where samples share one (the spec asks
            about each of several values).
    """

    clusters: Clusters = field(default_factory=Clusters)
    units: Clusters | None = None
    _strata: dict[str, int] = field(default_factory=dict)
    _of_sample: array[int] = field(default_factory=lambda: array("i"))
    _ids: array[int] = field(default_factory=lambda: array("Q"))

    def add(self, sample: ScoredSample) -> None:
        """Add the next sample."""
        self.clusters.add(sample.cluster)
        self._ids.append(short_hash(sample.id))
        self._of_sample.append(self._strata.setdefault(sample.stratum, len(self._strata)))
        if self.units is not None:
            self.units.add(sample.source)

    @property
    def order(self) -> Codes:
        """The place of each sample as it came, in the order of everything else here."""
        return self._sorted[0]

    @property
    def codes(self) -> Codes:
        """The cluster of each sample, from 0 without gaps."""
        return self._sorted[1]

    @cached_property
    def sources(self) -> Codes:
        """The unit of each sample, from 0 without gaps."""
        if self.units is None:
            return np.arange(len(self.codes))
        return counted(self.units.codes()[self.order])

    @cached_property
    def strata(self) -> Codes | None:
        """The stratum of each cluster; ``None`` when there is one."""
        if len(self._strata) < 2:
            return None
        found = np.zeros(self.number, dtype=np.int64)
        number = {place: at for at, (_, place) in enumerate(sorted(self._strata.items()))}
        of_sample = np.asarray(self._of_sample)[self.order]
        found[self.codes[::-1]] = [number[place] for place in of_sample[::-1].tolist()]
        return found

    def ordered(self, samples: Sequence[ScoredSample]) -> list[ScoredSample]:
        """Return samples, given as they came, in the order of the others."""
        return [samples[place] for place in self.order.tolist()]

    @cached_property
    def _sorted(self) -> tuple[Codes, Codes]:
        """Order and clusters; names are forgotten, for they take as much again."""
        found = self.clusters.sorted(self._ids)
        self.clusters, self._ids = Clusters(), array("Q")
        return found

    @property
    def number(self) -> int:
        """Clusters."""
        return int(self.codes.max()) + 1 if len(self.codes) else 0


@dataclass(slots=True)
class Value:
    """One value of a slice: what stands for its label, who said so, and what is counted of it."""

    place: int
    source: str
    n: int = 0
    unparsed: int = 0
    refusals: int = 0


@dataclass(slots=True)
class SliceOf:
    """Which value each scored sample has in a slice, and what is counted of each value."""

    name: str
    labels: Labels = field(default_factory=Labels)
    values: dict[str, Value] = field(default_factory=dict)
    _before: int = 0

    def add(self, group: Group | None, problem: str) -> None:
        """Add the next sample: its value and who said so, and what was wrong with its answer."""
        if group is None:
            # Data without the slice leave nothing here but their number.
            if self.values:
                self.labels.add(())
            else:
                self._before += 1
            return
        held = self.values.get(group.value)
        if held is None:
            if not self.values:
                self.labels.add_many((), self._before)
            place = self.labels.add(((self.name, group.value),))
            held = self.values[group.value] = Value(place, group.source)
        else:
            self.labels.again(held.place)
        held.n += 1
        if problem:
            held.refusals += problem == "refusal"
            held.unparsed += problem != "refusal"

    def codes(self, frame: Frame) -> Codes:
        """Return the number of each sample's label, in the frame's order."""
        return self.labels.codes()[frame.order]

    @property
    def parts(self) -> list[Label]:
        """Everything, then each value, sorted."""
        return [(), *(((self.name, value),) for value in sorted(self.values))]

    @property
    def machine(self) -> bool:
        """Whether a machine said who is in which group."""
        return any(held.source == "machine" for held in self.values.values())


class Counted:
    """What is counted for metrics of groups that share it."""

    def __init__(self, counts: GroupCounts) -> None:
        self.counts = counts
        self._statistics = Statistics()
        self._labels = Labels()
        self._last: tuple[str, Label] = "", ()
        self._labelled: Labelled | None = None

    def add(self, sample: ScoredSample) -> None:
        """Add the next sample."""
        self._statistics.add(self.counts.statistics(sample))
        # Questions about one picture follow each other and share its label.
        if not sample.source or sample.source != self._last[0]:
            self._last = sample.source, self.counts.label(sample)
        self._labels.add(self._last[1])

    def labelled(self, frame: Frame) -> Labelled:
        """Return the statistics with labels, once all samples are in."""
        if self._labelled is None:
            rows = self._statistics.matrix(self.counts.size, frame.order)
            self._labelled = Labelled(
                _moved(rows, self.counts.columns()),
                self._labels.codes()[frame.order],
                self._labels.names,
                frame.codes,
                frame.sources,
                frame.strata,
            )
        return self._labelled


def _moved(rows: Matrix, columns: Sequence[int]) -> Matrix:
    """Return rows with their columns in another order; a matrix product would cost a sort."""
    place = np.empty(len(columns), dtype=rows.indices.dtype)
    place[list(columns)] = np.arange(len(columns))
    return csr_array((rows.data, place[rows.indices], rows.indptr), shape=rows.shape)


def short_hash(name: str) -> int:
    """Return 64 bits that tell a cluster's samples apart; two checksums are quicker than a hash."""
    data = name.encode("utf-8", "surrogatepass")
    return zlib.crc32(data) << 32 | zlib.adler32(data)


class Collector:
    """Statistics of one metric over all scored samples; a slice is a part of them.

    Attributes:
        spec: The metric as the task prints it.
        additive: The metric, when it is one of sums.
        ranks: The metric, when it is one of ranks.
        groups: The metric, when it compares groups.
        statistics: Of a metric of sums.
        counted: Of a metric of groups; shared.
    """

    def __init__(self, spec: MetricSpec, task: TaskSpec, shared: dict[object, Counted]) -> None:
        known = plugins().metrics()
        metric = make_metric(spec.id, spec.options, task.labels)
        self.spec = spec
        self.needs_target = find("metric", spec.id, known).needs_target
        self.additive: AdditiveMetric | None = None
        self.ranks: RankMetric | None = None
        self.groups: GroupMetric | None = None
        self.statistics = Statistics()
        self.counted: Counted | None = None
        self._feeds = False
        # Settled once: asking a protocol whether a metric is one costs more than its statistics.
        if isinstance(metric, RankMetric):
            self.ranks = metric
        elif isinstance(metric, GroupMetric):
            self.groups = metric
            self._feeds = metric.counts.key not in shared
            self.counted = shared.setdefault(metric.counts.key, Counted(metric.counts))
        else:
            self.additive = metric

    def add(self, sample: ScoredSample) -> None:
        """Add the next sample."""
        takes = sample.target is not None or not self.needs_target
        if self.additive is not None:
            self.statistics.add(self.additive.statistics(sample) if takes else {})
        elif self._feeds and self.counted is not None:
            self.counted.add(sample)
