"""Calibration, votes, risk and coverage, abstention: against scikit-learn, and by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from harness_claims.metrics import abstention, selective, votes
from harness_claims.probabilities import log_probabilities, votes_of
from sklearn.metrics import brier_score_loss, log_loss

from harness.descriptors import Json, parse_options
from harness.errors import DataError, UserError
from harness.metrics import ScoredSample
from harness.stats.types import Floats
from harness.targets import load_target
from tests import made

LABELS = ("a", "b", "c")
BY_ID = {one.id: one for module in (votes, selective, abstention) for one in module.DESCRIPTORS}


def make(name: str, labels: Sequence[str] = LABELS, **options: Any) -> Any:
    descriptor = BY_ID[name]
    parsed = parse_options(descriptor.options, options, owner=name)
    return load_target(descriptor)(parsed, tuple(labels))


def asked(
    shares: Sequence[float], target: str = "a", counts: Json = None, answer: str | None = None
) -> ScoredSample:
    best = LABELS[int(np.argmax(shares))] if answer is None else answer
    scores = tuple(math.log(share) - 3 for share in shares)
    fields = {} if counts is None else {"votes": counts}
    return ScoredSample(
        "s", "c", target, best, scores=scores, labels=LABELS, fields=fields, score_kind="logprob"
    )


def drawn(number: int, seed: int = 0) -> tuple[list[ScoredSample], Floats, list[str]]:
    random = np.random.default_rng(seed)
    shares = random.dirichlet((1, 1, 1), size=number)
    targets = [str(one) for one in random.choice(LABELS, size=number)]
    return [asked(row, one) for row, one in zip(shares, targets, strict=True)], shares, targets


def value(metric: Any, samples: Sequence[ScoredSample], weights: Floats | None = None) -> float:
    if hasattr(metric, "prepare"):
        weights = np.ones((1, len(samples))) if weights is None else weights
        return float(metric.value(metric.prepare(samples), weights)[0])
    totals = np.zeros(metric.size)
    for sample in samples:
        for position, number in metric.statistics(sample).items():
            totals[position] += number
    return float(metric.finalize(totals[None])[0])


# --- against scikit-learn -------------------------------------------------------------------------


def test_brier_and_cross_entropy_are_scikit_learns() -> None:
    samples, shares, targets = drawn(80)
    expected = brier_score_loss(targets, shares, labels=LABELS, scale_by_half=False)
    assert value(make("brier"), samples) == pytest.approx(expected)
    voted = [replace(one, fields={"votes": {str(one.target): 7}}) for one in samples]
    assert value(make("votes_cross_entropy"), voted) == pytest.approx(log_loss(targets, shares))
    assert value(make("votes_divergence"), voted) == pytest.approx(log_loss(targets, shares))
    assert value(make("brier", against="votes"), voted) == pytest.approx(expected)


def test_bins_of_equal_mass_are_those_of_a_slow_count() -> None:
    samples, shares, targets = drawn(90, 1)
    confidence = shares.max(axis=1)
    right = np.array([LABELS[at] for at in shares.argmax(axis=1)]) == np.array(targets)
    order = np.argsort(-confidence)
    expected = sum(
        abs(confidence[part].mean() - right[part].mean()) * len(part) / 90
        for part in np.array_split(order, 10)
    )
    result = value(make("calibration_error", bins=10, debiased=False), samples)
    assert result == pytest.approx(expected)


def test_the_area_is_the_mean_risk_over_prefixes_and_weights_repeat_samples() -> None:
    samples, shares, targets = drawn(60, 2)
    wrong = np.array([LABELS[at] for at in shares.argmax(axis=1)]) != np.array(targets)
    ranked = wrong[np.argsort(-shares.max(axis=1))]
    risks = np.cumsum(ranked) / np.arange(1, 61)
    assert value(make("risk_coverage"), samples) == pytest.approx(risks.mean())
    assert value(make("selective_accuracy", coverage=0.5), samples) == pytest.approx(
        1 - ranked[:30].mean()
    )
    weights = np.random.default_rng(3).integers(0, 3, size=60)
    repeated = [one for one, times in zip(samples, weights, strict=True) for _ in range(times)]
    every = make("selective_accuracy"), make("risk_coverage")
    for metric in (*every, make("calibration_error", debiased=False)):
        assert value(metric, samples, weights[None].astype(float)) == pytest.approx(
            value(metric, repeated)
        )


# --- by hand --------------------------------------------------------------------------------------


def test_the_error_of_fewer_samples_than_bins_is_undefined_and_says_so() -> None:
    metric, samples = make("calibration_error", bins=5), [asked((0.8, 0.1, 0.1), "a")] * 5
    assert math.isnan(value(metric, samples[:4]))
    assert metric.notes(samples[:4]) == {"samples, too few for 5 bins of confidence": 4}
    assert value(metric, samples) == pytest.approx(0.2)
    assert metric.notes(samples) == {}


def test_equal_confidences_are_one_bin_and_one_level() -> None:
    samples = [asked((0.8, 0.1, 0.1), "a")] * 5 + [asked((0.8, 0.1, 0.1), "b")] * 5
    for listed in (samples, samples[::-1]):
        plain = value(make("calibration_error", bins=10, debiased=False), listed)
        assert plain == pytest.approx(0.3)
        assert value(make("risk_coverage"), listed) == pytest.approx(0.5)
        assert value(make("selective_accuracy", coverage=0.3), listed) == pytest.approx(0.5)


def test_what_few_samples_in_a_bin_add_is_that_of_simulated_accuracies() -> None:
    # Kumar et al. draw accuracies of each bin and take off by how much the error grows.
    random, plain, debiased, slow = np.random.default_rng(0), [], [], []
    for _ in range(20):
        tops = np.sort(random.uniform(0.4, 0.95, size=150))
        right = random.random(150) < tops
        samples = [
            asked((top, (1 - top) / 2, (1 - top) / 2), "a" if one else "b")
            for top, one in zip(tops, right, strict=True)
        ]
        plain.append(value(make("calibration_error", debiased=False), samples))
        debiased.append(value(make("calibration_error"), samples))
        bins = right.reshape(15, 10).mean(axis=1)
        noise = random.normal(size=(4000, 15)) * np.sqrt(bins * (1 - bins) / 10)
        away = np.abs(bins + noise - tops.reshape(15, 10).mean(axis=1)).mean()
        slow.append(max(0.0, 2 * plain[-1] - float(away)))
    assert debiased == pytest.approx(slow, abs=2e-3)
    assert np.mean(debiased) < 0.8 * np.mean(plain)


def test_the_squared_distance_is_unbiased_and_a_draw_is_as_little_off_as_the_value() -> None:
    random, squares, values, drawn_values = np.random.default_rng(5), [], [], []
    metric = make("calibration_error", norm=2, bins=5)
    for _ in range(60):
        tops = np.sort(random.uniform(0.4, 0.95, size=100))[::-1]
        right = random.random(100) < tops - 0.2
        samples = [
            asked((top, (1 - top) / 2, (1 - top) / 2), "a" if one else "b")
            for top, one in zip(tops, right, strict=True)
        ]
        bins, confidences = right.reshape(5, 20).mean(axis=1), tops.reshape(5, 20).mean(axis=1)
        slow = ((bins - confidences) ** 2 - bins * (1 - bins) / 19).mean()
        squares.append(slow)
        values.append(value(make("calibration_error", bins=5), samples))
        assert value(metric, samples) == pytest.approx(math.sqrt(max(0.0, slow)))
        weights = random.multinomial(100, [0.01] * 100).astype(float)
        drawn_values.append(value(make("calibration_error", bins=5), samples, weights[None]))
    assert np.mean(squares) == pytest.approx(0.04, abs=0.006)
    assert np.mean(drawn_values) == pytest.approx(np.mean(values), abs=0.02)


def test_votes_by_label_or_in_order_weigh_what_annotators_said() -> None:
    # By hand: q = (3/4, 1/4, 0), p = (1/2, 1/4, 1/4).
    cross = 0.75 * math.log(2) + 0.25 * math.log(4)
    entropy = -0.75 * math.log(0.75) - 0.25 * math.log(0.25)
    for counts in ({"a": 3, "b": 1}, [3, 1, 0], [0.75, 0.25, 0]):
        sample = asked((0.5, 0.25, 0.25), counts=counts)  # type: ignore[arg-type]
        assert value(make("votes_cross_entropy"), [sample]) == pytest.approx(cross)
        assert value(make("votes_divergence"), [sample]) == pytest.approx(cross - entropy)
        brier = value(make("brier", against="votes"), [sample])
        assert brier == pytest.approx(0.25**2 + 0.25**2)


def fer(
    counts: list[float], scores: tuple[float, ...] | None, kind: str = "logprob", **options: Any
) -> float:
    labels = ("neutral", "happiness")
    sample = ScoredSample("s", "c", "neutral", "neutral", scores, labels,
                          fields={"votes": list(counts)}, score_kind=kind)  # fmt: skip
    older = made.metric("vote_cross_entropy", labels, **options).of(sample)
    metric = made.metric(
        "votes_cross_entropy", labels, **{"single": "drop", "least": 1e-6} | options
    )
    assert metric.of(sample) == older
    return float(metric.of(sample))


def test_options_make_it_that_of_the_page_of_fer_plus() -> None:
    first = fer([6, 4], (math.log(0.7), math.log(0.3)))
    assert first == pytest.approx(0.6956, abs=1e-4)
    second = fer([1, 9], (math.log(0.6), math.log(0.4)))
    assert second == pytest.approx(0.9163, abs=1e-4)
    remaining = fer([1, 9], (math.log(0.6), math.log(0.4)), single="keep")
    assert remaining == pytest.approx(-(0.1 * math.log(0.6) + 0.9 * math.log(0.4)))
    with pytest.raises(DataError, match="no label has two votes"):
        fer([1, 1], (0.0, 0.0))
    with pytest.raises(DataError, match="votes for 3 labels of 2"):
        fer([1, 1, 3], (0.0, 0.0))
    with pytest.raises(UserError, match="2 is not a probability"):
        fer([2, 3], (0.0, 0.0), least=2.0)
    unsure = fer([6, 4], None, "none")  # a model without log-probabilities is sure of its answer
    assert unsure == pytest.approx(-0.4 * math.log(1e-6))


def test_accuracy_by_agreement_and_of_answerable_questions() -> None:
    agreed = asked((0.8, 0.1, 0.1), "a", {"a": 10})
    split = asked((0.8, 0.1, 0.1), "b", {"a": 5, "b": 5})
    samples = [agreed, split, split]
    assert value(make("agreement_accuracy", least=0.9), samples) == 1
    assert value(make("agreement_accuracy", below=0.9), samples) == 0
    assert math.isnan(value(make("agreement_accuracy", least=0.6, below=0.9), samples))
    questions = [asked((0.8, 0.1, 0.1), "a"), asked((0.1, 0.1, 0.8), "a"),
                 asked((0.1, 0.1, 0.8), "c"), asked((0.1, 0.8, 0.1), "c")]  # fmt: skip
    assert value(make("answerable_accuracy", abstain="c"), questions) == 0.5
    assert value(make("abstention_accuracy", abstain="c"), questions) == 0.5
    assert math.isnan(value(make("abstention_accuracy", abstain="c"), questions[:2]))


def test_logarithms_stay_finite_where_probabilities_round_to_zero() -> None:
    sample = replace(asked((0.5, 0.25, 0.25)), scores=(0.0, -2000.0, -3000.0))
    assert log_probabilities(sample) == pytest.approx((0.0, -2000.0, -3000.0))


# --- wrong input ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        (None, "the sample has no votes"),
        ({"a": 1, "d": 2}, "'d', which is not a label"),
        ({"a": -1, "b": 2}, "int -1 is not a number of votes"),
        ({"a": 0}, "nobody voted"),
        ([0.5, 0.4, 0.3], "sum to 1.2, not to 1"),
        ([1, 2], "votes for 2 labels of 3"),
        ("3 of 5", "votes are str '3 of 5', not counts"),
        ({"a": "many"}, "str 'many' is not a number of votes"),
    ],
)
def test_votes_that_are_none_are_refused_with_their_sample(counts: Any, message: str) -> None:
    with pytest.raises(DataError, match=message) as messages:
        votes_of(asked((0.5, 0.25, 0.25), counts=counts), "votes")
    assert messages.value.fix  # and what to do


def test_what_does_not_fit_the_task_is_refused() -> None:
    written = replace(asked((0.5, 0.25, 0.25)), scores=None, score_kind="")
    with pytest.raises(DataError, match="needs log-probabilities"):
        value(make("calibration_error"), [written])
    with pytest.raises(UserError, match="unknown label 'cannot tell'"):
        make("answerable_accuracy")
    with pytest.raises(UserError, match="is not a valid coverage"):
        make("selective_accuracy", coverage=0.0)
    with pytest.raises(UserError, match="labels of a choice"):
        make("risk_coverage", labels=())
    with pytest.raises(UserError, match="no share is at least"):
        make("agreement_accuracy", least=0.9, below=0.5)
