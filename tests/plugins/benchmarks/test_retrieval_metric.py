"""Rankings: variants of other codes, repeated draws, and what is not defined."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from harness_benchmarks.metrics.retrieval import DESCRIPTORS, Query, first
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.descriptors import parse_options
from harness.errors import DataError, UserError
from harness.metrics import ScoredSample
from harness.targets import load_target

CASES = Path(__file__).parents[2] / "conformance" / "visogender_retrieval_cases.json"
BY_ID = {descriptor.id: descriptor for descriptor in DESCRIPTORS}
RANKED = ("retrieval_min_skew", "retrieval_max_skew", "ndkl", "bias_at_k")


def make(name: str, **options: Any) -> Any:
    descriptor = BY_ID[name]
    return load_target(descriptor)(parse_options(descriptor.options, options, owner=name), ())


def image(score: float, group: str, concept: str = "nurse") -> ScoredSample:
    return ScoredSample(
        "s", "c", None, None, (score,), groups={"gender": group}, fields={"concept": concept}
    )


def value(metric: Any, samples: list[ScoredSample]) -> float:
    return float(metric.value(metric.prepare(samples), np.ones((1, len(samples))))[0])


MEN_FIRST = [image(1 - place / 10, "masculine" if place < 4 else "feminine") for place in range(8)]


OFFICIAL = {
    "bias@5": ("bias_at_k", {"k": 5}), "bias@10": ("bias_at_k", {"k": 10}),
    "maxskew@5": ("retrieval_max_skew", {"k": 5}), "maxskew@10": ("retrieval_max_skew", {"k": 10}),
    "minskew@5": ("retrieval_min_skew", {"k": 5}), "minskew@10": ("retrieval_min_skew", {"k": 10}),
    "ndkl": ("ndkl", {}),
}  # fmt: skip


@pytest.mark.parametrize("case", json.loads(CASES.read_text())["cases"])
def test_the_numbers_are_those_of_visogenders_own_program(case: dict[str, Any]) -> None:
    genders = {"m": "masculine", "f": "feminine"}
    samples = [
        image(score, genders[gender], query)
        for query, ranked in case["queries"].items()
        for gender, score in ranked
    ]
    assert case["expected"].keys() == OFFICIAL.keys()
    for name, (metric, options) in OFFICIAL.items():
        result = value(make(metric, **options), samples)
        assert result == pytest.approx(case["expected"][name], abs=1e-12), name


def test_rules_of_other_codes_for_a_group_that_is_not_there() -> None:
    entries = {
        zero: value(make("retrieval_min_skew", k=2, zero=zero), MEN_FIRST)
        for zero in ("one_over_k", "zero")
    }
    assert entries == {"one_over_k": pytest.approx(0.0), "zero": pytest.approx(0.0)}
    few = [image(1.0, "masculine"), *(image(0.5, "feminine") for _ in range(9))]
    assert value(make("retrieval_min_skew", k=4), few) < 0
    late = [*(image(1.0, "feminine") for _ in range(9)), image(0.1, "masculine")]
    assert value(make("retrieval_min_skew", k=4, zero="zero"), late) == 0.0
    assert value(make("retrieval_min_skew", k=4), late) == pytest.approx(math.log(1 / 0.9))


def test_a_maximum_from_zero_is_never_negative() -> None:
    even = [image(1.0, "a"), image(0.9, "b"), image(0.1, "c")]
    options = {"k": 1, "zero": "zero"}
    assert value(make("retrieval_max_skew", **options), even) == pytest.approx(math.log(3))
    entries = [image(1.0, "a"), image(0.9, "a")]
    assert value(make("retrieval_max_skew", zero="one_over_k_from_zero"), entries) == 0.0


def test_k_is_raised_to_the_groups_where_asked() -> None:
    assert value(make("bias_at_k", k=1), MEN_FIRST) == 1.0
    even = [image(1.0, "masculine"), image(0.9, "feminine")]
    assert value(make("bias_at_k", k=1), even) == 1.0
    assert value(make("bias_at_k", k=1, least_k="groups"), even) == 0.0


def test_uniform_shares_do_not_ask_the_pool() -> None:
    entries = [image(1.0, "masculine"), image(0.9, "feminine"), image(0.2, "masculine")]
    assert value(make("retrieval_max_skew", k=2, desired="uniform"), entries) == pytest.approx(0)
    assert value(make("retrieval_max_skew", k=2), entries) == pytest.approx(math.log(0.5 / (1 / 3)))


@given(
    st.lists(
        st.tuples(st.integers(0, 5), st.sampled_from("ab"), st.sampled_from(["nurse", "chef"])),
        min_size=1, max_size=12,
    ),
    st.data(),
)  # fmt: skip
@settings(deadline=None)
def test_weights_repeat_pictures(rows: list[tuple[int, str, str]], data: st.DataObject) -> None:
    samples = [image(float(score), group, concept) for score, group, concept in rows]
    counts = data.draw(st.lists(st.integers(0, 3), min_size=len(rows), max_size=len(rows)))
    weights = np.array([counts], dtype=np.float64)
    # Copies stand beside their picture, so ties keep their order.
    repeated = [sample for sample, count in zip(samples, counts, strict=True) for _ in range(count)]
    for name in RANKED:
        pair = {"first": "a", "second": "b"} if name == "bias_at_k" else {}
        options: dict[str, Any] = {} if name == "ndkl" else {**pair, "k": 3}
        metric = make(name, **options)
        result = metric.value(metric.prepare(samples), weights)
        expected = value(metric, repeated) if repeated else math.nan
        np.testing.assert_allclose(result, [expected], atol=1e-12)
        assert not np.isinf(result).any()


@pytest.mark.parametrize("name", RANKED)
def test_nothing_to_rank_is_not_available(name: str) -> None:
    metric = make(name)
    assert np.isnan(metric.value(metric.prepare([]), np.ones((2, 0)))).all()
    bare = ScoredSample("s", "c", None, None, (1.0,), fields={"concept": "nurse"})
    assert math.isnan(value(metric, [bare]))


def test_a_picture_without_a_score_and_a_wrong_k_are_named() -> None:
    with pytest.raises(DataError, match="no score to rank by"):
        make("ndkl").prepare([ScoredSample("s", "c", None, None, groups={"gender": "a"})])
    with pytest.raises(UserError, match="at least 1"):
        make("bias_at_k", k=0)


def slow_weighted_skew(groups: list[str], k: int) -> float:
    """Add up, prefix by prefix, the skews of the values in it, weighted by their pool shares."""
    pool = {name: groups.count(name) / len(groups) for name in set(groups)}
    result = norm = 0.0
    for length in range(1, min(k, len(groups)) + 1):
        discount = 1 / math.log2(length + 1)
        norm += discount
        for name, desired in pool.items():
            share = groups[:length].count(name) / length
            if share:
                result += discount * desired * math.log(share / desired)
    return result / norm


@settings(deadline=None, max_examples=40)
@given(st.lists(st.sampled_from("abc"), min_size=1, max_size=12), st.integers(1, 14))
def test_the_release_s_own_ndkl_is_skew_weighted_by_desired_shares(
    groups: list[str], k: int
) -> None:
    ranked = [image(-float(place), name) for place, name in enumerate(groups)]
    result = value(make("ndkl", form="weighted_skew", k=k), ranked)
    assert result == pytest.approx(slow_weighted_skew(groups, k), abs=1e-12)


def test_the_worked_example_of_the_release_s_own_ndkl() -> None:
    ranked = [image(3.0, "f"), image(2.0, "m"), image(1.0, "f")]
    assert value(make("ndkl", form="weighted_skew", k=2), ranked) == pytest.approx(0.144, abs=5e-4)


@pytest.mark.parametrize("k", [1, 7, 1000])
def test_the_first_k_are_those_of_the_whole_ranking(k: int) -> None:
    rng = np.random.default_rng(k)
    values = rng.integers(0, 3, 400)
    groups = (values == np.arange(3)[:, None]).astype(np.float64)
    query = Query(np.arange(400), groups, ("a", "b", "c"))
    weights = rng.poisson(0.2, (20, 400)).astype(np.float64)
    weights[0] = 0.0
    expected = [
        [np.repeat(values, row.astype(int))[:k].tolist().count(value) for value in range(3)]
        for row in weights
    ]
    assert first(query, weights, k).tolist() == expected
