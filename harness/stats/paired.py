"""Paired comparison of two evaluations: difference, interval, p value, detectable difference.

The reference test swaps the two evaluations cluster by cluster (a permutation test of paired,
clustered data); all draws of a metric of sums are one matrix product.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.sparse import hstack
from scipy.special import ndtri

from harness.stats.bootstrap import cluster_rows, ranks_resampled, resampled
from harness.stats.interval import Interval, Range
from harness.stats.intervals import LEVEL, Resampled, of_difference
from harness.stats.rows import CHUNK_BYTES, DistinctRows, Matrix, distinct_rows, generator
from harness.stats.types import Codes, Floats

SWAPS = 2000
POWER = 0.8


@dataclass(frozen=True, slots=True)
class Equivalence:
    """What a margin tells of a difference (:mod:`harness.stats.equivalence`).

    Attributes:
        margin: The largest difference that does not matter.
        equivalent: p value of two one-sided tests that the difference lies within the margin.
        no_worse: p value of the test that the second is not worse by more than the margin.
        why: Why there is no p value; empty where there is.
    """

    margin: float
    equivalent: float | None = None
    no_worse: float | None = None
    why: str = ""


@dataclass(frozen=True, slots=True)
class Paired:
    """The difference between two evaluations of the same samples, second minus first.

    Attributes:
        p: p value of the two-sided cluster permutation test; ``None`` when nothing is defined.
        corrected: p value after Holm's correction over its family of tests; ``None`` before it.
        detectable: The least difference that this many clusters show at this level with power 80 %:
            ``(z(1 - alpha/2) + z(power))`` standard errors of the difference.
        spread: Standard error of the difference, over draws of clusters or over seeds.
        units: Number of the clusters or seeds.
        fdr: p value corrected for the false discovery rate of its family of tests.
        equivalence: What a margin tells, where one was named.
        largest: The largest difference within the metric's range; ``None`` where it has no ends.
    """

    difference: float | None
    interval: Interval | None
    p: float | None
    detectable: float | None
    corrected: float | None = None
    spread: float | None = None
    units: int = 0
    fdr: float | None = None
    equivalence: Equivalence | None = None
    largest: float | None = None


def paired_sums(  # noqa: PLR0913  two evaluations and the settings of a test
    finalize: Callable[[Floats], Floats],
    first: Matrix,
    second: Matrix,
    *,
    strata: Codes | None = None,
    draws: int | None = None,
    swaps: int = SWAPS,
    seed: int = 0,
    possible: Range = (None, None),
) -> list[Paired]:
    """Compare two evaluations by a metric of sums.

    Args:
        finalize: ``(draws, size)`` totals to ``(draws, numbers)``; each number is compared.
        first: ``(clusters, size)`` sums of one evaluation.
        second: ``(clusters, size)`` sums of the other.
        strata: ``(clusters,)``.
        draws: Bootstrap draws of the interval; as many as are cheap by default.
        swaps: Draws of the permutation test.
        seed: Seed of the bootstrap and of the permutations.
        possible: Between which values the metric lies.
    """
    size = first.shape[1]
    # Side by side, so that one draw takes a cluster of both evaluations: differences are paired.
    stacked: Matrix = hstack([first, second], format="csr")
    rows = distinct_rows(stacked, strata)

    def difference(totals: Floats) -> Floats:
        return finalize(totals[:, size:]) - finalize(totals[:, :size])

    difference_drawn = resampled(difference, rows, draws=draws, seed=seed)
    swapped = [difference(totals) for totals in _swapped(rows, size, swaps, seed)]
    return _paired(difference_drawn, np.concatenate(swapped), possible)


def paired_ranks(  # noqa: PLR0913  two evaluations and the settings of a test
    value: Callable[[Floats], Floats],
    codes: Codes,
    *,
    strata: Codes | None = None,
    draws: int | None = None,
    swaps: int = SWAPS,
    seed: int = 0,
    possible: Range = (None, None),
) -> list[Paired]:
    """Compare two evaluations by a metric of ranks.

    Args:
        value: ``(draws, 2 n)`` weights, of the first evaluation's samples and then of the
            second's, to ``(draws, numbers)``.
        codes: ``(n,)`` the cluster of each sample, from 0 without gaps.
        strata: ``(clusters,)``.
        draws: Bootstrap draws of the interval; as many as are cheap by default.
        swaps: Draws of the permutation test.
        seed: Seed of the bootstrap and of the permutations.
        possible: Between which values the metric lies.
    """
    n = len(codes)
    clusters = int(codes.max()) + 1 if n else 0

    def difference(weights: Floats, away: Floats) -> Floats:
        """``away`` is 1 where a sample's answers are swapped."""
        none = np.hstack([weights * (1 - away), weights * away])
        return value(np.roll(none, n, axis=1)) - value(none)

    difference_drawn = ranks_resampled(
        lambda weights: difference(weights, np.zeros_like(weights)),
        codes, cluster_rows(clusters, strata), draws=draws, seed=seed,
    )  # fmt: skip
    random = generator(seed)
    chunk = max(1, CHUNK_BYTES // (32 * max(n, 1)))
    swapped = []
    for start in range(0, swaps, chunk):
        away = random.integers(0, 2, size=(min(chunk, swaps - start), clusters)).astype(float)
        swapped.append(difference(np.ones((len(away), n)), away[:, codes]))
    return _paired(difference_drawn, np.concatenate(swapped), possible)


def _swapped(rows: DistinctRows, size: int, swaps: int, seed: int) -> Sequence[Floats]:
    """Return chunks of ``(draws, 2 size)`` totals with clusters swapped at random."""
    random = generator(seed)
    once = rows.counts.astype(np.float64)
    chunk = max(1, CHUNK_BYTES // (8 * max(len(once), 2 * size)))
    differences = []
    for start in range(0, swaps, chunk):
        shape = (min(chunk, swaps - start), len(once))
        # Of clusters with equal rows only the number that is swapped matters: one binomial a row.
        away = random.binomial(rows.counts, 0.5, size=shape).astype(np.float64)
        stay, gone = rows.sums(once - away), rows.sums(away)
        differences.append(stay + np.hstack([gone[:, size:], gone[:, :size]]))
    return differences


def _paired(resampled_value: Resampled, swapped: Floats, possible: Range) -> list[Paired]:
    ends = of_difference(possible)
    return [
        _one(resampled_value.at(position), swapped[:, position], ends)
        for position in range(len(resampled_value.value))
    ]


def _one(resampled_value: Resampled, swapped: Floats, possible: Range) -> Paired:
    value = float(resampled_value.value)
    if not math.isfinite(value):
        return Paired(None, None, None, None)
    finite = swapped[np.isfinite(swapped)]
    # Equal sums may differ in their last bits.
    far = np.abs(finite) >= abs(value) - 1e-12 * max(1.0, abs(value))
    drawn = resampled_value.drawn[np.isfinite(resampled_value.drawn)]
    spread = float(np.std(drawn, ddof=1)) if len(drawn) > 1 else math.nan
    reach = float(ndtri((1 + LEVEL) / 2) + ndtri(POWER))
    interval = resampled_value.interval()
    return Paired(
        difference=value,
        interval=interval and interval.within(possible),
        # The evaluations as they are count as one swap, so that p is never 0 (Phipson, Smyth 2010).
        p=float((1 + far.sum()) / (1 + len(finite))),
        detectable=reach * spread if spread > 0 and resampled_value.clusters > 1 else None,
        spread=spread if spread > 0 else None,
        units=resampled_value.clusters,
        largest=possible[1],
    )


def mcnemar(gained: int, lost: int) -> float:
    """Return the exact two-sided p value of McNemar's test: ``gained`` of those that changed.

    For plain binary answers of independent samples (McNemar 1947; exact binomial form).
    """
    from scipy.stats import binomtest  # its import costs more than a small run computes

    return float(binomtest(gained, gained + lost, 0.5).pvalue) if gained + lost else 1.0


def holm(values: Sequence[float]) -> list[float]:
    """Return p values corrected for their number (Holm 1979)."""
    order = np.argsort(values, kind="stable")
    raised = np.asarray(values, dtype=np.float64)[order] * np.arange(len(values), 0, -1)
    adjusted = np.empty(len(values))
    adjusted[order] = np.minimum(np.maximum.accumulate(raised), 1.0)
    return [float(value) for value in adjusted]


def corrected(family: Sequence[Paired]) -> list[Paired]:
    """Return comparisons with p values corrected over their family, where they have one.

    Holm's method keeps the probability of any false claim at 5 %, Benjamini and Hochberg's (1995)
    the expected share of false claims.
    """
    from scipy.stats import false_discovery_control

    values = [one.p for one in family if one.p is not None]
    pairs = iter(zip(holm(values), false_discovery_control(values) if values else [], strict=True))

    def with_both(result: Paired) -> Paired:
        strict, lenient = next(pairs)
        return replace(result, corrected=strict, fdr=float(lenient))

    return [one if one.p is None else with_both(one) for one in family]
