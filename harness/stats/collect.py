"""Gather statistics sample by sample in little memory, then add them up per cluster."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

_DIGEST_BYTES = 16


class ClusterTotals:
    """Sums of statistics per cluster.

    A sample costs 24 bytes and 12 for each non-zero statistic: cluster names are kept as 128-bit
    digests, not as strings.

    Args:
        size: Length of the statistics vector.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._digests = bytearray()
        self._ends = array("q")
        self._positions = array("i")
        self._values = array("d")

    def __len__(self) -> int:
        """Samples added."""
        return len(self._ends)

    def add(self, cluster: str, statistics: Mapping[int, float]) -> None:
        """Add one sample's statistics to its cluster; a sample without any still counts."""
        for position, value in statistics.items():
            if not 0 <= position < self._size:
                raise IndexError(f"statistic {position} of a vector of {self._size}")
            self._positions.append(position)
            self._values.append(value)
        self._ends.append(len(self._values))
        name = cluster.encode("utf-8", "surrogatepass")
        self._digests += hashlib.blake2b(name, digest_size=_DIGEST_BYTES).digest()

    def codes(self) -> NDArray[np.int64]:
        """Return each sample's cluster as a number, counted in order of first appearance."""
        if not self._digests:
            return np.zeros(0, dtype=np.int64)
        digests = np.frombuffer(bytes(self._digests), dtype=f"V{_DIGEST_BYTES}")
        _, first, inverse = np.unique(digests, return_index=True, return_inverse=True)
        rank = np.empty(len(first), dtype=np.int64)
        rank[np.argsort(first)] = np.arange(len(first))
        return rank[inverse]

    def matrix(self) -> csr_array[Any, tuple[int, int]]:
        """Return ``(clusters, size)`` float64, clusters in order of first appearance."""
        codes = self.codes()
        ends = np.array(self._ends, dtype=np.int64)
        lengths = ends - np.concatenate([np.zeros(1, dtype=np.int64), ends[:-1]])
        rows = np.repeat(codes, lengths)
        columns = np.array(self._positions, dtype=np.int64)
        clusters = int(codes.max()) + 1 if len(codes) else 0
        matrix = csr_array(
            (np.array(self._values, dtype=np.float64), (rows, columns)),
            shape=(clusters, self._size),
        )
        matrix.sum_duplicates()
        return matrix
