"""Distances between two sets of features: FID from running moments, KID with an interval."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import stdtrit

Matrix = np.ndarray[Any, np.dtype[np.float64]]
_ROWS = 1024  # of a kernel matrix at once
FEWEST_FOR_FID = 1000


class Moments:
    """Mean and covariance of features that come in batches; memory is that of one covariance."""

    def __init__(self) -> None:
        self.count = 0
        self._mean = np.empty(0)
        self._scatter = np.empty((0, 0))

    def add(self, features: Matrix) -> None:
        """Count a batch (N, D) float64 (Chan, Golub and LeVeque 1983, Eq. 2.1)."""
        n = len(features)
        mean = features.mean(axis=0)
        centred = features - mean
        scatter = centred.T @ centred
        if not self.count:
            self.count, self._mean, self._scatter = n, mean, scatter
            return
        shift, total = mean - self._mean, self.count + n
        self._scatter += scatter + np.outer(shift, shift) * (self.count * n / total)
        self._mean = self._mean + shift * (n / total)
        self.count = total

    @property
    def mean(self) -> Matrix:
        """The mean, (D,)."""
        return self._mean

    @property
    def covariance(self) -> Matrix:
        """The unbiased covariance, (D, D)."""
        return self._scatter / (self.count - 1)


def fewest_for_fid(features: int) -> int:
    """Return how many images FID needs on each side: below it a covariance has no full rank."""
    return max(FEWEST_FOR_FID, features + 1)


def frechet(first: Moments, other: Moments) -> float:
    """Return FID, Eq. 6 of Heusel et al. 2017.

    The trace of the root of ``A B`` is that of the root of ``sqrt(A) B sqrt(A)``, which is
    symmetric: no complex numbers, and nothing to add to a singular product.
    """
    a, b = first.covariance, other.covariance
    values, vectors = np.linalg.eigh(a)
    root = (vectors * np.sqrt(np.maximum(values, 0))) @ vectors.T
    middle = np.linalg.eigvalsh(root @ b @ root)
    trace = float(np.sqrt(np.maximum(middle, 0)).sum())
    shift = first.mean - other.mean
    return float(shift @ shift + np.trace(a) + np.trace(b) - 2 * trace)


@dataclass(frozen=True, slots=True)
class Kid:
    """Squared maximum mean discrepancy, unbiased (Binkowski et al. 2018).

    Attributes:
        low: Lower end of the interval at 95 %: jackknife over clusters, Student's t.
        high: Upper end.
    """

    value: float
    low: float
    high: float


def kid(x: Matrix, y: Matrix, clusters: Sequence[Hashable] | None = None) -> Kid:
    """Return KID with the kernel ``(x y / D + 1)^3``, over all pairs.

    Args:
        x: Features (N, D), N at least 3.
        y: Features of the reference (M, D), M at least 3.
        clusters: What each row of ``x`` was made with; rows of one are left out together.
    """
    n, m = len(x), len(y)
    labels = np.arange(n) if clusters is None else _coded(clusters)
    a, b, c_rows, c_columns = _row_sums(x), _row_sums(y), np.zeros(n), np.zeros(m)
    for start, block in _blocks(x, y):
        c_rows[start : start + len(block)] = block.sum(axis=1)
        c_columns += block.sum(axis=0)
    total_a, total_b, total_c = a.sum(), b.sum(), c_rows.sum()

    def statistic(aa: Any, bb: Any, cc: Any, n: Any, m: Any) -> Any:
        return aa / (n * (n - 1)) + bb / (m * (m - 1)) - 2 * cc / (n * m)

    sizes = np.bincount(labels)
    within = _within(x, labels, len(sizes))
    left = n - sizes
    if len(sizes) < 3 or (left < 2).any():
        value = float(statistic(total_a, total_b, total_c, n, m))
        return Kid(value, math.nan, math.nan)
    without_x = statistic(
        total_a - 2 * np.bincount(labels, a) + within,
        total_b,
        total_c - np.bincount(labels, c_rows),
        left,
        m,
    )
    without_y = statistic(total_a, total_b - 2 * b, total_c - c_columns, n, m - 1)
    variance = sum(
        (len(each) - 1) / len(each) * float(((each - each.mean()) ** 2).sum())
        for each in (without_x, without_y)
    )
    value = float(statistic(total_a, total_b, total_c, n, m))
    half = float(stdtrit(min(len(sizes), m) - 1, 0.975)) * math.sqrt(variance)
    return Kid(value, value - half, value + half)


def _coded(clusters: Sequence[Hashable]) -> Any:
    codes: dict[Hashable, int] = {}
    return np.array([codes.setdefault(each, len(codes)) for each in clusters])


def _kernel(x: Matrix, y: Matrix) -> Matrix:
    kernel: Matrix = (x @ y.T / x.shape[1] + 1) ** 3
    return kernel


def _blocks(x: Matrix, y: Matrix) -> Iterator[tuple[int, Matrix]]:
    for start in range(0, len(x), _ROWS):
        yield start, _kernel(x[start : start + _ROWS], y)


def _row_sums(x: Matrix) -> Matrix:
    """Return for each row the sum of its kernels with all others."""
    sums = np.concatenate([block.sum(axis=1) for _, block in _blocks(x, x)])
    others: Matrix = sums - ((x * x).sum(axis=1) / x.shape[1] + 1) ** 3
    return others


def _within(x: Matrix, labels: Any, count: int) -> Matrix:
    """Return for each cluster the sum of kernels over its ordered pairs."""
    order = np.argsort(labels, kind="stable")
    ends = np.cumsum(np.bincount(labels, minlength=count))
    sums = np.zeros(count)
    for cluster, (end, size) in enumerate(zip(ends, np.bincount(labels), strict=True)):
        if size > 1:
            sums[cluster] = _row_sums(x[order[end - size : end]]).sum()
    return sums
