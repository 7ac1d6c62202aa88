"""Where each scored sample belongs: its cluster, its stratum, and the parts it counts in."""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from zlib import adler32, crc32

import numpy as np
from numpy.typing import NDArray

from harness.metrics import ScoredSample
from harness.specs import TaskSpec
from harness.stats.collect import Clusters, counted
from harness.stats.labelled import Labelled
from harness.stats.rows import Matrix
from harness.stats.types import Codes, Label


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
    _stratum_codes: array[int] = field(default_factory=lambda: array("i"))
    _ids: tuple[array[int], array[int]] = field(default_factory=lambda: (array("I"), array("I")))

    def add(self, *samples: ScoredSample) -> None:
        """Add the next samples; many at a time take a third of the time."""
        self.clusters.add(*[sample.cluster for sample in samples])
        # 64 bits tell a cluster's samples apart; two checksums are quicker than a hash.
        ids = [sample.id.encode("utf-8", "surrogatepass") for sample in samples]
        self._ids[0].extend(map(crc32, ids))
        self._ids[1].extend(map(adler32, ids))
        strata = [sample.stratum for sample in samples]
        for name in dict.fromkeys(strata):
            self._strata.setdefault(name, len(self._strata))
        self._stratum_codes.extend(map(self._strata.__getitem__, strata))
        if self.units is not None:
            self.units.add(*[sample.source for sample in samples])

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
        strata = np.zeros(self.number, dtype=np.int64)
        sorted_code = np.argsort([code for _, code in sorted(self._strata.items())])
        by_sample = sorted_code[np.asarray(self._stratum_codes)[self.order]]
        # Written backwards, so that a cluster's first sample decides where samples disagree.
        strata[self.codes[::-1]] = by_sample[::-1]
        return strata

    def ordered(self, samples: Sequence[ScoredSample]) -> list[ScoredSample]:
        """Return samples, given as they came, in the order of the others."""
        return [samples[place] for place in self.order.tolist()]

    @cached_property
    def _sorted(self) -> tuple[Codes, Codes]:
        """Order and clusters; the names are forgotten, since they would take as much again."""
        first, second = (np.asarray(checksums, dtype=np.uint64) for checksums in self._ids)
        order_and_codes = self.clusters.sorted(first << np.uint64(32) | second)
        self.clusters, self._ids = Clusters(), (array("I"), array("I"))
        return order_and_codes

    @property
    def number(self) -> int:
        """The number of clusters."""
        return int(self.codes.max()) + 1 if len(self.codes) else 0


def frame_of(spec: TaskSpec) -> Frame:
    """Return an empty frame for a task; units are kept where the spec asks about several values."""
    return Frame(units=None if spec.data.each is None else Clusters())


@dataclass(frozen=True, slots=True)
class Parts:
    """Parts of the samples that share their bootstrap draws; the first part is everything.

    Attributes:
        names: The label of each part; a sample is in every part that its own label contains.
        labels: ``(samples,)`` the number of each sample's label, in the frame's order.
        label_names: Labels by number.
        pairs: How many pairs of parts are compared, which bounds the number of draws.
    """

    names: Sequence[Label]
    labels: Codes
    label_names: Sequence[Label]
    pairs: int = 0

    def labelled(self, rows: Matrix, frame: Frame) -> Labelled:
        """Return statistics ``(samples, size)``, in the frame's order, with these labels."""
        return Labelled(
            rows, self.labels, self.label_names, frame.codes, frame.sources, frame.strata
        )

    def members(self, places: Codes) -> list[NDArray[np.intp]]:
        """Return for each part which of the samples at ``places`` are in it."""
        labels, names = self.labels[places], [set(name) for name in self.label_names]
        contains = [np.array([set(part) <= name for name in names], bool) for part in self.names]
        return [np.flatnonzero(inside[labels]) for inside in contains]


def whole(frame: Frame) -> Parts:
    """Return everything as the only part."""
    return Parts([()], np.zeros(len(frame.codes), dtype=np.int64), [()])
