"""Percentile bootstrap over clusters, and the Wilson interval of a proportion.

Clusters, not samples, are drawn: samples of one image or one person are not independent. A draw of
n clusters out of n is a multinomial over the *distinct* rows of statistics, so thousands of draws
of a metric of sums are one matrix product. Both kinds of metric see the same resampling.

The same seed gives the same interval. For metrics of sums the order of clusters does not matter
either, because distinct rows are put into one order of their own before anything is drawn.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array
from scipy.special import ndtri

from harness.metrics.contract import AdditiveMetric, Floats, RankMetric, ScoredSample
from harness.runs.record import Interval

DRAWS = 1000
LEVEL = 0.95
METHOD = "cluster bootstrap, percentile"

# Bytes that the counts of one chunk of draws may take; what a metric makes of them comes on top.
_CHUNK_BYTES = 32 * 2**20
# Clusters compared at a time: keys of all of them at once would outweigh the statistics.
_ROWS = 16_384

Estimate = tuple[float, Interval | None]


def additive_interval(
    metric: AdditiveMetric,
    cluster_totals: csr_array[Any, tuple[int, int]],
    *,
    draws: int = DRAWS,
    level: float = LEVEL,
    seed: int = 0,
) -> Estimate:
    """Return a metric of sums with its interval.

    Args:
        metric: Turns summed statistics into values.
        cluster_totals: ``(clusters, size)``: each cluster's summed statistics; empty rows count.
        draws: Bootstrap draws.
        level: Confidence level, in (0, 1).
        seed: Of the draws.

    Returns:
        The value, NaN where the metric is not defined; and the interval, ``None`` with fewer than
        two clusters or when the metric is not finite in more than half of the draws.
    """
    rows, counts = _distinct_rows(cluster_totals)
    value = float(metric.finalize(_weighted_sums(counts[np.newaxis, :], rows))[0])
    if not math.isfinite(value) or counts.sum() < 2:
        return value, None
    width = max(len(counts), metric.size)
    values = [
        metric.finalize(_weighted_sums(chunk, rows))
        for chunk in _draw(counts, draws, seed, width=width)
    ]
    return value, _percentiles(values, draws, level)


def rank_interval(  # noqa: PLR0913  the twin of additive_interval, with codes
    metric: RankMetric,
    samples: Sequence[ScoredSample],
    cluster_codes: ArrayLike,
    *,
    draws: int = DRAWS,
    level: float = LEVEL,
    seed: int = 0,
) -> Estimate:
    """Return a metric of ranks with its interval.

    Args:
        metric: Takes weights of samples.
        samples: The scored samples.
        cluster_codes: One whole number a sample; equal numbers are one cluster.
        draws: Bootstrap draws.
        level: Confidence level, in (0, 1).
        seed: Of the draws.

    Returns:
        As :func:`additive_interval`. The interval depends on the order in which codes sort.
    """
    if not samples:
        return math.nan, None
    labels, codes = np.unique(np.asarray(cluster_codes, dtype=np.int64), return_inverse=True)
    if len(codes) != len(samples):
        raise ValueError(f"{len(codes)} cluster codes for {len(samples)} samples")
    prepared = metric.prepare(samples)
    value = float(metric.value(prepared, np.ones((1, len(samples))))[0])
    if not math.isfinite(value) or len(labels) < 2:
        return value, None
    once = np.ones(len(labels), dtype=np.int64)
    values = [
        metric.value(prepared, chunk[:, codes])
        for chunk in _draw(once, draws, seed, width=2 * len(samples))
    ]
    return value, _percentiles(values, draws, level)


def wilson(successes: float, n: float, level: float = LEVEL) -> Interval | None:
    """Return the Wilson score interval of a proportion; ``None`` for no trials.

    Formula: Wilson 1927, as in Eq. 4 of Brown, Cai and DasGupta 2001.

    Args:
        successes: Number of successes, from 0 to ``n``.
        n: Number of independent trials.
        level: Confidence level, in (0, 1).
    """
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes in {n} trials")
    if n == 0:
        return None
    z = float(ndtri((1 + level) / 2))
    share, shrink = successes / n, 1 + z * z / n
    centre = (share + z * z / (2 * n)) / shrink
    half = z / shrink * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # At the ends the formula is exact but its floating-point result may miss by a rounding error.
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == n else min(1.0, centre + half)
    return Interval(low, high, level, "Wilson score")


# --- distinct rows --------------------------------------------------------------------------------


def _distinct_rows(
    totals: csr_array[Any, tuple[int, int]],
) -> tuple[csr_array[Any, tuple[int, int]], NDArray[np.int64]]:
    """Return distinct rows, in an order that depends on their content only, and their counts."""
    seen: dict[bytes, list[int]] = {}
    for start in range(0, totals.shape[0], _ROWS):
        part = _clean(totals[start : start + _ROWS])
        indices, data = part.indices.astype(np.int64), part.data
        for row, (begin, end) in enumerate(itertools.pairwise(part.indptr.tolist()), start):
            key = indices[begin:end].tobytes() + data[begin:end].tobytes()
            held = seen.setdefault(key, [row, 0])
            held[1] += 1
    ordered = [seen[key] for key in sorted(seen)]
    firsts = np.array([first for first, _ in ordered], dtype=np.int64)
    counts = np.array([count for _, count in ordered], dtype=np.int64)
    return _clean(totals[firsts]), counts


def _clean(rows: csr_array[Any, tuple[int, int]]) -> csr_array[Any, tuple[int, int]]:
    """Return rows as float64, sorted, without zeros and repeated places."""
    matrix = rows.astype(np.float64, copy=True)
    matrix.sum_duplicates()
    matrix.eliminate_zeros()
    matrix.sort_indices()
    return matrix


def _weighted_sums(weights: NDArray[Any], rows: csr_array[Any, tuple[int, int]]) -> Floats:
    sums: Floats = np.asarray(weights @ rows, dtype=np.float64)
    return sums


# --- draws ----------------------------------------------------------------------------------------


def _draw(counts: NDArray[np.int64], draws: int, seed: int, *, width: int) -> Iterator[Floats]:
    """Yield how often each distinct row is drawn, ``(chunk, distinct)``; each draw sums to n.

    Args:
        counts: How many clusters have each distinct row.
        draws: Draws in all; where chunks are cut does not change them.
        seed: Of the generator.
        width: Numbers that one draw takes at its widest; bounds the chunk.
    """
    chunk = max(1, _CHUNK_BYTES // (8 * max(width, 1)))
    one_chunk = _sampler(counts, np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed))))
    for start in range(0, draws, chunk):
        yield one_chunk(min(chunk, draws - start))


def _sampler(counts: NDArray[np.int64], random: np.random.Generator) -> Callable[[int], Floats]:
    clusters, distinct = int(counts.sum()), len(counts)
    if distinct * 8 <= clusters:
        shares = counts / clusters
        return lambda size: random.multinomial(clusters, shares, size=size).astype(np.float64)
    # Few clusters share a row: naming the drawn clusters costs less than a binomial a row.
    row_of = np.repeat(np.arange(distinct), counts)

    def named(size: int) -> Floats:
        drawn = np.empty((size, distinct))
        for one in drawn:
            one[:] = np.bincount(
                row_of[random.integers(0, clusters, size=clusters)], minlength=distinct
            )
        return drawn

    return named


def _percentiles(values: Sequence[Floats], draws: int, level: float) -> Interval | None:
    """Return the percentile interval of the draws where the metric is finite."""
    if not values:
        return None
    drawn = np.concatenate(values)
    kept = drawn[np.isfinite(drawn)]
    if 2 * len(kept) < draws:
        return None
    tail = (1 - level) / 2
    low, high = np.quantile(kept, [tail, 1 - tail])
    lost = draws - len(kept)
    method = METHOD + (f"; undefined in {lost} of {draws} draws" if lost else "")
    return Interval(float(low), float(high), level, method, len(kept))
