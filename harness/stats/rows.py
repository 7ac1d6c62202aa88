"""Deduplicated per-cluster statistics, with bootstrap (multinomial) and jackknife weights.

Clusters, not samples, are drawn: samples of one image or one person are not independent. A draw of
n clusters out of n is a multinomial over the *distinct* rows of statistics, so thousands of draws
are one matrix product. Clusters of a stratum replace each other only.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, vstack

from harness.stats.types import Codes, Floats

Matrix: TypeAlias = "csr_array[Any, tuple[int, int]]"

# Bytes that the counts of one chunk of draws may take; what a metric makes of them comes on top.
CHUNK_BYTES = 8 * 2**20
# Clusters compared at a time: digests of all of them at once would outweigh the statistics.
ROWS = 4096
_SALTS = (np.uint64(0x9E3779B97F4A7C15), np.uint64(0xD1B54A32D192ED03))
# Up to this many bytes rows are stored densely, where that is faster.
_DENSE_BYTES = 2**29
# A stratum of at most this many clusters is drawn all at once.
_SMALL = 4096
_AT_A_TIME = 16
GROUPS = 200
"""A jackknife leaves out one cluster at a time, or one of this many groups of clusters."""


@dataclass(frozen=True)
class DistinctRows:
    """Rows of statistics that differ, in an order that depends on their content only.

    Attributes:
        rows: ``(distinct, size)``.
        counts: ``(distinct,)`` clusters with that row.
        strata: ``(distinct,)`` the stratum of each row, ascending; one row may be in several.
    """

    rows: Matrix
    counts: Codes
    strata: Codes

    @property
    def clusters(self) -> int:
        """Total number of clusters."""
        return int(self.counts.sum())

    def sums(self, weights: NDArray[Any]) -> Floats:
        """Return ``(draws, size)`` sums under weights ``(draws, distinct)`` of the rows."""
        matrix = self._quick
        if isinstance(matrix, np.ndarray):
            return np.asarray(weights @ matrix, dtype=np.float64)
        turned, exact = self._turned
        if not exact:
            return np.asarray(weights @ matrix, dtype=np.float64)
        # A few draws at a time: their weights stay in the processor's cache.
        sums = np.empty((len(weights), turned.shape[0]))
        for start in range(0, len(weights), _AT_A_TIME):
            few = slice(start, start + _AT_A_TIME)
            sums[few] = (turned @ np.ascontiguousarray(weights[few].T, dtype=np.float32)).T
        return sums

    @cached_property
    def _quick(self) -> Any:
        """The rows, stored densely where that is faster and sums of whole numbers stay exact.

        Sums of other numbers depend on the order in which a library adds them.
        """
        cells = self.rows.shape[0] * self.rows.shape[1]
        packed = 8 * self.rows.nnz > cells and 8 * cells <= _DENSE_BYTES
        integral = packed and bool((self.rows.data == np.rint(self.rows.data)).all())
        return self.rows.toarray() if integral else self.rows

    @cached_property
    def _turned(self) -> tuple[Matrix, bool]:
        """The rows transposed, in half the memory, and whether all their sums are exact so.

        Whole numbers below 2^24 are, in whatever order they are added.
        """
        data = self.rows.data
        most = self.clusters * np.abs(data).max(initial=0.0)
        if not len(data) or most >= 2**24 or (data != np.rint(data)).any():
            return self.rows, False
        return csr_array(self.rows.T.astype(np.float32)), True

    @property
    def products(self) -> int:
        """Roughly how many multiplications one draw takes, those of the metric included."""
        matrix = self._quick
        cells = matrix.size if isinstance(matrix, np.ndarray) else matrix.nnz
        return int(cells) + len(self.counts) + 10 * self.rows.shape[1]

    def draws(self, number: int, seed: int, *, width: int = 1) -> Iterator[Floats]:
        """Yield how often each row is drawn, ``(chunk, distinct)``; each draw sums to n.

        Args:
            number: Number of draws in all; the chunk size does not change them.
            seed: Seed of the generator.
            width: Numbers that one draw needs at its widest; it bounds the chunk size.
        """
        chunk = max(1, CHUNK_BYTES // (8 * max(width, len(self.counts), 1)))
        random = generator(seed)
        starts = np.flatnonzero(np.diff(self.strata, prepend=-1))
        parts = list(itertools.pairwise([*starts.tolist(), len(self.counts)]))
        if len(parts) > 1:
            # Strata take their turns within a chunk, so chunks must not depend on the width.
            chunk = max(1, CHUNK_BYTES // (8 * max(len(self.counts), 1)))
        for start in range(0, number, chunk):
            size = min(chunk, number - start)
            weights = np.empty((size, len(self.counts)))
            for first, last in parts:
                weights[:, first:last] = _drawn(self.counts[first:last], size, random)
            yield weights

    def left_out(self, seed: int = 0, groups: int = GROUPS) -> Iterator[tuple[Floats, Floats]]:
        """Yield weights of a jackknife ``(chunk, distinct)`` and how often each of them stands.

        One cluster is left out at a time; with more than ``groups`` distinct rows, one of that many
        random groups of clusters.
        """
        distinct = len(self.counts)
        if distinct <= groups:
            yield self.counts - np.eye(distinct), self.counts.astype(np.float64)
            return
        row_of = np.repeat(np.arange(distinct), self.counts)
        generator(seed).shuffle(row_of)
        chunk = max(1, CHUNK_BYTES // (8 * distinct))
        for start in range(0, groups, chunk):
            left = [
                self.counts - np.bincount(row_of[at::groups], minlength=distinct)
                for at in range(start, min(start + chunk, groups))
            ]
            yield np.stack(left).astype(np.float64), np.ones(len(left))


def distinct_rows(totals: Matrix, strata: Codes | None = None) -> DistinctRows:
    """Return the distinct rows of each stratum; strata of one cluster are joined.

    Args:
        totals: ``(clusters, size)``; empty rows count.
        strata: ``(clusters,)`` the stratum of each cluster; one stratum by default.
    """
    parts = (totals[start : start + ROWS] for start in range(0, totals.shape[0], ROWS))
    return merged_rows(parts, totals.shape, strata)


def merged_rows(
    parts: Iterable[Matrix], shape: tuple[int, int], strata: Codes | None = None
) -> DistinctRows:
    """Return the distinct rows (:func:`distinct_rows`) of totals that come in parts.

    Args:
        parts: ``(some clusters, size)`` each, one part of the clusters after the other.
        shape: Shape of all parts together, ``(clusters, size)``.
        strata: ``(clusters,)``.
    """
    joined = _joined(strata, shape[0])
    keys, matrices, start = [], [], 0
    for part in parts:
        matrix = clean(part)
        positions = np.arange(matrix.shape[0])
        groups, digests, firsts, counts = _merged(
            joined[start : start + len(positions)], _digests(matrix), positions
        )
        keys.append((groups, digests, counts))
        matrices.append(matrix[firsts])
        start += len(positions)
    if not keys:
        nothing: Matrix = csr_array(np.empty(shape))
        return DistinctRows(nothing, joined, joined)
    groups, digests, counts = (
        np.concatenate(matrix, axis=-1) for matrix in zip(*keys, strict=True)
    )
    groups, _, firsts, counts = _merged(groups, digests, np.arange(len(groups)), counts)
    rows: Matrix = vstack(matrices, format="csr")
    return DistinctRows(clean(rows[firsts]), counts, groups)


def _merged(
    strata: Codes, digests: NDArray[np.uint64], firsts: Codes, counts: Codes | None = None
) -> tuple[Codes, NDArray[np.uint64], Codes, Codes]:
    """Return rows of equal stratum and digest as one, sorted by both.

    Args:
        strata: ``(rows,)``.
        digests: ``(2, rows)``.
        firsts: ``(rows,)`` where each stands.
        counts: ``(rows,)`` how often; once by default.
    """
    order = np.lexsort((digests[1], digests[0], strata))
    strata, digests = strata[order], digests[:, order]
    changes = (strata[1:] != strata[:-1]) | (digests[:, 1:] != digests[:, :-1]).any(axis=0)
    starts = np.flatnonzero(np.concatenate([[True], changes]))
    if counts is None:
        counted = np.diff(starts, append=len(order))
    else:
        counted = np.add.reduceat(counts[order], starts)
    return strata[starts], digests[:, starts], firsts[order][starts], counted


def _digests(rows: Matrix) -> NDArray[np.uint64]:
    """Return ``(2, rows)``: 128 bits of the content of each row, that of an empty one is zero."""
    places = rows.indices.astype(np.uint64)
    bits = np.ascontiguousarray(rows.data).view(np.uint64)
    digests = np.empty((2, rows.shape[0]), dtype=np.uint64)
    for at, salt in enumerate(_SALTS):
        ends = np.concatenate([[np.uint64(0)], np.cumsum(_mixed(bits ^ _mixed(places + salt)))])
        digests[at] = ends[rows.indptr[1:]] - ends[rows.indptr[:-1]]
    return digests


def _mixed(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return bits that each depend on all of those given (Steele et al. 2014, SplitMix64)."""
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))


def _joined(strata: Codes | None, clusters: int) -> Codes:
    """Return strata from 0; those of one cluster become stratum 0 together."""
    if strata is None or not clusters:
        return np.zeros(clusters, dtype=np.int64)
    _, codes, sizes = np.unique(strata, return_inverse=True, return_counts=True)
    alone = sizes[codes] < 2
    return np.where(alone, 0, codes + 1).astype(np.int64)


def clean(rows: Matrix) -> Matrix:
    """Return rows as float64, sorted, without zeros and repeated places."""
    matrix = rows.astype(np.float64, copy=True)
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    matrix.sort_indices()
    return matrix


def generator(seed: int) -> np.random.Generator:
    """Return the generator of a seed."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed)))


def _drawn(counts: Codes, size: int, random: np.random.Generator) -> Floats:
    """Return ``(size, distinct)`` draws of as many clusters as there are."""
    clusters, distinct = int(counts.sum()), len(counts)
    if distinct == 1:
        return np.full((size, 1), float(clusters))
    if distinct * 8 <= clusters:
        return random.multinomial(clusters, counts / clusters, size=size).astype(np.float64)
    # Few clusters share a row: naming the drawn clusters costs less than a binomial a row.
    row_of = np.repeat(np.arange(distinct), counts)
    if clusters <= _SMALL:
        named = row_of[random.integers(0, clusters, size=(size, clusters))]
        places = named + distinct * np.arange(size)[:, None]
        return (
            np.bincount(places.ravel(), minlength=size * distinct).reshape(size, -1).astype(float)
        )
    drawn = np.empty((size, distinct))
    for row in drawn:
        row[:] = np.bincount(
            row_of[random.integers(0, clusters, size=clusters)], minlength=distinct
        )
    return drawn
