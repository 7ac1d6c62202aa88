"""BCa against scipy, Student's t, bands, strata."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from scipy.sparse import csr_array

from harness.metrics.contract import Floats
from harness.stats import over_seeds
from harness.stats.bootstrap import resampled
from harness.stats.intervals import BCA, PERCENTILE, band, bca_levels
from harness.stats.rows import distinct_rows


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


def test_enough_clusters_carry_no_warning() -> None:
    rows = distinct_rows(csr_array(np.stack([skewed(30, 1), np.ones(30)], axis=1)))
    interval = resampled(mean, rows).interval()
    assert interval is not None
    assert not interval.warning


def test_the_interval_over_seeds_is_students() -> None:
    values = [0.61, 0.64, 0.60, 0.66, 0.63]
    found = over_seeds(values)
    expected = stats.t.interval(0.95, 4, np.mean(values), stats.sem(values))
    assert found is not None
    assert (found.low, found.high) == pytest.approx(expected)
    assert not found.warning
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
    assert low[3] == high[3] == 0.0
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
    found = resampled(mean, rows, draws=6000).drawn.var()
    expected = sum(values[strata == s].var() * (strata == s).sum() for s in range(3)) / 180**2
    assert found == pytest.approx(expected, rel=0.08)


def test_strata_of_one_cluster_are_joined() -> None:
    rows = distinct_rows(
        csr_array(np.arange(1.0, 9.0)[:, None]), np.array([0, 0, 0, 0, 1, 2, 3, 4])
    )
    assert rows.counts[rows.strata == 0].sum() == 4
    assert len(np.unique(rows.strata)) == 2
