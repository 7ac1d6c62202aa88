"""Mixing of tasks, and balance of answers: how much of each an epoch sees."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from harness_recipes.balanced import Balanced
from harness_recipes.mixing import Single, shares
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UserError
from harness.training import Example, Measure
from tests import made

POOL = [Example(f"a{n}", "a", "yes" if n else "no") for n in range(30)] + [
    Example(f"b{n}", "b", "x") for n in range(10)
]


def never() -> dict[tuple[str, str, str], float]:
    raise AssertionError("these recipes measure nothing")


MEASURE: Measure = never


@pytest.mark.parametrize(
    ("options", "counts"),
    [
        ({}, {"a": 30, "b": 10}),
        ({"mixing": "uniform"}, {"a": 20, "b": 20}),
        # 30^(1/2) : 10^(1/2) = 1.732 : 1, of 40
        ({"mixing": "temperature", "temperature": 2.0}, {"a": 25, "b": 15}),
    ],
)
def test_tasks_have_the_shares_their_rule_gives(
    options: dict[str, str | float], counts: dict[str, int]
) -> None:
    epoch = made.recipe("joint", **options).epoch(0, POOL, MEASURE, Random(0))
    assert Counter(POOL[position].task for position in epoch.order) == counts
    assert epoch.figures["samples_of"] == counts


def test_no_sample_comes_again_before_all_have_come() -> None:
    epoch = made.recipe("joint", mixing="uniform").epoch(0, POOL, MEASURE, Random(3))
    seen = Counter(position for position in epoch.order if POOL[position].task == "b")
    assert set(seen.values()) == {2}


@given(
    st.dictionaries(st.sampled_from("abcdef"), st.integers(1, 1000), min_size=1),
    st.floats(0, 1),
)
def test_shares_add_up_to_the_pool(sizes: dict[str, int], power: float) -> None:
    result = shares(sizes, power)
    assert sum(result.values()) == sum(sizes.values())
    assert result.keys() == sizes.keys()


def test_single_refuses_several_tasks() -> None:
    with pytest.raises(UserError, match="trains on one task, not on a, b"):
        Single({}).check(POOL)
    assert not Single({}).check(POOL[:30])
    assert sorted(Single({}).epoch(0, POOL[:30], MEASURE, Random(0)).order) == list(range(30))


def test_balance_draws_every_answer_of_a_task_equally_often() -> None:
    pool = [Example(f"{n}", "a", "rare" if n == 0 else "common") for n in range(4000)]
    epoch = Balanced({}).epoch(0, pool, MEASURE, Random(0))
    rare = sum(pool[position].answer == "rare" for position in epoch.order)
    assert len(epoch.order) == 4000
    assert abs(rare - 2000) < 4 * 32  # four standard deviations of a fair coin
