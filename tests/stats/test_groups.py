"""Comparisons of groups against fairlearn's MetricFrame."""

from __future__ import annotations

import numpy as np
import pytest
from fairlearn.metrics import MetricFrame
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score

from harness.stats.groups import MEASURES, bands, extreme_of, measures
from harness.stats.intervals import band

rows = st.lists(
    st.tuples(st.booleans(), st.booleans(), st.sampled_from("abc")), min_size=2, max_size=40
)


@given(rows)
@settings(deadline=None)
def test_measures_are_those_of_fairlearn(held: list[tuple[bool, bool, str]]) -> None:
    truth, message, groups = (np.array(column) for column in zip(*held, strict=True))
    frame = MetricFrame(
        metrics=accuracy_score, y_true=truth, y_pred=message, sensitive_features=groups
    )
    if len(frame.by_group) < 2 or not frame.overall:
        return
    by_group = frame.by_group.to_numpy(dtype=float)
    mapping = dict(
        zip(MEASURES, measures(np.array(frame.overall), by_group, "higher"), strict=True)
    )
    expected = {
        "worst group": frame.group_min(),
        "difference between groups": frame.difference(method="between_groups"),
        "ratio between groups": frame.ratio(method="between_groups"),
        "difference to overall": frame.difference(method="to_overall"),
        "ratio to overall": frame.ratio(method="to_overall"),
    }
    assert mapping == pytest.approx(expected)


def test_groups_without_a_value_take_no_part_and_one_alone_is_not_compared() -> None:
    result = measures(np.array(0.5), np.array([0.4, np.nan, 0.6]), "higher")
    assert result[:2] == pytest.approx([0.4, 0.2])
    assert np.isnan(measures(np.array(0.5), np.array([0.4, np.nan]), "higher")).all()
    assert np.isnan(measures(np.array(0.5), np.empty(0), "higher")).all()


def test_the_worst_group_follows_the_direction() -> None:
    groups = np.array([-0.3, 0.1, 0.2])
    worst = [measures(np.array(0.1), groups, way)[0] for way in ("higher", "lower", "zero")]
    assert worst == [-0.3, 0.2, -0.3]
    assert extreme_of("worst group", "lower") == "high"
    assert extreme_of("ratio to overall", "lower") == "low"


def test_ratios_of_what_is_not_above_zero_are_not_defined() -> None:
    result = measures(np.array(0.0), np.array([-0.1, 0.1]), "zero")
    assert np.isnan(result[[2, 4]]).all()
    assert np.isnan(measures(np.array(0.0), np.zeros(2), "higher")[2])


def test_any_leading_axes_will_do() -> None:
    random = np.random.default_rng(0)
    overall, groups = random.random((4, 3)), random.random((4, 3, 5))
    result = measures(overall, groups, "higher")
    assert result.shape == (4, 3, len(MEASURES))
    np.testing.assert_array_equal(result[2, 1], measures(overall[2, 1], groups[2, 1], "higher"))


def test_two_groups_have_the_band_of_their_difference() -> None:
    random = np.random.default_rng(0)
    value = np.array([0.6, 0.7, 0.5])
    drawn = value + random.normal(0, 0.02, (4000, 3))
    low, high = band(value[1:2] - value[2:], drawn[:, 1:2] - drawn[:, 2:])
    mapping = dict(zip(MEASURES, bands(value, drawn, "higher")[0], strict=True))
    assert mapping["difference between groups"] == pytest.approx((low[0], high[0]))
    share = mapping["ratio between groups"]
    assert share is not None
    assert share[0] < 0.5 / 0.7 < share[1] < 1
    worst = mapping["worst group"]
    assert worst is not None
    assert worst[0] < 0.5 < worst[1]
    assert bands(value, drawn, "zero")[0][0] is None
    assert bands(value[:2], drawn[:, :2], "higher") == [[None] * len(MEASURES)]


@pytest.mark.parametrize("spread", [0.0, 0.05])
def test_bands_hold_the_truth_at_parity_and_away_from_it(spread: float) -> None:
    random = np.random.default_rng(1)
    truth = 0.6 + spread * np.array([0.0, -1.0, 0.0, 1.0])
    expected = measures(truth[0], truth[1:], "higher")
    hits = np.zeros(len(MEASURES))
    for _ in range(200):
        value = truth + random.normal(0, 0.02, 4)
        drawn = value + random.normal(0, 0.02, (400, 4))
        for at, ends in enumerate(bands(value, drawn, "higher")[0]):
            assert ends is not None
            hits[at] += ends[0] <= expected[at] + 1e-12 and expected[at] <= ends[1] + 1e-12
    # 1,500 trials give 94.5 to 99 %; four standard errors of 200 trials leave 177.
    assert (hits >= 177).all()


def test_groups_without_a_right_answer_warn_of_nothing() -> None:
    random = np.random.default_rng(0)
    drawn = random.integers(0, 2, size=(50, 4)).astype(float)  # zeros, whose logarithm is infinite
    (result,) = bands(np.array([0.5, 0.5, 0.5, 0.5]), drawn, "higher")
    assert result[1] is not None
