"""Metrics against scikit-learn as the oracle, and by hand where it has none."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import (
    accuracy_score,
    average_precision_score,
    balanced_accuracy_score,
    f1_score,
    recall_score,
)

from harness.descriptors import Json, parse_options
from harness.errors import DataError, UserError
from harness.metrics import AdditiveMetric, GroupMetric, RankMetric, ScoredSample
from harness.plugins import plugins
from harness.targets import load_target

LABELS = ("a", "b", "c", "d")
CONTRACTS = (AdditiveMetric, RankMetric, GroupMetric)
BY_ID = plugins().metrics()


def make(name: str, labels: tuple[str, ...] = LABELS, **options: Json) -> Any:
    descriptor = BY_ID[name]
    return load_target(descriptor)(parse_options(descriptor.options, options, owner=name), labels)


def sample(target: Any, answer: Any, **more: Any) -> ScoredSample:
    return ScoredSample("s", "c", target, answer, **more)


def score(metric: AdditiveMetric, samples: list[ScoredSample]) -> float:
    totals = np.zeros(metric.size)
    for sample in samples:
        for position, value in metric.statistics(sample).items():
            totals[position] += value
    return float(metric.finalize(totals))


def pairs(least: int = 1) -> st.SearchStrategy[list[tuple[int, int]]]:
    return st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), min_size=least, max_size=40)


def answered(result: list[tuple[int, int]]) -> tuple[list[str], list[str], list[ScoredSample]]:
    truth = [LABELS[t] for t, _ in result]
    named = [LABELS[p] for _, p in result]
    return truth, named, [sample(t, p) for t, p in zip(truth, named, strict=True)]


@given(pairs())
def test_label_metrics_equal_scikit_learn(found: list[tuple[int, int]]) -> None:
    truth, named, samples = answered(found)
    there = sorted(set(truth))
    either = sorted(set(truth) | set(named))
    expected = {
        "accuracy": accuracy_score(truth, named),
        "f1_micro": f1_score(truth, named, average="micro", labels=LABELS),
        "f1_macro": f1_score(truth, named, average="macro", labels=either, zero_division=0),
        "mean_class_accuracy": recall_score(truth, named, average="macro", labels=there),
    }
    for name, value in expected.items():
        assert score(make(name), samples) == pytest.approx(value), name
    for label in there:
        expected_recall = recall_score(truth, named, labels=[label], average="macro")
        assert score(make("recall", label=label), samples) == pytest.approx(expected_recall)


@given(pairs())
def test_absent_classes_count_as_zero_on_request(found: list[tuple[int, int]]) -> None:
    truth, named, samples = answered(found)
    macro = f1_score(truth, named, average="macro", labels=LABELS, zero_division=0)
    assert score(make("f1_macro", absent_class="zero"), samples) == pytest.approx(macro)
    recall = recall_score(truth, named, average="macro", labels=LABELS, zero_division=0)
    metric = make("mean_class_accuracy", absent_class="zero")
    assert score(metric, samples) == pytest.approx(recall)


@pytest.mark.parametrize("target", [3, 3.0, True])
def test_a_text_is_not_compared_with_a_number(target: Any) -> None:
    metric = make("accuracy")
    with pytest.raises(UserError, match="the right answer of 's' is the number"):
        metric.statistics(sample(target, "3"))
    assert metric.statistics(sample(target, target)) == {0: 1.0, 1: 1.0}
    assert metric.statistics(sample(target, None)) == {0: 0.0, 1: 1.0}


def test_mean_class_accuracy_is_balanced_accuracy() -> None:
    truth, named, samples = answered([(0, 0), (0, 1), (1, 1), (2, 2), (2, 2), (3, 0)])
    expected = balanced_accuracy_score(truth, named)
    assert score(make("mean_class_accuracy"), samples) == pytest.approx(expected)


def test_an_unparsed_answer_is_wrong_everywhere() -> None:
    samples = [sample("a", "a"), sample("a", None), sample("b", "b"), sample("b", "b")]
    assert score(make("accuracy"), samples) == 0.75
    assert score(make("f1_micro"), samples) == 0.75
    assert score(make("mean_class_accuracy"), samples) == 0.75
    assert score(make("recall", label="a"), samples) == 0.5
    assert score(make("f1_macro"), samples) == pytest.approx((2 / 3 + 1) / 2)


@pytest.mark.parametrize("name", ["accuracy", "f1_micro", "f1_macro", "mean_class_accuracy",
                                  "l2_avg", "l2_min", "auc"])  # fmt: skip
def test_finalize_takes_any_leading_axes_and_is_nan_where_undefined(name: str) -> None:
    metric = make(name)
    totals = np.arange(2 * 3 * metric.size, dtype=np.float64).reshape(2, 3, metric.size)
    totals[0, 0] = 0
    values = metric.finalize(totals)
    assert values.shape == (2, 3)
    assert values.dtype == np.float64
    assert np.isnan(values[0, 0])
    flat = [float(metric.finalize(row)) for row in totals.reshape(6, -1)]
    np.testing.assert_array_equal(values.reshape(6), flat)


def test_recall_of_a_class_nobody_has_is_nan() -> None:
    assert math.isnan(score(make("recall", label="d"), [sample("a", "a")]))


@pytest.mark.parametrize("name", sorted(BY_ID))
def test_every_metric_keeps_exactly_one_of_the_three_contracts(name: str) -> None:
    yes_no = any(option.name == "positive" for option in BY_ID[name].options)
    labels = ("yes", "no") if yes_no else LABELS
    needed = {"names": labels[0], "abstain": labels[0], "first": "woman", "second": "man"}
    options = {option.name for option in BY_ID[name].options}
    arguments = {key: value for key, value in needed.items() if key in options}
    if "label" in options:
        arguments["label"] = labels[0]
    remaining = [isinstance(make(name, labels, **arguments), kind) for kind in CONTRACTS]
    assert sum(remaining) == 1


@pytest.mark.parametrize("name", ["f1_micro", "f1_macro", "mean_class_accuracy", "map"])
def test_metrics_of_classes_need_labels(name: str) -> None:
    with pytest.raises(UserError, match="labels of a choice task"):
        make(name, labels=())


def test_a_target_outside_the_labels_is_named() -> None:
    with pytest.raises(DataError, match=r"sample 's': the target 'z'"):
        make("f1_macro").statistics(sample("z", "a"))


def test_recall_names_near_misses_and_needs_its_label() -> None:
    with pytest.raises(UserError, match="unknown label"):
        make("recall", label="z")
    with pytest.raises(UserError, match="needs the option"):
        make("recall")


# Average precision


def rank_samples(rows: list[tuple[int, list[float]]]) -> list[ScoredSample]:
    return [
        sample(LABELS[truth], LABELS[int(np.argmax(scores))], scores=tuple(scores))
        for truth, scores in rows
    ]


def oracle(truth: list[int], scores: np.ndarray[Any, Any], weights: Any, *, zero: bool) -> float:
    remaining = weights > 0
    values = []
    for k in range(4):
        positive = np.array(truth)[remaining] == k
        if positive.any():
            values.append(
                average_precision_score(
                    positive, scores[remaining, k], sample_weight=weights[remaining]
                )
            )
        elif zero:
            values.append(0.0)
    return float(np.mean(values)) if values else math.nan


coarse = st.sampled_from([-1.0, 0.0, 0.25, 0.5, 1.0])
rows_of_scores = st.lists(
    st.tuples(st.integers(0, 3), st.lists(coarse, min_size=4, max_size=4)), min_size=1, max_size=25
)


@given(rows_of_scores, st.data())
@settings(deadline=None)
def test_map_equals_scikit_learn_under_weights(
    rows: list[tuple[int, list[float]]], data: st.DataObject
) -> None:
    count = st.lists(st.integers(0, 3), min_size=len(rows), max_size=len(rows))
    weights = np.array(data.draw(st.lists(count, min_size=1, max_size=4)), dtype=np.float64)
    truth, scores = [t for t, _ in rows], np.array([s for _, s in rows])
    for zero in (False, True):
        metric = make("map", absent_class="zero" if zero else "leave_out")
        values = metric.value(metric.prepare(rank_samples(rows)), weights)
        expected = [oracle(truth, scores, row, zero=zero) for row in weights]
        np.testing.assert_allclose(values, np.nan_to_num(expected) if zero else expected)


def test_map_of_labels_alone_is_that_of_one_hot_scores_and_unparsed_is_all_zero() -> None:
    truth, named = [0, 1, 0, 2, 1], [0, 1, 1, 2, None]
    samples = [
        sample(LABELS[t], None if p is None else LABELS[p])
        for t, p in zip(truth, named, strict=True)
    ]
    scores = np.array([[float(k == p) for k in range(4)] for p in named])
    metric = make("map")
    value = metric.value(metric.prepare(samples), np.ones((1, 5)))
    assert value[0] == pytest.approx(oracle(truth, scores, np.ones(5), zero=False))


def test_map_ranks_an_unparsed_sample_last_among_scores() -> None:
    metric = make("map", labels=("a", "b"))
    samples = [
        sample("a", "a", scores=(-5.0, -9.0)),
        sample("b", "b", scores=(-7.0, -6.0)),
        sample("b", None),
    ]
    value = metric.value(metric.prepare(samples), np.ones((1, 3)))
    assert value[0] == pytest.approx((1 + (0.5 + 0.5 * 2 / 3)) / 2)


def test_map_is_the_same_in_any_chunk(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    rows = [(int(rng.integers(4)), [float(v) for v in rng.random(4)]) for _ in range(50)]
    weights = rng.multinomial(50, np.full(50, 1 / 50), size=33).astype(np.float64)
    metric = make("map")
    prepared = metric.prepare(rank_samples(rows))
    value = metric.value(prepared, weights)
    monkeypatch.setattr("harness_benchmarks.metrics.average_precision._CELLS", 200)
    np.testing.assert_array_equal(metric.value(prepared, weights), value)


def test_map_without_samples_is_nan() -> None:
    metric = make("map")
    assert np.isnan(metric.value(metric.prepare([]), np.ones((2, 0)))).all()


def test_map_refuses_scores_of_another_length() -> None:
    with pytest.raises(DataError, match="2 scores for 4 labels"):
        make("map").prepare([sample("a", "a", scores=(0.1, 0.2))])
