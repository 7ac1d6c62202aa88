"""Bootstrap over clusters, for metrics of sums and metrics of ranks.

The same seed gives the same draws. For metrics of sums the order of clusters does not matter
either, because distinct rows are put into one order of their own before anything is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.sparse import csr_array

from harness.metrics.contract import AdditiveMetric, Floats, RankMetric, ScoredSample
from harness.runs.record import Interval
from harness.stats.intervals import DRAWS, LEVEL, Resampled, wilson
from harness.stats.rows import Codes, DistinctRows, Matrix, distinct_rows

Estimate = tuple[float, Interval | None]


def additive_interval(  # noqa: PLR0913  the settings of a bootstrap
    metric: AdditiveMetric,
    cluster_totals: Matrix,
    *,
    strata: Codes | None = None,
    draws: int = DRAWS,
    level: float = LEVEL,
    seed: int = 0,
) -> Estimate:
    """Return a metric of sums with its interval.

    Args:
        metric: Turns summed statistics into values.
        cluster_totals: ``(clusters, size)``: each cluster's summed statistics; empty rows count.
        strata: ``(clusters,)``; clusters are drawn within their stratum.
        draws: Bootstrap draws.
        level: Confidence level, in (0, 1).
        seed: Of the draws.

    Returns:
        The value, NaN where the metric is not defined; and the interval: Wilson's for a plain
        proportion of independent samples, else BCa or percentile (:class:`Resampled`).
    """
    rows = distinct_rows(cluster_totals, strata)
    once = rows.counts[np.newaxis, :].astype(np.float64)
    totals = rows.sums(once)
    value = float(metric.finalize(totals)[0])
    if not math.isfinite(value) or rows.clusters < 2:
        return value, None
    if getattr(metric, "proportion", False) and plain(rows, totals[0]):
        return value, wilson(float(totals[0, 0]), float(totals[0, 1]), level)
    return value, resampled(metric.finalize, rows, draws=draws, seed=seed).interval(level)


def plain(rows: DistinctRows, totals: Floats) -> bool:
    """Whether successes at 0 over trials at 1 are of independent trials: one each cluster."""
    trials = rows.rows[:, [1]].toarray()[:, 0]
    whole = float(totals[0]).is_integer()
    return whole and bool(np.isin(trials, (0.0, 1.0)).all()) and len(np.unique(rows.strata)) == 1


def resampled(
    finalize: Callable[[Floats], Floats],
    rows: DistinctRows,
    *,
    draws: int = DRAWS,
    seed: int = 0,
    jackknife: bool = True,
) -> Resampled:
    """Return what ``finalize`` makes of the data, of bootstrap draws and of a jackknife.

    Args:
        finalize: ``(rows, size)`` totals to ``(rows, ...)`` values.
        rows: Of the clusters.
        draws: Bootstrap draws; all draws share one resampling, so values go together.
        seed: Of the draws.
        jackknife: Whether to leave out parts, which BCa needs.
    """
    once = rows.counts[np.newaxis, :].astype(np.float64)
    width = rows.rows.shape[1]
    jackknife = jackknife and rows.clusters > 1
    return _gathered(
        finalize(rows.sums(once))[0],
        [finalize(rows.sums(chunk)) for chunk in rows.draws(draws, seed, width=width)],
        [(finalize(rows.sums(chunk)), repeats) for chunk, repeats in rows.left_out()]
        if jackknife
        else [],
        rows.clusters,
    )


def rank_interval(  # noqa: PLR0913  the twin of additive_interval, with codes
    metric: RankMetric,
    samples: Sequence[ScoredSample],
    cluster_codes: ArrayLike,
    *,
    strata: Codes | None = None,
    draws: int = DRAWS,
    level: float = LEVEL,
    seed: int = 0,
) -> Estimate:
    """Return a metric of ranks with its interval.

    Args:
        metric: Takes weights of samples.
        samples: The scored samples.
        cluster_codes: One whole number a sample; equal numbers are one cluster.
        strata: ``(clusters,)`` in the order in which codes sort.
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
    found = ranks_resampled(
        lambda weights: metric.value(prepared, weights),
        codes,
        cluster_rows(len(labels), strata),
        draws=draws,
        seed=seed,
    )
    return float(found.value), found.interval(level)


def cluster_rows(clusters: int, strata: Codes | None = None) -> DistinctRows:
    """Return clusters as rows of their own: sums of them are the clusters' weights."""
    places = np.arange(clusters)
    held = csr_array((np.ones(clusters), (places, places)), shape=(clusters, clusters))
    return distinct_rows(held, strata)


def ranks_resampled(
    value: Callable[[Floats], Floats],
    codes: Codes,
    rows: DistinctRows,
    *,
    draws: int = DRAWS,
    seed: int = 0,
) -> Resampled:
    """Return a metric of ranks in the data, in bootstrap draws and in a jackknife.

    Args:
        value: ``(draws, samples)`` weights to ``(draws, ...)`` values.
        codes: The cluster of each sample, from 0 without gaps.
        rows: Clusters as rows (:func:`cluster_rows`).
        draws: Bootstrap draws.
        seed: Of the draws.
    """
    chunks = rows.draws(draws, seed, width=2 * len(codes))
    return _gathered(
        value(np.ones((1, len(codes))))[0],
        [value(rows.sums(chunk)[:, codes]) for chunk in chunks],
        [(value(rows.sums(chunk)[:, codes]), repeats) for chunk, repeats in rows.left_out()]
        if rows.clusters > 1
        else [],
        rows.clusters,
    )


def _gathered(
    value: Floats, drawn: list[Floats], left: list[tuple[Floats, Floats]], clusters: int
) -> Resampled:
    empty = np.empty((0, *np.shape(value)))
    return Resampled(
        np.asarray(value),
        np.concatenate(drawn) if drawn else empty,
        np.concatenate([values for values, _ in left]) if left else empty,
        np.concatenate([repeats for _, repeats in left]) if left else np.empty(0),
        clusters,
    )
