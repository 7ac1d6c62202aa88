"""ASD against numbers worked by hand: whose skew a sample has, what is dropped, copied, weighed."""

from __future__ import annotations

import math
from collections.abc import Mapping
from random import Random
from typing import Any

import pytest
from harness_recipes import harness_recipes
from harness_recipes.asd import AntiStereotypeDebiasing, sample_skew
from harness_recipes.yes_rate import keeping_yes_rate
from hypothesis import given
from hypothesis import strategies as st

from harness.descriptors import Json, parse_options
from harness.errors import UserError
from harness.training import Example

SKEWS = {
    ("nurse", "gender", "female"): 0.7,
    ("nurse", "gender", "male"): -0.4,
    ("nurse", "race", "White"): -1.2,
    ("pilot", "gender", "female"): -1.0,
}


def example(concept: str, against: bool = False, **groups: str) -> Example:
    return Example("s", "scounter", "a nurse", {"concept": concept}, groups, against)


def asd(**keywords: Json) -> AntiStereotypeDebiasing:
    descriptor = next(
        harness_recipe for harness_recipe in harness_recipes() if harness_recipe.id == "asd"
    )
    return AntiStereotypeDebiasing(parse_options(descriptor.options, keywords, owner="asd"))


def test_a_sample_has_the_skew_of_largest_magnitude_with_its_sign() -> None:
    assert sample_skew(example("nurse", gender="female", race="White"), SKEWS).value == -1.2
    assert sample_skew(example("nurse", gender="female"), SKEWS).value == 0.7
    result = sample_skew(example("nurse", gender="male"), SKEWS)
    assert (result.value, result.pair) == (-0.4, ("nurse", "gender", "male"))


def test_a_sample_without_a_defined_skew_is_left_alone() -> None:
    assert sample_skew(example("judge", gender="female"), SKEWS).value == 0
    assert sample_skew(example("nurse", against=True, gender="female"), SKEWS).value == 0


def test_over_attended_samples_are_dropped_in_the_stated_share() -> None:
    pool = [example("nurse", gender="female")] * 4000
    epoch = asd(sfloss=False).epoch(0, pool, lambda: SKEWS, Random(1))
    remaining = len(epoch.order) / len(pool)
    expected = 1 - 0.7 / (0.7 + 1.0)
    assert remaining == pytest.approx(expected, abs=4 * math.sqrt(expected * (1 - expected) / 4000))
    assert epoch.weights is None


def test_under_attended_samples_are_copied_each_time_their_skew_adds_up_to_tau2() -> None:
    pool = [example("nurse", gender="male")] * 10  # 10 x 0.4 = 4.0
    epoch = asd(sfloss=False, order="pool").epoch(0, pool, lambda: SKEWS, Random(0))
    # Sums: .4 .8 1.2* .6 1.0* .4 .8 1.2* .6 1.0*: a copy at each star.
    assert list(epoch.order) == [0, 1, 2, 2, 3, 4, 4, 5, 6, 7, 7, 8, 9, 9]
    assert epoch.figures["copies"] == 4
    assert epoch.figures["kept"] == 10


def test_the_sum_can_be_kept_for_each_pair() -> None:
    pool = [example("nurse", gender="male"), example("pilot", gender="female")] * 2
    together = asd(sfloss=False, order="pool", tau2=1.3)
    assert list(together.epoch(0, pool, lambda: SKEWS, Random(0)).order) == [0, 1, 1, 2, 3, 3]
    apart = asd(sfloss=False, order="pool", tau2=1.3, accumulator="pair")
    assert list(apart.epoch(0, pool, lambda: SKEWS, Random(0)).order) == [0, 1, 2, 3, 3]


def test_weights_are_exp_of_minus_skew() -> None:
    pool = [example("nurse", gender="female"), example("nurse", race="White")]
    epoch = asd(resample=False, order="pool").epoch(0, pool, lambda: SKEWS, Random(0))
    assert epoch.weights == pytest.approx([math.exp(-0.7), math.exp(1.2)])
    bounded = asd(resample=False, order="pool", max_weight=2.0)
    assert bounded.epoch(0, pool, lambda: SKEWS, Random(0)).weights == pytest.approx(
        [math.exp(-0.7), 2.0]
    )


def test_the_largest_weight_of_those_kept_stands_in_the_figures() -> None:
    pool = [
        example("nurse", gender="male"), example("nurse", race="White"),
        example("nurse", gender="female"),
    ]  # fmt: skip
    weighed = asd(resample=False).epoch(0, pool, lambda: SKEWS, Random(0))
    assert weighed.figures["largest_weight"] == pytest.approx(math.exp(1.2))
    bounded = asd(resample=False, max_weight=1.1).epoch(0, pool, lambda: SKEWS, Random(0))
    assert bounded.figures["largest_weight"] == 1.1
    even = asd(resample=False, renormalise="mean").epoch(0, pool, lambda: SKEWS, Random(0))
    mean = (math.exp(0.4) + math.exp(1.2) + math.exp(-0.7)) / 3
    assert even.figures["largest_weight"] == pytest.approx(math.exp(1.2) / mean)
    assert (
        "largest_weight" not in asd(sfloss=False).epoch(0, pool, lambda: SKEWS, Random(0)).figures
    )


@given(st.lists(st.sampled_from(["female", "male"]), min_size=1, max_size=30), st.integers())
def test_renormalised_weights_have_mean_one(genders: list[str], seed: int) -> None:
    pool = [example("nurse", gender=gender) for gender in genders]
    epoch = asd(resample=False, renormalise="mean").epoch(0, pool, lambda: SKEWS, Random(seed))
    assert epoch.weights is not None
    assert math.fsum(epoch.weights) / len(epoch.weights) == pytest.approx(1)


@given(st.integers())
def test_an_epoch_is_the_same_for_the_same_seed(seed: int) -> None:
    pool = [example("nurse", gender=gender) for gender in ("female", "male") * 20]
    first, other = (asd().epoch(0, pool, lambda: SKEWS, Random(seed)) for _ in range(2))
    assert first == other


def test_the_measured_extremes_stand_in_the_figures() -> None:
    figures: Mapping[str, Any] = (
        asd().epoch(0, [example("nurse", gender="male")], lambda: SKEWS, Random(0)).figures
    )
    assert figures["min_skew"] == pytest.approx((-1.2 + -1.0) / 2)
    assert figures["max_skew"] == pytest.approx((0.7 + -1.0) / 2)
    assert figures["concepts"] == 2


def test_a_pool_without_a_skew_is_refused_before_the_first_epoch_alone() -> None:
    pool = [example("nurse", gender=gender) for gender in ("female", "male")]
    with pytest.raises(UserError, match="no concept has a skew") as refused:
        asd().epoch(0, pool, dict, Random(0))
    assert "min_assigned" in str(refused.value.fix)
    later = asd().epoch(1, pool, dict, Random(0))
    assert sorted(later.order) == [0, 1]
    assert later.figures["concepts"] == 0


def test_concepts_with_one_value_of_every_attribute_are_named_or_refused() -> None:
    both = [example("nurse", gender=gender, race="White") for gender in ("female", "male")]
    item = [example("pilot", gender="female", race="White")] * 2
    assert asd().check(both) == ()
    assert asd().check([*both, *item]) == ["of 1 concepts one value only: pilot"]
    with pytest.raises(UserError, match=r"single value of every attribute \(pilot\)"):
        asd().check(item)


def test_a_tau_that_is_not_above_zero_is_refused() -> None:
    with pytest.raises(UserError, match="0 is not above 0"):
        asd(tau1=0.0)


@pytest.mark.parametrize("parts", [{"sfloss": False}, {"resample": False}, {}])
def test_kept_yes_rates_weigh_each_concepts_answers_as_the_pool_has_them(
    parts: dict[str, Json],
) -> None:
    pool = [example("nurse", gender=gender) for gender in ("female", "male") * 30]
    pool += [example("nurse", against=True, gender="female")] * 25
    pool += [example("chef", gender=gender) for gender in ("female", "male") * 10]
    epoch = asd(keep_yes_rate=True, **parts).epoch(0, pool, lambda: SKEWS, Random(3))
    assert epoch.weights is not None
    sums: dict[tuple[Json, bool], float] = {}
    for position, weight in zip(epoch.order, epoch.weights, strict=True):
        key = pool[position].fields["concept"], pool[position].against
        sums[key] = sums.get(key, 0.0) + weight
    assert sums == pytest.approx({("nurse", False): 60, ("nurse", True): 25, ("chef", False): 20})
    assert epoch.figures["answers_lost"] == 0
    plain = asd(**parts).epoch(0, pool, lambda: SKEWS, Random(3))
    assert plain.order == epoch.order


def test_answers_that_are_all_dropped_are_counted() -> None:
    pool = [example("nurse", gender="male"), example("chef", gender="male")]
    weights, lost = keeping_yes_rate(pool, [1, 1], None)
    assert (weights, lost) == ([0.5, 0.5], 1)
