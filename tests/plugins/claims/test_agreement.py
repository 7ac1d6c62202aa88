"""Krippendorff's alpha by his own example, by brute force, and for annotators who are missing."""

from __future__ import annotations

import math
from itertools import permutations

import numpy as np
import pytest
from harness_claims.agreement import agreement, fleiss_kappa, interval_alpha, nominal_alpha

# Krippendorff 2011, "Computing Krippendorff's Alpha-Reliability", section C: four observers.
OBSERVERS = (
    "1 2 3 3 2 1 4 1 2 . . .",
    "1 2 3 3 2 2 4 1 2 5 . 3",
    ". 3 3 3 2 3 4 2 2 5 1 .",
    "1 2 3 3 2 4 4 1 2 5 1 .",
)
UNITS = [
    [one for one in column if one != "."]
    for column in zip(*(row.split() for row in OBSERVERS), strict=True)
]


def test_his_example_has_his_alphas() -> None:
    assert nominal_alpha(UNITS) == pytest.approx(0.743, abs=5e-4)
    points = [[[float(value)] for value in unit] for unit in UNITS]
    assert interval_alpha(points) == pytest.approx(0.849, abs=5e-4)


def test_points_disagree_by_their_squared_distance() -> None:
    random = np.random.default_rng(0)
    units = [random.normal(index, 0.3, size=(index % 3 + 2, 2)).tolist() for index in range(6)]
    every = [point for unit in units for point in unit]

    def mean(points: list[list[float]]) -> float:
        return float(np.mean([math.dist(a, b) ** 2 for a, b in permutations(points, 2)]))

    observed = sum(len(unit) * mean(unit) for unit in units) / len(every)
    assert interval_alpha(units) == pytest.approx(1 - observed / mean(every))


def test_kappa_is_that_of_statsmodels_where_it_is_defined() -> None:
    inter_rater = pytest.importorskip("statsmodels.stats.inter_rater")
    random = np.random.default_rng(1)
    units = [random.choice(list("abc"), 5, p=shares) for shares in random.dirichlet([1] * 3, 30)]
    counts, _ = inter_rater.aggregate_raters(np.array([[ord(x) for x in u] for u in units]))
    assert fleiss_kappa([list(unit) for unit in units]) == pytest.approx(
        inter_rater.fleiss_kappa(counts)
    )
    assert math.isnan(fleiss_kappa([["a", "b"], ["a"]]))
    assert math.isnan(fleiss_kappa([["a", "a"], ["a", "a"]]))
    assert math.isnan(fleiss_kappa([]))


def test_one_value_alone_says_nothing_and_single_annotators_take_no_part() -> None:
    assert math.isnan(nominal_alpha([["a", "a"], ["a", "a"]]))
    assert nominal_alpha([["a", "a"], ["b", "b"], ["c"]]) == 1


def test_agreement_of_answers_that_are_all_the_same_is_undefined_and_says_so() -> None:
    assert "alpha undefined (all answers are the same), 2 samples" in agreement([["a", "a"]] * 2)
