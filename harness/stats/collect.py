"""Collects statistics sample by sample in little memory, then sums them per cluster."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from harness.stats.types import Codes

_DIGEST_BYTES = 16
SHARED = 16384
"""A new row of statistics is compared with at most this many earlier distinct rows."""


class Clusters:
    """The cluster of each sample in 4 bytes, and 16 for each run of samples of one cluster.

    Names are kept as 128-bit digests.
    """

    def __init__(self) -> None:
        self._digests = bytearray()
        self._last: str | None = None
        self._runs = array("i")
        self._run = -1

    def add(self, *names: str) -> None:
        """Add the clusters of the next samples."""
        for name, run in groupby(names):  # samples of a cluster mostly follow each other
            if name != self._last:
                self._last, self._run = name, self._run + 1
                encoded = name.encode("utf-8", "surrogatepass")
                self._digests += hashlib.blake2b(encoded, digest_size=_DIGEST_BYTES).digest()
            self._runs.extend(array("i", (self._run,)) * len(list(run)))

    def codes(self) -> Codes:
        """Return each sample's cluster as a number, counted in order of first appearance."""
        if not self._digests:
            return np.zeros(0, dtype=np.int64)
        halves = self._halves()
        order = np.lexsort((halves[:, 0], halves[:, 1]))
        codes: Codes = _first_come(order, _starts(halves, order))[np.asarray(self._runs)]
        return codes

    def sorted(self, ids: Sequence[int] | NDArray[np.uint64]) -> tuple[Codes, Codes]:
        """Return positions and clusters of samples in an order independent of how they came.

        Args:
            ids: A hash of each sample's id.

        Returns:
            ``(samples,)`` places, by the digest of the cluster and then by id; and ``(samples,)``
            clusters in that order, from 0 without gaps.
        """
        halves = self._halves()
        order = np.lexsort((halves[:, 0], halves[:, 1]))
        of_run = np.empty(len(order), dtype=np.int64)
        of_run[order] = np.cumsum(_starts(halves, order)) - 1
        clusters = of_run[np.asarray(self._runs, dtype=np.int64)]
        # One key of both sorts six times faster than two; equal keys are left to two.
        hashes, bits = np.asarray(ids, dtype=np.uint64), int(clusters.max(initial=0)).bit_length()
        keys = clusters.astype(np.uint64) << np.uint64(64 - bits) | hashes >> np.uint64(bits)
        order = np.argsort(keys)
        if bits == 0 or (keys[order][1:] == keys[order][:-1]).any():
            order = np.lexsort((hashes, clusters))
        return order, clusters[order]

    def _halves(self) -> NDArray[np.uint64]:
        return np.frombuffer(self._digests, dtype=np.uint64).reshape(-1, 2)


def _starts(halves: NDArray[np.uint64], order: NDArray[np.intp]) -> NDArray[np.bool_]:
    """Return whether each digest in an order is another than the one before."""
    starts = np.ones(len(order), dtype=bool)
    for half in (0, 1):
        column = halves[order, half]
        same = column[1:] == column[:-1]
        starts[1:] = ~same if half == 0 else starts[1:] | ~same
    return starts


def counted(codes: Codes) -> Codes:
    """Return codes of some samples counted anew from 0, in order of first appearance."""
    if not len(codes):
        return codes
    order = np.argsort(codes, kind="stable")
    starts = np.ones(len(order), dtype=bool)
    sorted_codes = codes[order]
    starts[1:] = sorted_codes[1:] != sorted_codes[:-1]
    return _first_come(order, starts)


def _first_come(order: NDArray[np.intp], starts: NDArray[np.bool_]) -> Codes:
    """Return codes of samples sorted stably by cluster, given where each cluster starts."""
    first = order[starts]
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    codes = np.empty(len(order), dtype=np.int64)
    codes[order] = np.repeat(rank, np.diff(np.append(np.flatnonzero(starts), len(order))))
    return codes


class Statistics:
    """One metric's statistics per sample: four bytes each, plus each distinct row once.

    After :data:`SHARED` distinct rows, further rows are stored one by one: 16 bytes each, and 12
    for each statistic.
    """

    def __init__(self) -> None:
        self._known: dict[tuple[tuple[int, float], ...], int] = {}
        self._coded = array("i")
        self._row_of = array("i")
        self._ends = array("i", [0])
        self._positions = array("i")
        self._values = array("d")

    def add(self, statistics: Mapping[int, float]) -> None:
        """Add the next sample's statistics; one without any still counts."""
        key = tuple(statistics.items())
        row = self._known.get(key)
        if row is None:
            row = len(self._ends) - 1
            if len(self._known) < SHARED:
                self._known[key] = row
            self._positions.extend(statistics)
            self._values.extend(statistics.values())
            self._ends.append(len(self._values))
        self._row_of.append(row)

    def add_coded(self, codes: Codes, distinct: Sequence[Mapping[int, float]]) -> None:
        """Add the next samples, ``(samples,)`` places of theirs in a list that only grows."""
        for statistics in distinct[len(self._coded) :]:
            self.add(statistics)
            self._coded.append(self._row_of.pop())
        self._row_of.frombytes(np.asarray(self._coded)[codes].tobytes())

    def matrix(
        self, size: int, order: NDArray[np.intp] | None = None
    ) -> csr_array[Any, tuple[int, int]]:
        """Return ``(samples, size)`` float64 of the samples at ``order``; of all by default."""
        # Views, not copies: a copy would double the memory of a million samples.
        places = np.asarray(self._positions)
        wrong = places[(places < 0) | (places >= size)]
        if len(wrong):
            raise IndexError(f"statistic {wrong[0]} of a vector of {size}")
        rows = csr_array(
            (np.asarray(self._values), places, np.asarray(self._ends)),
            shape=(len(self._ends) - 1, size),
        )
        row_of = np.asarray(self._row_of)
        return rows[row_of if order is None else row_of[order]]

    def totals(
        self, size: int, codes: Codes, members: NDArray[np.intp] | None = None
    ) -> csr_array[Any, tuple[int, int]]:
        """Return ``(clusters, size)`` float64 sums of samples at ``members``, with their codes."""
        return sums_by(codes, self.matrix(size, members))


def sums_by(codes: Codes, rows: csr_array[Any, tuple[int, int]]) -> csr_array[Any, tuple[int, int]]:
    """Return ``(codes, size)`` sums of the rows that have each code, from 0 without gaps."""
    number = int(codes.max()) + 1 if len(codes) else 0
    if number == len(codes) and (codes[1:] > codes[:-1]).all():
        return rows  # each has a code of its own, in order
    ends = np.concatenate([[0], np.cumsum(np.bincount(codes, minlength=number))])
    order = np.argsort(codes, kind="stable")
    adder = csr_array(
        (np.ones(len(order)), order.astype(np.int32), ends.astype(np.int32)),
        shape=(number, len(order)),
    )
    sums: csr_array[Any, tuple[int, int]] = adder @ rows
    return sums
