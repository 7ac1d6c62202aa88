"""Paired tests against statsmodels and scipy."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import ArrayLike
from scipy import stats
from scipy.sparse import csr_array
from statsmodels.stats.contingency_tables import mcnemar as other_mcnemar
from statsmodels.stats.multitest import multipletests

from harness.stats import paired as paired_module
from harness.stats import rows
from harness.stats.paired import corrected, holm, mcnemar, paired_ranks, paired_sums
from harness.stats.types import Floats


def rate(totals: Floats) -> Floats:
    return np.asarray(totals[:, :1] / totals[:, 1:2])


def sums(right: ArrayLike, sizes: ArrayLike) -> csr_array:
    return csr_array(np.stack([np.asarray(right), np.asarray(sizes)], axis=1).astype(float))


@given(st.integers(0, 60), st.integers(0, 60))
@settings(deadline=None)
def test_mcnemar_is_that_of_statsmodels(gained: int, lost: int) -> None:
    if gained + lost:
        expected = other_mcnemar([[5, gained], [lost, 5]], exact=True).pvalue
        assert mcnemar(gained, lost) == pytest.approx(min(1.0, expected))
    else:
        assert mcnemar(0, 0) == 1.0


@pytest.fixture(scope="module")
def no_collection() -> Iterator[None]:
    """Keep statsmodels from collecting the garbage of the whole process at every call."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gc.collect", lambda *_: 0)
        yield


@pytest.mark.usefixtures("no_collection")
@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
@settings(deadline=None, max_examples=40)
def test_holm_is_that_of_statsmodels(values: list[float]) -> None:
    assert holm(values) == pytest.approx(multipletests(values, method="holm")[1].tolist())


def test_nothing_to_correct() -> None:
    assert holm([]) == []


def test_the_permutation_test_is_that_of_scipy() -> None:
    random = np.random.default_rng(0)
    sizes = random.integers(1, 6, 40)
    first, second = random.binomial(sizes, 0.5), random.binomial(sizes, 0.65)
    (result,) = paired_sums(rate, sums(first, sizes), sums(second, sizes), swaps=20_000)

    def statistic(a: Floats, b: Floats) -> float:
        return float((a.sum() - b.sum()) / sizes.sum())

    expected = stats.permutation_test(
        (second, first), statistic, permutation_type="samples", vectorized=False,
        n_resamples=8000, rng=np.random.default_rng(1),
    )  # fmt: skip
    assert result.difference == pytest.approx(expected.statistic)
    assert result.p == pytest.approx(expected.pvalue, abs=0.015)


def test_the_interval_and_the_detectable_difference_follow_the_standard_error() -> None:
    random = np.random.default_rng(3)
    ones = np.ones(2000)
    first, second = random.random(2000), random.random(2000)
    (result,) = paired_sums(rate, sums(first, ones), sums(second, ones), draws=4000)
    error = float(np.std(second - first, ddof=1) / np.sqrt(2000))
    assert result.interval is not None
    assert result.interval.high - result.interval.low == pytest.approx(2 * 1.96 * error, rel=0.06)
    assert result.detectable == pytest.approx((1.959964 + 0.841621) * error, rel=0.04)


def test_equal_evaluations_do_not_differ() -> None:
    content = sums(np.arange(20) % 2, np.ones(20))
    (result,) = paired_sums(rate, content, content)
    assert (result.difference, result.p, result.detectable) == (0.0, 1.0, None)


def test_a_metric_that_is_not_defined_has_no_test() -> None:
    content = csr_array(np.zeros((3, 2)))
    with np.errstate(invalid="ignore"):
        (result,) = paired_sums(rate, content, content)
    assert (result.difference, result.interval, result.p) == (None, None, None)
    assert corrected([result]) == [result]


def test_a_metric_of_ranks_is_compared_by_the_same_test() -> None:
    random = np.random.default_rng(4)
    n = 60
    first, second = (random.random(n) < share for share in (0.4, 0.65))
    values = np.concatenate([first, second]).astype(float)
    codes = np.arange(n) // 2

    def value(weights: Floats) -> Floats:
        axi: Floats = (weights @ values / weights.sum(axis=1))[:, None]
        return axi

    (ranks,) = paired_ranks(value, codes, swaps=8000)
    by_cluster = [np.bincount(codes, weights=content) for content in (first, second)]
    two = np.full(n // 2, 2.0)
    (plain,) = paired_sums(rate, *(sums(content, two) for content in by_cluster), swaps=8000)
    assert ranks.difference == pytest.approx(plain.difference)
    assert ranks.p == pytest.approx(plain.p, abs=0.02)
    assert ranks.interval is not None
    assert plain.interval is not None
    assert ranks.interval.low == pytest.approx(plain.interval.low, abs=0.03)


def means(weights: Floats, values: Floats) -> Floats:
    axi: Floats = (weights @ values / weights.sum(axis=1))[:, None]
    return axi


@pytest.mark.parametrize("chunk", [rows.CHUNK_BYTES, 2000], ids=["one chunk", "several"])
@pytest.mark.parametrize("swaps", [1, 37, 250])
def test_every_swap_asked_for_is_made_and_no_other(
    chunk: int, swaps: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(paired_module, "CHUNK_BYTES", chunk)
    # All clusters gain: no random swap reaches the difference, so p counts the swaps.
    ones, n = np.ones(60), 60
    (result,) = paired_sums(
        rate, sums(np.zeros(n), ones), sums(np.arange(n) / n + 1, ones), swaps=swaps, draws=10
    )
    assert result.p == 1 / (1 + swaps)
    values = np.concatenate([np.zeros(n), np.ones(n)])
    (ranks,) = paired_ranks(
        lambda weights: means(weights, values), np.arange(n), swaps=swaps, draws=10
    )
    assert ranks.p == 1 / (1 + swaps)


def test_there_are_as_many_swaps_as_the_page_says() -> None:
    page = Path(__file__).parents[2] / "docs" / "explanation" / "statistics.md"
    assert f"({paired_module.SWAPS:,} swaps)" in page.read_text(encoding="utf-8")


def test_where_swaps_are_cut_into_chunks_changes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    random = np.random.default_rng(6)
    n = 60
    sizes = random.integers(1, 6, n)
    first, second = random.binomial(sizes, 0.5), random.binomial(sizes, 0.55)
    values = random.random(2 * n)

    def both() -> list[float | None]:
        of_sums = paired_sums(rate, sums(first, sizes), sums(second, sizes), draws=10, swaps=500)
        of_ranks = paired_ranks(
            lambda weights: means(weights, values), np.arange(n), draws=10, swaps=500
        )
        return [of_sums[0].p, of_ranks[0].p]

    full = both()
    monkeypatch.setattr(paired_module, "CHUNK_BYTES", 3000)
    assert both() == full


def test_few_clusters_have_the_exact_p_value_of_all_their_swaps() -> None:
    first, second = np.array([0.0, 2, 1, 0, 1, 0, 0, 1]), np.array([1.0, 2, 3, 1, 0, 2, 1, 1])
    signs = np.array(np.meshgrid(*[[1, -1]] * 8)).reshape(8, -1)
    every = np.abs((second - first) @ signs)
    exact = float((every >= abs((second - first).sum())).mean())
    ones = np.full(8, 3.0)
    (result,) = paired_sums(rate, sums(first, ones), sums(second, ones), swaps=20_000, draws=10)
    assert result.p == pytest.approx(exact, abs=0.01)


def test_the_difference_lies_between_what_two_values_of_the_range_allow() -> None:
    first, second = np.zeros(12), np.ones(12)
    second[0] = 0.0
    (free,) = paired_sums(rate, sums(first, np.ones(12)), sums(second, np.ones(12)))
    (cut,) = paired_sums(
        rate, sums(first, np.ones(12)), sums(second, np.ones(12)), possible=(0.1, 0.9)
    )
    assert free.interval is not None
    assert cut.interval is not None
    assert free.interval.high > 0.8
    assert cut.interval.high == 0.8


@pytest.mark.slow
def test_under_no_difference_small_p_values_are_rare() -> None:
    random = np.random.default_rng(8)
    small = 0
    for trial in range(400):
        sizes = random.integers(1, 6, 50)
        luck = random.random(50)
        first, second = random.binomial(sizes, luck), random.binomial(sizes, luck)
        (result,) = paired_sums(
            rate, sums(first, sizes), sums(second, sizes), swaps=400, draws=2, seed=trial
        )
        assert result.p is not None
        small += result.p <= 0.05
    assert 6 <= small <= 34
