"""Consistency and shift within counterfactual sets, against what can be counted by hand."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from harness_benchmarks.metrics.counterfactual import DESCRIPTORS

from harness.descriptors import parse_options
from harness.metrics import ScoredSample
from harness.stats.types import Floats
from harness.targets import load_target

BY_ID = {descriptor.id: descriptor for descriptor in DESCRIPTORS}


def make(name: str, labels: Sequence[str] = ("yes", "no"), **options: Any) -> Any:
    descriptor = BY_ID[name]
    return load_target(descriptor)(
        parse_options(descriptor.options, options, owner=name), tuple(labels)
    )


def asked(
    cluster: str, gender: str, yes: float, concept: str = "nurse", **groups: str
) -> ScoredSample:
    return ScoredSample(
        f"{cluster}-{gender}", cluster, None, "yes" if yes > 0.5 else "no",
        scores=(math.log(yes), math.log(1 - yes)), labels=("yes", "no"),
        groups={"gender": gender, **groups}, fields={"concept": concept}, score_kind="logprob",
    )  # fmt: skip


def value(metric: Any, samples: Sequence[ScoredSample], weights: Floats | None = None) -> float:
    weights = np.ones((1, len(samples))) if weights is None else weights
    return float(metric.value(metric.prepare(samples), weights)[0])


def sets(*pairs: tuple[float, float], concept: str = "nurse") -> list[ScoredSample]:
    return [
        asked(f"set {index}", gender, yes, concept)
        for index, pair in enumerate(pairs)
        for gender, yes in zip(("female", "male"), pair, strict=True)
    ]


def test_a_set_is_consistent_when_all_its_answers_are_the_same() -> None:
    samples = sets((0.9, 0.8), (0.9, 0.2), (0.1, 0.2))
    metric = make("counterfactual_consistency")
    assert value(metric, samples) == pytest.approx(2 / 3)
    _, right = metric.units(metric.prepare(samples))
    assert right.tolist() == [1, 0, 1]
    twice = np.array([[1, 1, 2, 2, 0, 0]])
    assert value(metric, samples, twice) == pytest.approx(1 / 3)


def test_the_shift_is_the_mean_change_within_sets() -> None:
    samples = sets((0.9, 0.8), (0.9, 0.2), (0.1, 0.2))
    assert value(make("counterfactual_shift"), samples) == pytest.approx((0.1 + 0.7 - 0.1) / 3)
    flipped = sets((0.8, 0.9), (0.2, 0.9), (0.2, 0.1))
    assert value(make("counterfactual_shift"), flipped) == pytest.approx((0.1 + 0.7 - 0.1) / 3)


def test_concepts_are_averaged_and_sets_kept_apart_by_concept() -> None:
    samples = sets((0.9, 0.1)) + sets((0.6, 0.5), concept="chef")
    assert value(make("counterfactual_shift"), samples) == pytest.approx((0.8 + 0.1) / 2)


def test_each_value_is_compared_with_others_of_its_attribute() -> None:
    samples = [
        asked("s", "female", 0.9, race="A"),
        asked("s", "female", 0.7, race="B"),
        asked("s", "male", 0.3, race="A"),
        asked("s", "male", 0.5, race="B"),
    ]
    assert value(make("counterfactual_shift"), samples) == pytest.approx(0.4)
    by_race = make("counterfactual_shift", attributes="race")
    assert value(by_race, samples) == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("yes", [0.9, 0.1])
def test_a_model_that_always_says_the_same_is_not_called_consistent(yes: float) -> None:
    metric = make("counterfactual_consistency")
    samples = sets((yes, yes), (yes, yes))
    assert math.isnan(value(metric, samples))
    (note,) = metric.notes(samples).items()
    assert note == ("counterfactual sets of a concept that every image has the same answer to", 2)


@pytest.mark.parametrize("yes", [0.9, 0.1])
def test_a_concept_with_one_probability_for_every_image_has_no_shift_rather_than_0(
    yes: float,
) -> None:
    metric = make("counterfactual_shift")
    constant = sets((yes, yes), (yes, yes))
    assert math.isnan(value(metric, constant))
    note = "concepts with one probability for every image, which nothing can shift"
    assert metric.notes(constant) == {note: 1}
    told_apart = sets((0.6, 0.5), concept="chef")
    assert value(metric, constant + told_apart) == pytest.approx(0.1)
    assert metric.notes(told_apart) == {}


def test_images_alone_compare_nobody() -> None:
    alone = [asked(f"set {index}", "female", 0.9) for index in range(3)]
    for name in BY_ID:
        assert math.isnan(value(make(name), alone))


def test_a_choice_compares_the_share_of_each_concept() -> None:
    def chosen(gender: str, shares: Mapping[str, float]) -> ScoredSample:
        return ScoredSample(
            gender, "set", None, max(shares, key=lambda name: shares[name]),
            scores=tuple(math.log(share) for share in shares.values()), labels=tuple(shares),
            groups={"gender": gender}, score_kind="logprob",
        )  # fmt: skip

    samples = [
        chosen("female", {"nurse": 0.7, "chef": 0.3}),
        chosen("male", {"nurse": 0.4, "chef": 0.6}),
    ]
    shift = make("counterfactual_shift", ("nurse", "chef"), elicitation="choice")
    assert value(shift, samples) == pytest.approx(0.3)
    consistency = make("counterfactual_consistency", ("nurse", "chef"), elicitation="choice")
    assert value(consistency, samples) == 0


def test_an_answer_without_scores_is_sure() -> None:
    samples = [
        ScoredSample(
            gender, "set", None, answer, labels=("yes", "no"), groups={"gender": gender},
            fields={"concept": "nurse"},
        )
        for gender, answer in (("female", "yes"), ("male", "no"), ("unknown", None))
    ]  # fmt: skip
    assert value(make("counterfactual_shift"), samples) == pytest.approx(1.0)
