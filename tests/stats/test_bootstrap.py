from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from scipy.stats import binomtest
from sklearn.metrics import roc_auc_score

from harness.metrics.contract import ScoredSample
from harness.stats import rows as rows_module
from harness.stats.bootstrap import ranks_interval, sums_interval
from harness.stats.collect import Statistics
from harness.stats.intervals import wilson
from harness.stats.types import Floats

Matrix: TypeAlias = "csr_array[Any, tuple[int, int]]"


class Ratio:
    """Sum of the first statistic over the sum of the second."""

    size = 2

    def statistics(self, sample: ScoredSample) -> Mapping[int, float]:
        return {0: float(sample.target == sample.answer), 1: 1.0}

    def finalize(self, totals: Floats) -> Floats:
        bottom = totals[..., 1]
        out = np.full(bottom.shape, np.nan)
        np.divide(totals[..., 0], bottom, out=out, where=bottom != 0)
        return out


class Auc:
    def prepare(self, samples: Sequence[ScoredSample]) -> Any:
        scores = np.array([sample.scores[0] for sample in samples if sample.scores])
        return scores, np.array([sample.target == "yes" for sample in samples])

    def value(self, prepared: Any, weights: Floats) -> Floats:
        scores, truth = prepared
        return np.array(
            [
                roc_auc_score(truth, scores, sample_weight=row)
                if row[truth].sum() and row[~truth].sum()
                else math.nan
                for row in weights
            ]
        )


def additive_interval(metric: Any, totals: Matrix, **settings: Any) -> Any:
    proportion = getattr(metric, "proportion", False)
    return sums_interval(metric.finalize, totals, proportion=proportion, **settings)


def rank_interval(metric: Any, samples: list[ScoredSample], codes: Any, **settings: Any) -> Any:
    prepared = metric.prepare(samples)
    units = metric.units(prepared) if hasattr(metric, "units") else None
    return ranks_interval(
        lambda weights: metric.value(prepared, weights), codes, units=units, **settings
    )


def matrix(rows: Any) -> Matrix:
    return csr_array(np.array(rows, dtype=np.float64))


def brute_force(rows: Floats, draws: int, seed: int) -> Floats:
    random = np.random.default_rng(seed)
    values = []
    for _ in range(draws):
        total = rows[random.integers(0, len(rows), len(rows))].sum(axis=0)
        values.append(total[0] / total[1])
    return np.asarray(np.quantile(values, [0.025, 0.975]))


@pytest.mark.parametrize("distinct", [3, 400], ids=["few distinct rows", "all distinct"])
def test_the_interval_is_that_of_a_plain_bootstrap(distinct: int) -> None:
    random = np.random.default_rng(distinct)
    sizes = random.integers(1, 6, distinct)
    kinds = np.stack([random.random(distinct) * sizes, sizes], axis=1)
    rows = kinds[random.integers(0, distinct, 400)]
    value, interval = additive_interval(Ratio(), matrix(rows), draws=8000)
    assert value == pytest.approx(rows[:, 0].sum() / rows[:, 1].sum())
    assert interval is not None
    width = interval.high - interval.low
    assert [interval.low, interval.high] == pytest.approx(
        brute_force(rows, 8000, seed=5).tolist(), abs=0.05 * width
    )
    assert (interval.level, interval.draws) == (0.95, 8000)


def test_the_same_seed_gives_the_same_interval_and_another_does_not() -> None:
    rows = matrix(np.stack([np.random.default_rng(0).random(50), np.ones(50)], axis=1))
    first = additive_interval(Ratio(), rows, seed=3)
    assert first == additive_interval(Ratio(), rows, seed=3)
    assert first[1] != additive_interval(Ratio(), rows, seed=4)[1]


def test_the_numbers_of_a_seed_do_not_drift() -> None:
    rows = matrix([[1, 1], [0, 1], [2, 2], [1, 3], [0, 2], [1, 1]])
    value, interval = additive_interval(Ratio(), rows, draws=200, seed=7)
    assert value == pytest.approx(0.5)
    assert interval is not None
    # A change here changes every published interval: raise versions, say so in the changelog.
    assert (interval.low, interval.high) == pytest.approx((0.19954545454545464, 0.8579365079365081))


@pytest.mark.parametrize("kinds", [2, 60])
def test_cutting_draws_into_chunks_changes_nothing(
    kinds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    random = np.random.default_rng(1)
    rows = matrix(np.stack([random.integers(0, kinds, 300) / kinds, np.ones(300)], axis=1))
    full = additive_interval(Ratio(), rows)
    monkeypatch.setattr(rows_module, "CHUNK_BYTES", 3000)
    assert additive_interval(Ratio(), rows) == full


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(1, 4)), min_size=2, max_size=40),
    st.randoms(use_true_random=False),
)
@settings(max_examples=40, deadline=None)
def test_the_order_of_clusters_does_not_matter(rows: list[tuple[int, int]], random: Any) -> None:
    shuffled = rows[:]
    random.shuffle(shuffled)
    assert additive_interval(Ratio(), matrix(rows), draws=50) == additive_interval(
        Ratio(), matrix(shuffled), draws=50
    )


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(1, 4)), min_size=8, max_size=30))
@settings(max_examples=25, deadline=None)
def test_every_cluster_four_times_keeps_the_value_and_halves_the_width(
    rows: list[tuple[int, int]],
) -> None:
    once = additive_interval(Ratio(), matrix(rows), draws=2000)
    often = additive_interval(Ratio(), matrix(rows * 4), draws=2000)
    assert once[0] == pytest.approx(often[0])
    assert once[1] is not None
    assert often[1] is not None
    width, quarter = once[1].high - once[1].low, often[1].high - often[1].low
    # Small samples and lattices of few values leave slack, yet never a wider interval.
    assert quarter <= 0.75 * width + 0.02


def test_clusters_that_are_all_alike_leave_no_width() -> None:
    value, interval = additive_interval(Ratio(), matrix([[1, 2]] * 30))
    assert interval is not None
    assert value == interval.low == interval.high == 0.5


def test_samples_in_few_clusters_are_less_sure_than_samples_alone() -> None:
    random = np.random.default_rng(0)
    right = np.repeat(random.integers(0, 2, 40), 10)
    statistics = Statistics()
    for item in right:
        statistics.add({0: float(item), 1: 1.0})
    narrow = additive_interval(Ratio(), statistics.totals(2, np.arange(len(right))))[1]
    wide = additive_interval(Ratio(), statistics.totals(2, np.arange(len(right)) // 10))[1]
    assert narrow is not None
    assert wide is not None
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


@pytest.mark.parametrize("rows", [np.zeros((0, 2)), [[0, 0]], [[0, 0], [0, 0]]])
def test_a_metric_that_is_not_defined_has_neither_value_nor_interval(rows: Any) -> None:
    value, interval = additive_interval(Ratio(), matrix(rows))
    assert math.isnan(value)
    assert interval is None


def test_one_cluster_has_a_value_and_no_interval() -> None:
    assert additive_interval(Ratio(), matrix([[1, 4]])) == (0.25, None)


def test_undefined_draws_are_dropped_and_counted() -> None:
    interval = additive_interval(Ratio(), matrix([[1, 2], [0, 0], [1, 1]]), draws=1000)[1]
    assert interval is not None
    assert 900 < interval.draws < 1000
    assert interval.method.endswith(f"undefined in {1000 - interval.draws} of 1000 draws")


def test_an_interval_of_a_minority_of_draws_is_refused() -> None:
    class Rare(Ratio):
        def finalize(self, totals: Floats) -> Floats:
            value = super().finalize(totals)
            return np.where(totals[..., 0] == 1, value, np.nan)

    value, interval = additive_interval(Rare(), matrix([[1, 1], [0, 1], [0, 1], [0, 1]]))
    assert value == 0.25
    assert interval is None


def test_infinite_draws_count_as_undefined() -> None:
    class Odds(Ratio):
        def finalize(self, totals: Floats) -> Floats:
            remainder = totals[..., 1] - totals[..., 0]
            out = np.full(remainder.shape, np.inf)
            np.divide(totals[..., 0], remainder, out=out, where=remainder != 0)
            return out

    interval = additive_interval(Odds(), matrix([[1, 1], [0, 1], [1, 1], [0, 1]]), draws=1000)[1]
    assert interval is not None
    assert interval.high <= 3
    assert interval.draws < 1000


@pytest.mark.slow
def test_95_percent_intervals_cover_about_95_percent() -> None:
    random = np.random.default_rng(11)
    covered = 0
    for trial in range(600):
        sizes = random.integers(1, 5, 150)
        rows = np.stack([random.binomial(sizes, 0.3), sizes], axis=1)
        interval = additive_interval(Ratio(), matrix(rows), draws=400, seed=trial)[1]
        assert interval is not None
        covered += interval.low <= 0.3 <= interval.high
    assert 0.92 <= covered / 600 <= 0.975


# --- metrics of ranks -----------------------------------------------------------------------------


def ranked(n: int) -> list[ScoredSample]:
    random = np.random.default_rng(2)
    truth = random.integers(0, 2, n)
    return [
        ScoredSample(str(i), str(i // 2), "yes" if item else "no", None, (float(score),))
        for i, (item, score) in enumerate(zip(truth, truth + random.normal(size=n), strict=True))
    ]


def test_a_metric_of_ranks_gets_the_interval_of_a_plain_bootstrap() -> None:
    samples = ranked(120)
    codes = np.array([int(sample.cluster) for sample in samples])
    value, interval = rank_interval(Auc(), samples, codes, draws=600)
    scores, truth = Auc().prepare(samples)
    assert value == pytest.approx(roc_auc_score(truth, scores))
    random = np.random.default_rng(9)
    plain = []
    for _ in range(600):
        drawn = np.concatenate([np.flatnonzero(codes == c) for c in random.integers(0, 60, 60)])
        plain.append(roc_auc_score(truth[drawn], scores[drawn]))
    assert interval is not None
    assert [interval.low, interval.high] == pytest.approx(
        np.quantile(plain, [0.025, 0.975]).tolist(), abs=0.02
    )


def test_codes_of_clusters_are_names_only() -> None:
    samples = ranked(30)
    codes = [int(sample.cluster) for sample in samples]
    assert rank_interval(Auc(), samples, codes, draws=50) == rank_interval(
        Auc(), samples, [10 * code + 3 for code in codes], draws=50
    )


def test_a_metric_of_ranks_without_samples_or_with_one_cluster() -> None:
    assert math.isnan(rank_interval(Auc(), [], [])[0])
    value, interval = rank_interval(Auc(), ranked(12), [0] * 12)
    assert math.isfinite(value)
    assert interval is None


# --- Wilson ---------------------------------------------------------------------------------------


class Share(Ratio):
    proportion = True
    range = (0.0, 1.0)


@pytest.mark.parametrize(("right", "trials"), [(0, 3), (3, 3)])
def test_where_all_trials_end_alike_each_cluster_is_one_trial(right: int, trials: int) -> None:
    interval = additive_interval(Share(), matrix([[right, trials]] * 40 + [[0, 0]] * 5))[1]
    assert interval is not None
    expected = binomtest(40 if right else 0, 40).proportion_ci(method="wilson")
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high), abs=1e-12)
    assert interval.method == "Wilson score, each cluster one trial"


def test_one_cluster_that_was_asked_is_no_proportion() -> None:
    interval = additive_interval(Share(), matrix([[0, 3], [0, 0]]), draws=100)[1]
    assert interval is not None
    assert interval.warning.endswith("the interval has no width and says nothing")


def test_fractions_that_add_up_to_a_whole_are_no_plain_proportion() -> None:
    interval = additive_interval(Share(), matrix([[0.5, 1]] * 20 + [[1, 1]] * 20))[1]
    assert interval is not None
    assert interval.method == "cluster bootstrap, BCa"
    # Halves vary less than rights and wrongs.
    plain = binomtest(30, 40).proportion_ci(method="wilson")
    assert interval.high - interval.low < 0.7 * (plain.high - plain.low)


def test_a_stratified_proportion_is_drawn_within_its_strata() -> None:
    rows = matrix([[1, 1]] * 10 + [[0, 1]] * 10)
    interval = additive_interval(Share(), rows, strata=np.arange(20) % 2)[1]
    assert interval is not None
    assert interval.method.startswith("cluster bootstrap")


class AllRight:
    """Share of units whose samples are all right; a unit is what stands before the point."""

    range = (0.0, 1.0)

    def prepare(self, samples: Sequence[ScoredSample]) -> Any:
        units: dict[str, list[int]] = {}
        for index, sample in enumerate(samples):
            units.setdefault(sample.id.partition(".")[0], []).append(index)
        right = [all(samples[at].answer == "a" for at in places) for places in units.values()]
        return np.array([places[0] for places in units.values()]), np.array(right, dtype=float)

    def units(self, prepared: Any) -> tuple[Any, Floats]:
        places, right = prepared
        return places, right

    def value(self, prepared: Any, weights: Floats) -> Floats:
        places, right = prepared
        return np.asarray(weights[:, places] @ right / weights[:, places].sum(axis=1))


def rounds(units: int, right: int) -> list[ScoredSample]:
    return [
        ScoredSample(f"{unit}.{turn}", str(unit), "a", "a" if unit < right or turn else "b")
        for unit in range(units)
        for turn in range(3)
    ]


@pytest.mark.parametrize("right", [0, 17, 120])
def test_a_share_of_units_has_wilsons_interval(right: int) -> None:
    codes = np.repeat(np.arange(120), 3)
    value, interval = rank_interval(AllRight(), rounds(120, right), codes)
    expected = binomtest(right, 120).proportion_ci(method="wilson")
    assert value == pytest.approx(right / 120)
    assert interval is not None
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_units_that_share_a_cluster_are_resampled_unless_all_are_alike() -> None:
    codes = np.repeat(np.arange(60), 6)
    mixed = rank_interval(AllRight(), rounds(120, 17), codes, draws=500)[1]
    assert mixed is not None
    assert mixed.method.startswith("cluster bootstrap")
    alike = rank_interval(AllRight(), rounds(120, 0), codes)[1]
    expected = binomtest(0, 60).proportion_ci(method="wilson")
    assert alike is not None
    assert (alike.low, alike.high) == pytest.approx((0.0, expected.high))


@given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_wilson_is_that_of_scipy(counts: tuple[int, int]) -> None:
    interval = wilson(*counts)
    assert interval is not None
    expected = binomtest(*counts).proportion_ci(method="wilson")
    assert (interval.low, interval.high) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_wilson_of_nothing_and_of_nonsense() -> None:
    assert wilson(0, 0) is None
    with pytest.raises(ValueError, match="5 successes in 3 trials"):
        wilson(5, 3)


@pytest.mark.parametrize(
    ("factor", "quick"), [(1.0, True), (0.1, False), (2.0**20, False)],
    ids=["whole", "fractions", "large"],
)  # fmt: skip
def test_sums_of_sparse_rows_are_those_of_plain_products(factor: float, quick: bool) -> None:
    random = np.random.default_rng(0)
    dense = random.integers(1, 9, size=(70, 900)) * (random.random((70, 900)) < 0.05) * factor
    rows = rows_module.distinct_rows(csr_array(dense))
    assert rows._turned[1] is quick
    (weights,) = rows.draws(70, 1)
    assert rows.sums(weights) == pytest.approx(weights @ rows.rows.toarray(), rel=1e-14, abs=0)
