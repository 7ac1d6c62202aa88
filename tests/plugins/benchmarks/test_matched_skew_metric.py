"""Skew at equal shares and AUC gaps against scikit-learn and a slow count; ties and constants."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from harness_benchmarks.metrics.matched_skew import DESCRIPTORS, SHARES, log_odds
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import logit
from sklearn.metrics import roc_auc_score

from harness.descriptors import parse_options
from harness.errors import DataError, UserError
from harness.evaluation.collectors import GroupCollector, Shared, make_metric
from harness.evaluation.collectors.frame import Frame, Parts
from harness.metrics import ScoredSample
from harness.specs import MetricSpec
from harness.stats.types import Floats
from harness.targets import load_target
from tests.plugins.benchmarks.test_skew_metric import PAGE
from tests.plugins.benchmarks.test_skew_metric import counted as counted_as_they_came

BY_ID = {descriptor.id: descriptor for descriptor in DESCRIPTORS}
YES_NO = ("yes", "no")
WIDTH = 1e-6  # so narrow that a bin is a number
RANKED = tuple(BY_ID)


def make(name: str, labels: Sequence[str] = YES_NO, **options: Any) -> Any:
    descriptor = BY_ID[name]
    return load_target(descriptor)(
        parse_options(descriptor.options, options, owner=name), tuple(labels)
    )


def asked(concept: str, odds: float, **groups: str) -> ScoredSample:
    """Return a sample whose answer yes has these log odds."""
    return ScoredSample(
        "s", "c", None, "yes" if odds > 0 else "no", scores=(odds, 0.0), labels=YES_NO,
        groups=groups, fields={"concept": concept}, score_kind="logprob",
    )  # fmt: skip


def people(random: np.random.Generator, number: int, shift: float = 0.0) -> list[ScoredSample]:
    genders, races = ("female", "male"), ("A", "B", "C")
    return [
        asked(
            str(random.choice(["nurse", "chef"])),
            float(random.normal() + shift),
            gender=str(random.choice(genders)),
            race=str(random.choice(races)),
        )
        for _ in range(number)
    ]


def kinds(samples: Sequence[ScoredSample]) -> dict[str, list[str]]:
    names = sorted({name for sample in samples for name in sample.groups or {}})
    return {name: sorted({(sample.groups or {})[name] for sample in samples}) for name in names}


def odds_of(samples: Sequence[ScoredSample]) -> list[float]:
    assert all(sample.scores for sample in samples)
    return [sample.scores[0] for sample in samples if sample.scores]


def counted(metric: Any, samples: Sequence[ScoredSample]) -> tuple[Any, Floats]:
    """Return the comparison and its totals by part, columns in the metric's own order."""
    _, totals, labels = counted_as_they_came(metric, samples)
    totals = totals[:, list(metric.counts.columns())]
    return metric.settle(metric.counts, metric.parts(labels), totals), totals


def value(metric: Any, samples: Sequence[ScoredSample]) -> float:
    settled, totals = counted(metric, samples)
    return float(settled.combine(settled.components(totals)))


# --- independent counts ---------------------------------------------------------------------------


def extreme_skew(samples: Sequence[ScoredSample], share: float, *, alpha: float) -> float:
    """Return MaxSkew with the highest ``share`` assigned, by sorting; no two odds are equal."""
    highest = []
    for concept in ("chef", "nurse"):
        of = [sample for sample in samples if sample.fields["concept"] == concept]
        ranked = sorted(of, key=lambda sample: -odds_of([sample])[0])
        k = share * len(of)
        weights = [min(1.0, max(0.0, k - index)) for index in range(len(of))]
        skews = []
        for name, values in kinds(of).items():
            for group in values:
                mine = sum(
                    weight
                    for weight, sample in zip(weights, ranked, strict=True)
                    if (sample.groups or {})[name] == group
                )
                p = sum((sample.groups or {})[name] == group for sample in of) / len(of)
                skews.append(math.log((mine + alpha * p) / (k + alpha) / p))
        highest.append(max(skews))
    return float(np.mean(highest))


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5, 0.77])
def test_matched_skew_is_the_skew_of_the_highest_share(share: float) -> None:
    samples = people(np.random.default_rng(0), 200)
    metric = make("matched_max_skew", share=share, resolution=WIDTH)
    assert value(metric, samples) == pytest.approx(extreme_skew(samples, share, alpha=1.0))


def test_the_auc_gap_is_scikit_learns_area_less_one_half() -> None:
    samples = people(np.random.default_rng(1), 200)
    expected = []
    for concept in ("chef", "nurse"):
        of = [sample for sample in samples if sample.fields["concept"] == concept]
        areas = [
            roc_auc_score([(sample.groups or {})[name] == group for sample in of], odds_of(of))
            - 0.5
            for name, values in kinds(of).items()
            for group in values
        ]
        expected.append(max(areas))
    result = value(make("auc_gap", resolution=WIDTH), samples)
    assert result == pytest.approx(np.mean(expected))


def test_the_area_is_the_mean_over_shares() -> None:
    random = np.random.default_rng(2)
    samples = [asked("nurse", float(random.normal()), gender=g) for g in ("a", "b") * 40]
    sizes = np.zeros(2)
    for share in SHARES:
        metric = make("matched_max_skew", share=share, resolution=WIDTH)
        settled, totals = counted(metric, samples)
        sizes += np.abs(settled.components(totals))
    result = value(make("skew_area", resolution=WIDTH), samples)
    assert result == pytest.approx(float(np.max(sizes)) / len(SHARES))


# --- the page -------------------------------------------------------------------------------------


@pytest.mark.parametrize("added", [0.0, 3.0])
def test_the_page_s_example_is_what_the_metrics_say(added: float) -> None:
    odds = {"female": (2.0, 1.5, 1.0, -0.5), "male": (0.5, -1.0, -1.5, -2.0)}
    samples = [asked("nurse", at + added, gender=g) for g, row in odds.items() for at in row]
    matched = value(make("matched_max_skew", share=0.5, alpha=0.0), samples)
    gap = value(make("auc_gap"), samples)
    chapter = PAGE.read_text("utf-8").split("## What a skew of 0 does not say")[1]
    assert f"one man; {matched:.3f} before and after" in chapter
    assert f"1/2 = {gap:.4f} before and after" in chapter


# --- what they are for ----------------------------------------------------------------------------


@pytest.mark.parametrize("name", RANKED)
@given(shift=st.floats(-8, 8))
@settings(max_examples=20, deadline=None)
def test_a_model_cannot_buy_a_lower_number_with_yes_or_no(name: str, shift: float) -> None:
    # Moving every answer by whole bins changes no rank, and so nothing else.
    step = round(shift / 0.05) * 0.05
    still, moved = (people(np.random.default_rng(3), 120, by) for by in (0.0, step))
    metric = make(name)
    assert value(make(name), moved) == pytest.approx(value(metric, still), abs=0.05)
    fine = make(name, resolution=1e-4)
    assert value(fine, moved) == pytest.approx(value(make(name, resolution=1e-4), still), abs=1e-3)


@pytest.mark.parametrize("name", RANKED)
@pytest.mark.parametrize("answer", ["yes", "no"])
def test_a_model_that_always_says_the_same_has_no_value(name: str, answer: str) -> None:
    scores = (1.0, 0.0) if answer == "yes" else (0.0, 1.0)
    samples = [
        ScoredSample("s", "c", None, answer, scores=scores, labels=YES_NO, groups={"gender": g},
                     fields={"concept": "nurse"}, score_kind="label")
        for g in ("female", "male") * 10
    ]  # fmt: skip
    metric = make(name)
    assert math.isnan(value(metric, samples))
    assert counted(metric, samples)[0].notes() == {
        "concepts whose answers are all tied, which rank nobody": 1
    }


@pytest.mark.parametrize(("share", "number"), [(0.1, 2), (0.25, 1), (0.9, 0)])
def test_values_that_are_seldom_assigned_are_counted(share: float, number: int) -> None:
    # Of 40 people 4, 10 or 36 are assigned: women first, and of the men none, none or 16.
    samples = [
        asked("nurse", index + 100.0 * (gender == "female"), gender=gender)
        for gender in ("female", "male")
        for index in range(20)
    ]
    samples = [
        replace(sample, scores=(sample.scores[0] / 10, 0.0)) for sample in samples if sample.scores
    ]
    notes = counted(make("matched_max_skew", share=share), samples)[0].notes()
    assert [count for note, count in notes.items() if "fewer than five images" in note] == (
        [number] if number else []
    )


@pytest.mark.parametrize("name", RANKED)
def test_one_group_alone_has_no_value_and_ties_are_taken_alike(name: str) -> None:
    alone = [asked("nurse", float(index), gender="female") for index in range(8)]
    metric = make(name)
    assert math.isnan(value(metric, alone))
    notes = counted(metric, alone)[0].notes()
    assert notes["attributes with one value alone, which compare nobody"] == 1
    tied = [asked("nurse", float(index % 2), gender=g) for g in ("a", "b") for index in range(8)]
    assert value(make(name), tied) == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize("name", RANKED)
def test_images_without_a_value_of_an_attribute_have_no_value_and_no_table(name: str) -> None:
    metric = make(name)
    samples = [asked("nurse", float(index)) for index in range(8)]
    settled, totals = counted(metric, samples)
    assert math.isnan(value(metric, samples))
    assert settled.tables(settled.components(totals)) == []


def test_the_order_of_samples_changes_nothing() -> None:
    samples = people(np.random.default_rng(4), 100)
    for name in RANKED:
        assert value(make(name), samples) == pytest.approx(value(make(name), samples[::-1]))


def test_tables_say_the_share_and_no_rate_of_yes() -> None:
    samples = people(np.random.default_rng(5), 100)
    settled, totals = counted(make("matched_min_skew", share=0.2), samples)
    tables = settled.tables(settled.components(totals))
    rows = next(rows for rows in tables if rows.name == "max matched skew by concept")
    assert rows.counts["share"] == pytest.approx([0.2, 0.2])


# --- scores ---------------------------------------------------------------------------------------


def test_log_odds_of_every_kind_of_score() -> None:
    def odds(scores: tuple[float, ...], kind: str) -> list[float]:
        labels = tuple("abc"[: len(scores)])
        item = ScoredSample("s", "c", None, "a", scores=scores, labels=labels, score_kind=kind)
        return log_odds(item, labels)

    shares = np.array([0.7, 0.2, 0.1])
    assert odds(tuple(np.log(shares)), "logprob") == pytest.approx(logit(shares))
    assert odds((0.3, 0.25), "similarity") == pytest.approx([5.0, -5.0])
    assert odds((1.0, 0.0), "label") == [math.inf, -math.inf]
    assert odds((1.0, 0.0), "") == [math.inf, -math.inf]
    assert odds((0.0, -math.inf), "logprob") == [math.inf, -math.inf]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"share": 0.0}, "is not a valid share"),
        ({"share": 1.0}, "is not a valid share"),
        ({"resolution": 0.0}, "not a valid width"),
        ({"resolution": float("nan")}, "not a finite number"),
    ],
)
def test_options_out_of_range_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        make("matched_max_skew", **options)


# --- two evaluations ------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "shift"), [("auc_gap", 40.0), ("matched_min_skew", 0.0)])
def test_two_evaluations_whose_log_odds_differ_are_compared_person_by_person(
    name: str, shift: float
) -> None:
    random = np.random.default_rng(6)
    first = [
        replace(item, id=str(at), cluster=str(at)) for at, item in enumerate(people(random, 90))
    ]
    # The second model ranks otherwise, and with a shift shares not one bin with the first.
    odds = [random.normal() + shift / 2 for _ in first]
    second = [replace(item, scores=(at, 0.0)) for item, at in zip(first, odds, strict=True)]
    frame, collectors = Frame(), []
    for item in first:
        frame.add(item)
    for samples in (first, second):
        spec = MetricSpec(name, name, "zero", 1.0, main=True)
        made = make_metric(name, {}, YES_NO)
        collector = GroupCollector(spec, made, {}, needs_target=False)
        for item in samples:
            collector.add(item)
        collectors.append(collector)
    before, after = (value(make(name), samples) for samples in (first, second))
    everything = Parts([()], np.zeros(len(first), dtype=np.int64), [()])
    result = collectors[0].paired(collectors[1], everything, frame, seed=0)
    assert (result.first[0], result.second[0]) == pytest.approx((before, after))
    assert result.paired[0].difference == pytest.approx(after - before)
    assert result.paired[0].p is not None
    back = collectors[1].paired(collectors[0], everything, frame, seed=0)
    assert back.paired[0].difference == pytest.approx(before - after)


def test_metrics_of_one_count_keep_their_own_draws() -> None:
    shared, frame, made = Shared(), Frame(), {}
    samples = people(np.random.default_rng(7), 60)
    for name in RANKED:
        spec = MetricSpec(name, name, "zero", 1.0, main=True)
        made[name] = GroupCollector(spec, make_metric(name, {}, YES_NO), shared, needs_target=False)
    for at, item in enumerate(samples):
        sample = replace(item, id=str(at), cluster=str(at))
        frame.add(sample)
        for collector in made.values():
            collector.add(sample)
    results = {name: collector.overall(frame, 0).value for name, collector in made.items()}
    assert results == {name: pytest.approx(value(make(name), samples)) for name in RANKED}
    heads = [item.name for collector in made.values() for item in collector.tables(frame, 0)]
    assert len(heads) == len(set(heads)) == 3 * 5


@pytest.mark.parametrize("size", [2, 7, 64])
@pytest.mark.parametrize("name", ["auc_gap", "matched_max_skew", "max_skew", "min_skew"])
@pytest.mark.parametrize("options", [{}, {"concepts": "nurse"}, {"estimator": "soft"}])
def test_samples_added_many_at_a_time_are_those_added_one_by_one(
    name: str, options: dict[str, Any], size: int
) -> None:
    if "estimator" in options and name in RANKED:
        options = {"resolution": 0.7}
    random = np.random.default_rng(5)
    every = []
    for index, item in enumerate(people(random, 240)):
        extreme = float(random.choice([-1e3, -0.05, 0.0, 0.025, 1e3])), 0.0
        moved = replace(item, id=str(index), cluster=str(index // 4), source=str(index // 2))
        every.append(moved if index % 3 else replace(moved, scores=extreme))
    if "estimator" not in options:
        # Answers in words have no scores, and are counted one by one.
        every[30:33] = [replace(item, scores=None, score_kind="") for item in every[30:33]]
    # What says of no image that it is its own shares its label with nobody.
    every[60:67] = [replace(item, source="") for item in every[60:67]]
    spec = MetricSpec(name, name, "zero", 1.0, main=True, options=options)
    seen = []
    for step in (1, size):
        metric = make_metric(name, options, YES_NO)
        frame, collector = Frame(), GroupCollector(spec, metric, {}, needs_target=False)
        for start in range(0, len(every), step):
            frame.add(*every[start : start + step])
            collector.add(*every[start : start + step])
        seen.append((collector.overall(frame, 0), collector.tables(frame, 0), collector.notes()))
    assert repr(seen[0]) == repr(seen[1])


@pytest.mark.parametrize("name", ["auc_gap", "max_skew"])
@pytest.mark.parametrize("concept", [None, 3, ["nurse"], ""])
def test_a_sample_without_a_concept_among_many_is_named(name: str, concept: Any) -> None:
    every = [
        replace(item, id=str(at)) for at, item in enumerate(people(np.random.default_rng(1), 4))
    ]
    every[2] = replace(every[2], fields={"concept": concept})
    spec = MetricSpec(name, name, "zero", 1.0, main=True)
    collector = GroupCollector(spec, make_metric(name, {}, YES_NO), {}, needs_target=False)
    with pytest.raises(DataError, match="no concept") as raised:
        collector.add(*every)
    assert raised.value.where == "sample '2'"


def test_metrics_of_one_count_share_their_draws_and_give_what_each_gives_alone() -> None:
    random = np.random.default_rng(3)
    every = [
        replace(item, id=str(index), cluster=str(index // 4))
        for index, item in enumerate(people(random, 160))
    ]

    def values(*names: str) -> list[Any]:
        shared, frame = Shared(), Frame()
        metrics = [
            GroupCollector(
                MetricSpec(name, name, "zero", 1.0, main=False, options={}),
                make(name, attributes="gender,race"), shared, needs_target=False,
            )
            for name in names
        ]  # fmt: skip
        for sample in every:
            frame.add(sample)
            for metric in metrics:
                metric.add(sample)
        return [metric.overall(frame, 0) for metric in metrics]

    assert values(*RANKED) == [values(name)[0] for name in RANKED]
