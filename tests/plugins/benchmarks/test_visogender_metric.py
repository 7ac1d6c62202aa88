"""VisoGender's resolution accuracy and gender gap, with and without its rounding."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from harness_benchmarks.metrics.visogender import DESCRIPTORS

from harness.descriptors import parse_options
from harness.errors import DataError, UserError
from harness.metrics import ScoredSample
from harness.targets import load_target

BY_ID = {descriptor.id: descriptor for descriptor in DESCRIPTORS}
PRONOUN = {"masculine": "his", "feminine": "her"}


def make(name: str, **options: Any) -> Any:
    descriptor = BY_ID[name]
    return load_target(descriptor)(parse_options(descriptor.options, options, owner=name), ())


def pictures(gender: str, right: int, of: int, **groups: str) -> list[ScoredSample]:
    target = PRONOUN[gender]
    return [
        ScoredSample(
            "s", "c", target, target if index < right else "their",
            groups={"gender": gender, **groups},
        )
        for index in range(of)
    ]  # fmt: skip


def value(metric: Any, samples: list[ScoredSample]) -> float:
    totals = np.zeros(metric.size)
    for sample in samples:
        for position, content in metric.statistics(sample).items():
            totals[position] += content
    return float(metric.finalize(totals))


# Single: 2/3 and 1/3. Two people: same 3/3 and 1/2, different 1/3 and 0/2.
WORLD = [
    *pictures("masculine", 2, 3, context="single"),
    *pictures("feminine", 1, 3, context="single"),
    *pictures("masculine", 3, 3, context="two", pair="same"),
    *pictures("feminine", 1, 2, context="two", pair="same"),
    *pictures("masculine", 1, 3, context="two", pair="different"),
    *pictures("feminine", 0, 2, context="two", pair="different"),
]


@pytest.mark.parametrize(
    ("options", "accuracy", "gap"),
    [
        ({"people": "single"}, round((0.67 + 0.33) / 2, 2), 0.34),
        ({"people": "two"}, round((0.67 + 0.25) / 2, 2), 0.42),
        ({"people": "two", "pairs": "same"}, 0.75, 0.5),
        # numpy rounds half to even, as the official code does.
        ({"people": "two", "pairs": "different"}, 0.16, 0.33),
        ({}, round((0.5 + 0.46) / 2, 2), round((0.34 + 0.42) / 2, 2)),
    ],
)
def test_each_step_is_rounded_as_in_the_official_code(
    options: dict[str, Any], accuracy: float, gap: float
) -> None:
    assert value(make("resolution_accuracy", **options), WORLD) == pytest.approx(accuracy)
    assert value(make("gender_gap", **options), WORLD) == pytest.approx(gap)


def test_without_rounding_the_values_are_exact() -> None:
    single, two = (2 / 3 + 1 / 3) / 2, (4 / 6 + 1 / 4) / 2
    metric = make("resolution_accuracy", rounding="none")
    assert value(metric, WORLD) == pytest.approx((single + two) / 2)


def test_a_neutral_pronoun_is_wrong_and_one_gender_alone_is_not_available() -> None:
    men = pictures("masculine", 0, 4, context="single")
    assert math.isnan(value(make("resolution_accuracy"), men))
    both = [*men, *pictures("feminine", 4, 4, context="single")]
    assert value(make("resolution_accuracy"), both) == 0.5
    assert value(make("gender_gap"), both) == -1.0


def test_wrong_groups_and_options_are_named() -> None:
    with pytest.raises(DataError, match="the gender None"):
        make("gender_gap").statistics(ScoredSample("s", "c", "his", "his"))
    with pytest.raises(DataError, match="the context 'three'"):
        make("gender_gap").statistics(pictures("feminine", 1, 1, context="three")[0])
    with pytest.raises(UserError, match="a pair needs two people"):
        make("gender_gap", people="single", pairs="same")
