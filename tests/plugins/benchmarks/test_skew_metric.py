"""Skew@C against a slow count by hand, against the page's examples, and where it is not defined."""

from __future__ import annotations

import math
import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from harness_benchmarks.metrics import skew as of_skew
from harness_benchmarks.metrics import yes_rate
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.descriptors import parse_options
from harness.errors import DataError, UserError
from harness.metrics import ScoredSample
from harness.metrics.contract import Comparison, Rows
from harness.stats.types import Floats
from harness.targets import load_target

PAGE = Path(__file__).parents[3] / "docs" / "explanation" / "skew.md"
BY_ID = {descriptor.id: descriptor for descriptor in (*of_skew.DESCRIPTORS, *yes_rate.DESCRIPTORS)}
YES_NO = ("yes", "no")


def make(name: str, labels: Sequence[str] = YES_NO, **options: Any) -> Any:
    descriptor = BY_ID[name]
    return load_target(descriptor)(
        parse_options(descriptor.options, options, owner=name), tuple(labels)
    )


def asked(concept: str, answer: str | None, **groups: str) -> ScoredSample:
    return ScoredSample("s", "c", None, answer, groups=groups, fields={"concept": concept})


def counted(metric: Any, samples: Sequence[ScoredSample]) -> tuple[Comparison, Floats, list[Any]]:
    """Feed samples one by one and return the comparison, its totals by part and the parts."""
    entries = [
        (dict(metric.counts.statistics(sample)), metric.counts.label(sample)) for sample in samples
    ]
    labels = sorted({label for _, label in entries})
    parts = metric.parts(labels)
    totals = np.zeros((len(parts), metric.counts.size))
    for statistics, label in entries:
        for row, part in enumerate(parts):
            if set(part) <= set(label):
                for position, value in statistics.items():
                    totals[row, position] += value
    return metric.settle(metric.counts, parts, totals), totals, labels


def value(metric: Any, samples: Sequence[ScoredSample]) -> float:
    settled, totals, _ = counted(metric, samples)
    return float(settled.combine(settled.components(totals)))


def table(metric: Any, samples: Sequence[ScoredSample], name: str) -> Rows:
    settled, totals, _ = counted(metric, samples)
    return next(rows for rows in settled.tables(settled.components(totals)) if rows.name == name)


# --- the page -------------------------------------------------------------------------------------


def nurses() -> list[ScoredSample]:
    """Ten women and ten men asked about one concept: eight and two are said to fit."""
    answers = {"female": 8, "male": 2}
    return [
        asked("nurse", "yes" if index < answers[gender] else "no", gender=gender)
        for gender in answers
        for index in range(10)
    ]


def said_on_page(name: str) -> list[float]:
    line = re.search(rf"^\| {re.escape(name)} \|(.*)\|$", PAGE.read_text("utf-8"), re.MULTILINE)
    assert line is not None, name
    return [float(cell) for cell in line.group(1).split("|")]


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("add_alpha, alpha 1", {}),
        ("add_alpha, alpha 0", {"alpha": 0.0}),
        ("one_over_k", {"zero": "one_over_k"}),
        ("zero", {"zero": "zero"}),
    ],
)
def test_the_worked_example_of_the_page(name: str, options: dict[str, Any]) -> None:
    results = [value(make(which, **options), nurses()) for which in ("min_skew", "max_skew")]
    assert said_on_page(name) == [round(item, 4) for item in results]


def test_the_page_says_what_happens_to_someone_never_named() -> None:
    never = [asked("nurse", "yes" if index < 4 else "no", gender="female") for index in range(10)]
    never += [asked("nurse", "no", gender="male") for _ in range(10)]
    for zero in ("add_alpha", "one_over_k", "zero"):
        result = value(make("min_skew", zero=zero), never)
        assert said_on_page(f"never named, {zero}") == [round(result, 4)]


# --- a slow count ---------------------------------------------------------------------------------


def slow(  # noqa: C901, PLR0912
    samples: Sequence[ScoredSample], *, zero: str, alpha: float, desired: str, least: int
) -> tuple[float, float]:
    """Return MinSkew and MaxSkew, by the definition alone."""
    lows, highs = [], []
    for concept in {item.fields["concept"] for item in samples}:
        of = [item for item in samples if item.fields["concept"] == concept]
        k_all = sum(item.answer == "yes" for item in of)
        if k_all < max(1, least):
            continue
        by_value: dict[tuple[str, str], list[bool]] = defaultdict(list)
        for item in of:
            for pair in (item.groups or {}).items():
                by_value[pair].append(item.answer == "yes")
        skews = []
        for (name, _), answers in by_value.items():
            family = [content for (other, _), content in by_value.items() if other == name]
            n, k = sum(map(len, family)), sum(map(sum, family))
            p = len(answers) / n if desired == "pool" else 1 / len(family)
            if k == 0:
                continue
            if zero == "add_alpha":
                share = (sum(answers) + alpha * p) / (k + alpha)
            elif sum(answers):
                share = sum(answers) / k
            elif zero == "zero":
                skews.append(0.0)
                continue
            else:
                share = 1 / k
            if share > 0:
                skews.append(math.log(share / p))
        if skews:
            lows.append(min(skews))
            highs.append(max(skews))
    if not lows:
        return math.nan, math.nan
    return math.fsum(lows) / len(lows), math.fsum(highs) / len(highs)


decisions = st.lists(
    st.builds(
        asked,
        st.sampled_from(["nurse", "chef", "pilot"]),
        st.sampled_from(["yes", "no", None]),
        gender=st.sampled_from(["female", "male"]),
        race=st.sampled_from(["Black", "Asian", "White"]),
    ),
    max_size=40,
)


@given(
    decisions,
    st.sampled_from(["add_alpha", "one_over_k", "zero"]),
    st.sampled_from([0.0, 0.5, 1.0]),
    st.sampled_from(["pool", "uniform"]),
    st.integers(0, 4),
)
@settings(deadline=None, max_examples=300)
def test_skew_is_the_slow_count(
    samples: list[ScoredSample], zero: str, alpha: float, desired: str, least: int
) -> None:
    options: dict[str, Any] = {
        "zero": zero, "alpha": alpha, "desired": desired, "min_assigned": least,
    }  # fmt: skip
    expected = slow(samples, zero=zero, alpha=alpha, desired=desired, least=least)
    results = [value(make(name, **options), samples) for name in ("min_skew", "max_skew")]
    np.testing.assert_allclose(results, expected, atol=1e-12)
    assert not np.isinf(results).any()


@given(decisions, st.sampled_from(["pool", "uniform"]))
@settings(deadline=None)
def test_skew_never_exceeds_its_bound(samples: list[ScoredSample], desired: str) -> None:
    metric = make("max_skew", zero="zero", desired=desired)
    rows = table(metric, samples, "skew by concept and attribute")
    for key, skew, n in zip(rows.keys, rows.values, rows.counts["n"], strict=True):
        if np.isfinite(skew):
            (name,) = set(key) - {"concept"}
            family = sum(
                content
                for other, content in zip(rows.keys, rows.counts["n"], strict=True)
                if other["concept"] == key["concept"] and name in other
            )
            share = n / family if desired == "pool" else 1 / 3
            assert skew <= math.log(1 / share) + 1e-9


# --- options --------------------------------------------------------------------------------------


def test_an_intersection_is_compared_as_a_whole() -> None:
    samples = [
        asked("nurse", "yes" if (race, gender) == ("Black", "female") else "no", race=race,
              gender=gender)
        for race in ("Black", "White")
        for gender in ("female", "male")
        for _ in range(10)
    ]  # fmt: skip
    metric = make("max_skew", unit="intersection", zero="one_over_k", attributes="race,gender")
    assert value(metric, samples) == pytest.approx(math.log(4))
    single = make("max_skew", zero="one_over_k", attributes="race,gender")
    assert value(single, samples) == pytest.approx(math.log(2))
    settled, _, labels = counted(single, samples)
    assert settled is not None
    totals = np.array([[10.0, 10.0 * (label == labels[0])] for label in labels])
    (beside,) = single.beside(single.counts, labels, totals)
    assert beside.name == "skew by intersection"
    assert list(beside.keys) == [dict(label) for label in labels]
    named = [index for index, k in enumerate(beside.counts["k"]) if k]
    assert beside.values[named].tolist() == pytest.approx([math.log(4)])


def test_the_choice_among_concepts_asks_every_picture_about_each() -> None:
    labels = ("nurse", "chef")
    answers = [("female", "nurse")] * 3 + [("female", "chef"), ("male", "chef"), ("male", None)]
    samples = [
        ScoredSample("s", "c", None, answer, groups={"gender": gender}, labels=labels)
        for gender, answer in answers
    ]
    metric = make("max_skew", labels, elicitation="choice", zero="one_over_k")
    nurse = math.log(1 / (4 / 6))
    chef = math.log(0.5 / (2 / 6))
    assert value(metric, samples) == pytest.approx((nurse + chef) / 2)


def test_the_soft_estimator_sums_probabilities() -> None:
    def scored(gender: str, yes: float) -> ScoredSample:
        return ScoredSample(
            "s", "c", None, "yes", (math.log(yes), math.log(1 - yes)), YES_NO,
            groups={"gender": gender}, fields={"concept": "nurse"}, score_kind="logprob",
        )  # fmt: skip

    samples = [scored("female", 0.8), scored("female", 0.4), scored("male", 0.2)]
    metric = make("max_skew", estimator="soft", alpha=0.0)
    assert value(metric, samples) == pytest.approx(math.log((1.2 / 1.4) / (2 / 3)))
    rows = table(metric, samples, "skew by attribute")
    assert rows.counts["k"].tolist() == pytest.approx([1.2, 0.2])
    with pytest.raises(DataError, match="log-probabilities"):
        metric.counts.statistics(asked("nurse", "yes", gender="male"))


def test_concepts_can_be_selected_and_scarce_ones_do_not_count() -> None:
    chefs = [asked("chef", "yes", gender="male")] * 2 + [asked("chef", "no", gender="female")] * 2
    samples = [*nurses(), *chefs]
    alone = value(make("max_skew"), nurses())
    assert value(make("max_skew", concepts="nurse"), samples) == alone
    assert value(make("max_skew", min_assigned=3), samples) == alone
    assert value(make("max_skew"), samples) != alone


def test_a_concept_nobody_was_assigned_to_is_not_available() -> None:
    samples = [asked("nurse", "no", gender=gender) for gender in ("female", "male")]
    for zero in ("add_alpha", "one_over_k", "zero"):
        assert math.isnan(value(make("min_skew", zero=zero), samples))
    assert math.isnan(value(make("min_skew"), []))


def test_wrong_options_and_records_are_named() -> None:
    with pytest.raises(UserError, match="not among the labels"):
        make("min_skew", ("a", "b"))
    with pytest.raises(UserError, match="labels of a choice"):
        make("min_skew", (), elicitation="choice")
    with pytest.raises(UserError, match="at least 0"):
        make("min_skew", alpha=-1.0)
    with pytest.raises(DataError, match=r"no concept in its field 'concept'(.|\n)*data\.keep"):
        make("min_skew").counts.statistics(ScoredSample("s", "c", None, "yes"))


def test_extremes_with_equal_options_share_their_counts() -> None:
    assert make("min_skew").counts.key == make("max_skew").counts.key
    assert make("min_skew").counts.key != make("min_skew", estimator="soft").counts.key


def test_the_yes_rate_counts_an_unparsed_answer_as_no() -> None:
    metric = make("yes_rate")
    totals = np.zeros(2)
    for answer in ("yes", "no", None, "yes"):
        for position, content in metric.statistics(asked("nurse", answer)).items():
            totals[position] += content
    assert float(metric.finalize(totals)) == 0.5
