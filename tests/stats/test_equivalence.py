"""Equivalence and non-inferiority against statsmodels, and false alarms by simulation."""

from __future__ import annotations

import numpy as np
import pytest
from harness_studies.comparisons import claim_of
from scipy.sparse import csr_array
from scipy.stats import false_discovery_control
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.weightstats import DescrStatsW

from harness.descriptors import Direction
from harness.errors import UserError
from harness.metrics.classes import ratio
from harness.stats.equivalence import equivalence, with_margin
from harness.stats.interval import Interval
from harness.stats.paired import Paired, corrected, paired_sums
from harness.stats.types import Floats


def paired(first: Floats, second: Floats) -> Paired:
    """Return the comparison of two accuracies, each sample a cluster."""
    ones = np.ones(len(first))
    sums = [csr_array(np.stack([right, ones], axis=1)) for right in (first, second)]
    result = paired_sums(
        lambda totals: ratio(totals[..., 0], totals[..., 1])[..., np.newaxis],
        *sums, draws=4000, swaps=50,
    )  # fmt: skip
    return result[0]


def made(difference: float, spread: float, units: int = 50, p: float = 0.5) -> Paired:
    interval = Interval(-1, 1, 0.95, "x", 1000, "", 0.001, 0.001)
    return Paired(difference, interval, p, None, None, spread, units)


def test_two_one_sided_tests_are_statsmodels_on_independent_samples() -> None:
    random = np.random.default_rng(0)
    first, second = (random.random((2, 400)) < 0.7).astype(float)
    result = equivalence(paired(first, second), 0.05, "higher")
    oracle = DescrStatsW(second - first)
    p, (_, above, _), (_, below, _) = oracle.ttost_mean(-0.05, 0.05)
    assert result.equivalent == pytest.approx(p, rel=0.1)
    assert result.no_worse == pytest.approx(above, rel=0.1)
    assert equivalence(paired(first, second), 0.05, "lower").no_worse == pytest.approx(
        below, rel=0.1
    )


def test_p_values_are_students() -> None:
    # By hand: (0.01 + 0.05) / 0.02 = 3 and (0.01 - 0.05) / 0.02 = -2, with 9 degrees of freedom.
    result = equivalence(made(0.01, 0.02, units=10), 0.05, "higher")
    assert result.no_worse == pytest.approx(0.0074780, abs=1e-6)
    assert result.equivalent == pytest.approx(0.0382764, abs=1e-6)


@pytest.mark.parametrize(
    ("item", "direction", "claim"),
    [
        (made(0.0, 0.001), "higher", "≈"),
        (made(0.02, 0.005, p=0.01), "higher", "better"),
        (made(0.02, 0.005, p=0.01), "lower", "worse"),
        (made(0.02, 0.005, p=0.01), "zero", "different"),
        (made(0.006, 0.005), "higher", "no worse"),
        (made(0.0, 0.02), "higher", "not shown"),
        (made(0.003, 0.001, p=0.01), "higher", "better, ≈"),
        (made(0.0, 0.0), "higher", "the difference does not vary over draws"),
        (Paired(None, None, None, None), "higher", "a value is undefined"),
    ],
)
def test_what_may_be_claimed(item: Paired, direction: Direction, claim: str) -> None:
    (result,) = with_margin([item], [0.01], [direction])
    assert claim_of(result, direction) == claim


def test_a_family_is_corrected_and_margins_that_say_nothing_are_named() -> None:
    family = [made(0.0, 0.004), made(0.0, 0.004)]
    alone = equivalence(family[0], 0.01, "higher").equivalent
    both = with_margin(family, [0.01, 0.01], ["higher", "higher"])
    assert alone is not None
    assert [item.equivalence and item.equivalence.equivalent for item in both] == [2 * alone] * 2
    below = equivalence(made(0.0, 0.01), 0.0005, "higher")
    assert (below.equivalent, below.why) == (
        None, "the margin is below the Monte-Carlo error of the interval"
    )  # fmt: skip
    for margin in (0.0, -1.0, float("nan"), float("inf")):
        with pytest.raises(UserError, match="not a margin"):
            equivalence(made(0.0, 0.01), margin, "higher")


def test_false_discovery_is_benjamini_and_hochberg() -> None:
    values = [0.001, 0.03, 0.012, 0.6]
    results = [item.fdr for item in corrected([made(0.1, 0.1, p=p) for p in values])]
    assert results == pytest.approx(multipletests(values, method="fdr_bh")[1])
    assert results == pytest.approx(false_discovery_control(values))


@pytest.mark.slow
def test_a_true_difference_of_the_margin_is_called_equivalent_in_five_percent() -> None:
    random = np.random.default_rng(1)
    alarms, trials, clusters = 0, 2000, 80
    for _ in range(trials):
        # Clusters of four whose differences share a deviation; the true difference is 0.1.
        shared = random.normal(size=(clusters, 1))
        sums = (0.1 + shared + random.normal(size=(clusters, 4))).sum(axis=1)
        first = csr_array(np.stack([np.zeros(clusters), np.full(clusters, 4.0)], axis=1))
        second = csr_array(np.stack([sums, np.full(clusters, 4.0)], axis=1))
        (single,) = paired_sums(
            lambda totals: ratio(totals[..., 0], totals[..., 1])[..., np.newaxis],
            first, second, draws=400, swaps=2, seed=int(random.integers(1 << 30)),
        )  # fmt: skip
        result = equivalence(single, 0.1, "lower")
        alarms += (result.no_worse or 1.0) < 0.05
    assert 0.04 <= alarms / trials <= 0.065


def test_a_margin_as_wide_as_the_range_claims_nothing() -> None:
    random = np.random.default_rng(0)
    first, second = (random.random((2, 100)) < 0.7).astype(float)
    ones = np.ones(100)
    sums = [csr_array(np.stack([right, ones], axis=1)) for right in (first, second)]
    [outcome] = paired_sums(
        lambda totals: ratio(totals[..., 0], totals[..., 1])[..., np.newaxis],
        *sums, draws=200, swaps=50, possible=(0.0, 1.0),
    )  # fmt: skip
    # Half a point, said as 0.5, is within the range of a share; 50 is beyond every difference.
    assert equivalence(outcome, 0.5, "higher").equivalent is not None
    for margin in (1.0, 50.0):
        tested = equivalence(outcome, margin, "higher")
        assert tested.equivalent is tested.no_worse is None
        [messages] = with_margin([outcome], [margin], ["higher"])
        assert claim_of(messages, "higher").endswith("the margin is as wide as the metric's range")
