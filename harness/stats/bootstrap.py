"""Bootstrap over clusters, for metrics of sums and metrics of ranks.

The same seed gives the same draws. For metrics of sums the order of clusters does not matter
either, because distinct rows are put into one order of their own before anything is drawn.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import csr_array

from harness.stats.interval import Interval, Range
from harness.stats.intervals import (
    LEVEL,
    WILSON_CLUSTERS,
    Resampled,
    enough,
    enough_of_ranks,
    wilson,
)
from harness.stats.rows import CHUNK_BYTES, DistinctRows, Matrix, distinct_rows
from harness.stats.types import Codes, Floats

Estimate = tuple[float, Interval | None]
Units = tuple[NDArray[np.intp], Floats]
"""``(units,)``: the position of one sample of each unit, and 1 where the unit is right, else 0."""


def sums_interval(  # noqa: PLR0913  the settings of a bootstrap
    finalize: Callable[[Floats], Floats],
    cluster_totals: Matrix,
    *,
    proportion: bool = False,
    possible: Range = (None, None),
    strata: Codes | None = None,
    draws: int | None = None,
    level: float = LEVEL,
    seed: int = 0,
) -> Estimate:
    """Return a metric of sums with its interval.

    Args:
        finalize: ``(rows, size)`` summed statistics to ``(rows,)`` values.
        cluster_totals: ``(clusters, size)``: each cluster's summed statistics; empty rows count.
        proportion: Whether the value is successes at 0 over trials at 1.
        possible: The range of the metric.
        strata: ``(clusters,)``; clusters are drawn within their stratum.
        draws: Number of bootstrap draws; as many as are cheap by default (:func:`enough`).
        level: Confidence level, in (0, 1).
        seed: Seed of the draws.

    Returns:
        The value, NaN where the metric is not defined; and the interval, within its range: Wilson's
        for a proportion (:func:`of_proportion`), else BCa or percentile (:class:`Resampled`).
    """
    rows = distinct_rows(cluster_totals, strata)
    once = rows.counts[np.newaxis, :].astype(np.float64)
    value = float(finalize(rows.sums(once))[0])
    if not math.isfinite(value) or rows.clusters < 2:
        return value, None
    # Wilson's interval first: near 0 and 1 the bootstrap of a proportion is too short.
    interval = of_proportion(rows, level) if proportion else None
    if interval is None:
        interval = resampled(finalize, rows, draws=draws, seed=seed).interval(level)
    return value, None if interval is None else interval.within(possible)


def of_proportion(rows: DistinctRows, level: float = LEVEL) -> Interval | None:
    """Return Wilson's interval of successes at 0 over trials at 1; ``None`` where it has none.

    It applies where trials are independent: one per cluster, one stratum, each a success or not.
    Where all trials end alike, drawing clusters shows no variation: each cluster then counts as one
    trial, the least information that it can carry.
    """
    pairs = rows.rows[:, [0, 1]].toarray()
    right, trials = pairs[:, 0], pairs[:, 1]
    if bool(np.isin(pairs, (0.0, 1.0)).all()) and len(np.unique(rows.strata)) == 1:
        totals = rows.counts @ pairs
        return wilson(float(totals[0]), float(totals[1]), level)
    with_trials = trials > 0  # a cluster without a trial carries no information
    clusters = int(rows.counts[with_trials].sum())
    for ends, successes in ((right == 0, 0), (right == trials, clusters)):
        if clusters > 1 and bool(ends[with_trials].all()):
            return wilson(successes, clusters, level, method=WILSON_CLUSTERS)
    return None


def resampled(  # noqa: PLR0913  the settings of a bootstrap
    finalize: Callable[[Floats], Floats],
    rows: DistinctRows,
    *,
    draws: int | None = None,
    seed: int = 0,
    jackknife: bool = True,
    numbers: int = 0,
) -> Resampled:
    """Apply ``finalize`` to the data, to bootstrap draws and to a jackknife.

    Args:
        finalize: ``(rows, size)`` totals to ``(rows, ...)`` values.
        rows: Distinct rows of the clusters' totals.
        draws: Number of bootstrap draws; all values of a draw share one resampling.
        seed: Seed of the draws.
        jackknife: Whether to leave out parts, which BCa needs.
        numbers: How many numbers are computed from each draw.
    """
    once = rows.counts[np.newaxis, :].astype(np.float64)
    width = rows.rows.shape[1]
    jackknife = jackknife and rows.clusters > 1
    value = finalize(rows.sums(once))[0]
    # A draw's cost is known beforehand, so the number of draws depends on no clock.
    if draws is None:
        draws = enough(rows.products, max(numbers, np.size(value)))
    return _gathered(
        value,
        [
            finalize(rows.sums(weights))
            for chunk in rows.draws(draws, seed, width=width)
            for weights in narrow(chunk, width)
        ],
        [(finalize(rows.sums(chunk)), repeats) for chunk, repeats in rows.left_out()]
        if jackknife
        else [],
        rows.clusters,
    )


def narrow(chunk: Floats, width: int) -> Iterator[Floats]:
    """Yield a chunk of draws in pieces whose totals stay small; no number depends on them.

    Args:
        chunk: ``(draws, rows)``.
        width: Numbers that one draw takes.
    """
    # The totals of a piece (float64) may take eight times what its weights do.
    step = max(1, 8 * CHUNK_BYTES // (8 * max(1, width)))
    for start in range(0, len(chunk), step):
        yield chunk[start : start + step]


def ranks_interval(  # noqa: PLR0913  as sums_interval, with codes
    value: Callable[[Floats], Floats],
    cluster_codes: ArrayLike,
    *,
    units: Units | None = None,
    possible: Range = (None, None),
    strata: Codes | None = None,
    draws: int | None = None,
    level: float = LEVEL,
    seed: int = 0,
) -> Estimate:
    """Return a metric of ranks with its interval.

    Args:
        value: ``(draws, samples)`` weights of the samples to ``(draws,)`` values.
        cluster_codes: A whole number for each sample; equal numbers are one cluster.
        units: For a share of units that are right, where one sample of each unit stands, and 1
            where the unit is right, else 0.
        possible: The range of the metric.
        strata: ``(clusters,)`` in the order in which codes sort.
        draws: Number of bootstrap draws; as many as are cheap by default (:func:`enough`).
        level: Confidence level, in (0, 1).
        seed: Seed of the draws.

    Returns:
        As :func:`sums_interval`; Wilson's where there are units. The interval depends on the order
        in which codes sort.
    """
    labels, codes = np.unique(np.asarray(cluster_codes, dtype=np.int64), return_inverse=True)
    if not len(codes):
        return math.nan, None
    wilsons = None if units is None else of_units(units, codes, strata, level)
    if wilsons is not None:
        point = float(value(np.ones((1, len(codes))))[0])
        return point, wilsons if len(labels) > 1 else None
    resampled_value = ranks_resampled(
        value, codes, cluster_rows(len(labels), strata), draws=draws, seed=seed
    )
    interval = resampled_value.interval(level)
    return float(resampled_value.value), interval and interval.within(possible)


def of_units(
    units: Units, codes: Codes, strata: Codes | None, level: float = LEVEL
) -> Interval | None:
    """Return Wilson's interval of a share of units (:func:`of_proportion`).

    Args:
        units: ``(units,)``: position of one sample of each, and 1 where it is right, else 0.
        codes: ``(samples,)`` the cluster of each, from 0 without gaps.
        strata: ``(clusters,)`` or ``None``.
        level: Confidence level, in (0, 1).
    """
    places, right = units
    if not len(places):
        return None
    sums = np.zeros((int(codes.max()) + 1, 2))
    np.add.at(sums, codes[places], np.stack([right, np.ones(len(places))], axis=1))
    return of_proportion(distinct_rows(csr_array(sums), strata), level)


def cluster_rows(clusters: int, strata: Codes | None = None) -> DistinctRows:
    """Return each cluster as a row of its own; weighted sums of them are clusters' weights."""
    places = np.arange(clusters)
    identity = csr_array((np.ones(clusters), (places, places)), shape=(clusters, clusters))
    return distinct_rows(identity, strata)


def ranks_resampled(  # noqa: PLR0913  as resampled, with codes
    value: Callable[[Floats], Floats],
    codes: Codes,
    rows: DistinctRows,
    *,
    draws: int | None = None,
    seed: int = 0,
    numbers: int = 0,
) -> Resampled:
    """Return a metric of ranks in the data, in bootstrap draws and in a jackknife.

    Args:
        value: ``(draws, samples)`` weights to ``(draws, ...)`` values.
        codes: The cluster of each sample, from 0 without gaps.
        rows: Clusters as rows (:func:`cluster_rows`).
        draws: Bootstrap draws; as many as are cheap by default (:func:`enough_of_ranks`).
        seed: Seed of the draws.
        numbers: How many numbers are computed from each draw.
    """
    values = value(np.ones((1, len(codes))))[0]
    if draws is None:
        draws = enough_of_ranks(max(len(codes), numbers))
    if rows.clusters < 2:  # a single cluster does not vary, and has no interval
        draws = 0
    chunks = rows.draws(draws, seed, width=2 * len(codes))
    return _gathered(
        values,
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
