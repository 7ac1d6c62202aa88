"""BCa against scipy, Student's t, bands, strata."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats
from scipy.sparse import csr_array

from harness.stats.bootstrap import resampled
from harness.stats.interval import Interval
from harness.stats.intervals import (
    BCA,
    DRAWS,
    FEWEST,
    NO_WIDTH,
    PERCENTILE,
    RANK_DRAWS,
    Resampled,
    around,
    band,
    banded,
    bands_at,
    bca_levels,
    enough,
    enough_of_ranks,
    of_difference,
    over_seeds,
)
from harness.stats.rows import distinct_rows
from harness.stats.types import Floats


def mean(totals: Floats) -> Floats:
    return np.asarray(totals[:, 0] / totals[:, 1])


def skewed(n: int, seed: int) -> Floats:
    return np.random.default_rng(seed).lognormal(0, 1, n)


def test_bca_is_that_of_scipy() -> None:
    values = skewed(60, 0)
    rows = distinct_rows(csr_array(np.stack([values, np.ones(60)], axis=1)))
    interval = resampled(mean, rows, draws=20_000).interval()
    expected = stats.bootstrap(
        (values,), np.mean, n_resamples=20_000, method="BCa", rng=np.random.default_rng(1)
    ).confidence_interval
    assert interval is not None
    assert interval.method == BCA
    width = expected.high - expected.low
    assert interval.low == pytest.approx(expected.low, abs=0.03 * width)
    assert interval.high == pytest.approx(expected.high, abs=0.03 * width)


def test_groups_of_clusters_give_nearly_the_same_acceleration() -> None:
    values = skewed(900, 3)
    rows = distinct_rows(csr_array(np.stack([values, np.ones(900)], axis=1)))
    drawn = resampled(mean, rows, draws=2000)
    assert len(drawn.left) == 200
    alone = (values.sum() - values) / 899
    tails = (0.025, 0.975)
    every = bca_levels(float(values.mean()), drawn.drawn, alone, np.ones(900), tails)
    groups = bca_levels(float(values.mean()), drawn.drawn, drawn.left, drawn.repeats, tails)
    assert every is not None
    assert groups == pytest.approx(every, abs=0.006)


def test_draws_equal_to_the_value_count_one_half() -> None:
    drawn = np.repeat([0.4, 0.5, 0.6], (20, 60, 120))
    symmetric = np.array([0.4, 0.6])  # no acceleration
    result = bca_levels(0.5, drawn, symmetric, np.ones(2), (0.025, 0.975))
    lean = stats.norm.ppf((20 + 60 / 2) / 200)
    expected = stats.norm.cdf(2 * lean + stats.norm.ppf([0.025, 0.975]))
    assert result is None  # the lower level is below what 200 draws show
    result = bca_levels(0.5, np.repeat(drawn, 100), symmetric, np.ones(2), (0.025, 0.975))
    assert result == pytest.approx(tuple(np.asarray(expected).tolist()))


def test_bca_is_left_to_percentiles_where_it_does_not_hold() -> None:
    drawn = np.linspace(0, 1, 101)
    tails, ones = (0.025, 0.975), np.ones(3)
    assert bca_levels(2.0, drawn, np.array([1.0, 2.0, 3.0]), ones, tails) is None
    assert bca_levels(0.5, drawn, np.array([1.0, np.nan, 3.0]), ones, tails) is None
    assert bca_levels(0.5, drawn, ones, ones, tails) is None
    few = distinct_rows(csr_array(np.stack([skewed(8, 1), np.ones(8)], axis=1)))
    interval = resampled(mean, few).interval()
    assert interval is not None
    assert interval.method == PERCENTILE
    assert interval.warning == "only 8 clusters: the interval may be too short"


def test_each_cluster_is_left_out_once() -> None:
    for clusters in (40, 900):
        rows = distinct_rows(csr_array(np.arange(1.0, clusters + 1)[:, None]))
        left = [(weights, repeats) for weights, repeats in rows.left_out()]
        gone = sum(repeats @ (rows.counts - weights) for weights, repeats in left)
        assert np.asarray(gone).tolist() == [1.0] * clusters


@pytest.mark.parametrize(("clusters", "method"), [(9, PERCENTILE), (10, BCA)])
def test_bca_needs_ten_clusters(clusters: int, method: str) -> None:
    rows = distinct_rows(csr_array(np.stack([skewed(clusters, 2), np.ones(clusters)], axis=1)))
    interval = resampled(mean, rows, draws=500).interval()
    assert interval is not None
    assert interval.method == method


def test_a_number_in_half_of_the_draws_has_an_interval_and_in_fewer_none() -> None:
    drawn = np.concatenate([np.linspace(0, 1, 50), np.full(50, np.nan)])
    half = Resampled(np.asarray(0.5), drawn, np.empty(0), np.empty(0), 40)
    assert half.interval() is not None
    assert replace(half, drawn=drawn[1:]).interval() is None


def test_enough_clusters_carry_no_warning() -> None:
    rows = distinct_rows(csr_array(np.stack([skewed(30, 1), np.ones(30)], axis=1)))
    interval = resampled(mean, rows).interval()
    assert interval is not None
    assert not interval.warning


def test_the_interval_over_seeds_is_students() -> None:
    values = [0.61, 0.64, 0.60, 0.66, 0.63]
    result = over_seeds(values)
    expected = stats.t.interval(0.95, 4, np.mean(values), stats.sem(values))
    assert result is not None
    assert (result.low, result.high) == pytest.approx(expected)
    assert not result.warning
    three = over_seeds(values[:3])
    assert three is not None
    assert three.warning == "only 3 seeds"
    assert over_seeds([0.5]) is None


def test_a_band_is_as_wide_as_its_draws_say() -> None:
    random = np.random.default_rng(0)
    drawn = random.normal(0, (1.0, 10.0), size=(40_000, 2))
    low, high = band(np.zeros(2), drawn)
    # Two independent normals at once: the root of 95 % for each.
    reach = stats.norm.ppf((1 + math.sqrt(0.95)) / 2)
    assert high == pytest.approx([reach, 10 * reach], rel=0.02)
    assert low == pytest.approx(-high)


def test_a_band_leaves_out_what_is_undefined_or_never_varies() -> None:
    drawn = np.random.default_rng(0).normal(size=(500, 4))
    drawn[:, 1], drawn[::2, 2], drawn[:400, 3] = 7.0, np.nan, np.nan
    low, high = band(np.array([np.nan, 7.0, 0.0, 0.0]), drawn)
    assert np.isnan(low[0])
    assert (low[1], high[1]) == (7.0, 7.0)
    assert low[2] == high[2] == low[3] == high[3] == 0.0
    only = band(np.zeros(1), drawn[:, :1])
    assert only[0][0] < 0 < only[1][0]


def test_clusters_of_a_stratum_replace_each_other_only() -> None:
    strata = np.repeat([0, 1], 40)
    values = np.stack([strata * 1.0, np.ones(80)], axis=1)
    within = resampled(mean, distinct_rows(csr_array(values), strata), draws=300)
    assert (within.drawn == 0.5).all()
    across = resampled(mean, distinct_rows(csr_array(values)), draws=300)
    assert across.drawn.std() > 0.03


@pytest.mark.parametrize("distinct", [2, 40])
def test_stratified_draws_have_the_variance_of_their_strata(distinct: int) -> None:
    random = np.random.default_rng(5)
    strata = np.repeat([0, 1, 2], (40, 60, 80))
    values = random.integers(0, distinct, 180) + 5.0 * strata
    rows = distinct_rows(csr_array(np.stack([values, np.ones(180)], axis=1)), strata)
    assert rows.clusters == 180
    result = resampled(mean, rows, draws=6000).drawn.var()
    expected = sum(values[strata == s].var() * (strata == s).sum() for s in range(3)) / 180**2
    assert result == pytest.approx(expected, rel=0.08)


def test_strata_of_one_cluster_are_joined() -> None:
    rows = distinct_rows(
        csr_array(np.arange(1.0, 9.0)[:, None]), np.array([0, 0, 0, 0, 1, 2, 3, 4])
    )
    assert rows.counts[rows.strata == 0].sum() == 4
    assert len(np.unique(rows.strata)) == 2


@pytest.mark.parametrize(
    ("clusters", "method"), [(60, BCA), (9, PERCENTILE)], ids=["BCa", "percentile"]
)
def test_the_error_of_an_end_is_how_far_it_moves_with_the_seed(clusters: int, method: str) -> None:
    rows = distinct_rows(csr_array(np.stack([skewed(clusters, 7), np.ones(clusters)], axis=1)))
    results = [resampled(mean, rows, draws=1000, seed=seed).interval() for seed in range(150)]
    assert all(item is not None and item.method == method for item in results)
    lows, highs, low_errors, high_errors = np.array(
        [
            (item.low, item.high, item.low_error, item.high_error)
            for item in results
            if item is not None
        ]
    ).T
    assert low_errors.mean() == pytest.approx(lows.std(), rel=0.2)
    assert high_errors.mean() == pytest.approx(highs.std(), rel=0.2)


def test_the_error_of_a_band_is_how_far_it_moves_with_the_seed() -> None:
    highs, errors = [], []
    for seed in range(200):
        drawn = np.random.default_rng(seed).normal(size=(1000, 5))
        ends, inner, outer = (
            (float(low.min()), float(high.max()))
            for low, high in bands_at(np.zeros(5), drawn, (0.95, *around(1000)))
        )
        result = banded(ends, inner, outer, 1000, 100)
        assert result.high_error is not None
        highs.append(result.high)
        errors.append(result.high_error)
    assert np.mean(errors) == pytest.approx(np.std(highs), rel=0.35)


def test_an_interval_without_width_says_so() -> None:
    rows = distinct_rows(csr_array(np.tile([1.0, 2.0], (40, 1))))
    interval = resampled(mean, rows, draws=50).interval()
    assert interval is not None
    assert (interval.low, interval.high, interval.warning) == (0.5, 0.5, NO_WIDTH)
    few = resampled(mean, distinct_rows(csr_array(np.ones((3, 2)))), draws=50).interval()
    assert few is not None
    assert few.warning == f"only 3 clusters: the interval may be too short; {NO_WIDTH}"
    assert banded((0.2, 0.2), (0.2, 0.2), (0.2, 0.2), 10, 40).warning == NO_WIDTH
    sixth = (1 / 6, 1 / 6 + 3e-17)  # sums of the same numbers in another order
    assert banded(sixth, sixth, sixth, 10, 40).warning == NO_WIDTH
    seeds = over_seeds([0.5] * 5)
    assert seeds is not None
    assert seeds.warning.startswith("all seeds give the same value")


def test_an_interval_is_cut_to_what_is_possible() -> None:
    content = Interval(-0.1, 1.2, 0.95, BCA, 100, "", 0.01, 0.02)
    assert content.within((0.0, 1.0)) == Interval(0.0, 1.0, 0.95, BCA, 100, "", 0.0, 0.0)
    assert content.within((None, 1.0)) == Interval(-0.1, 1.0, 0.95, BCA, 100, "", 0.01, 0.0)
    assert content.within((None, None)) is content
    assert content.within(None) is content
    assert Interval(0.2, 1.5, 0.95, "Wilson").within((0.0, 1.0)).high_error is None
    assert of_difference((0.0, 1.4)) == (-1.4, 1.4)
    assert of_difference((0.0, None)) == (None, None)


def test_draws_are_many_where_they_are_cheap_and_never_few() -> None:
    assert enough() == enough(5000) == DRAWS
    assert enough(10**12) == enough(numbers=10**9) == FEWEST
    assert enough(10_000) == 5000
    assert enough(numbers=200) == 5000
    assert enough_of_ranks(10) == RANK_DRAWS
    assert enough_of_ranks(400) == 2500
    assert enough_of_ranks(10**6) == FEWEST
