"""Comparisons of groups against fairlearn's MetricFrame."""

from __future__ import annotations

import numpy as np
import pytest
from fairlearn.metrics import MetricFrame
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score

from harness.stats.groups import MEASURES, extreme_of, measures

rows = st.lists(
    st.tuples(st.booleans(), st.booleans(), st.sampled_from("abc")), min_size=2, max_size=40
)


@given(rows)
@settings(deadline=None)
def test_measures_are_those_of_fairlearn(held: list[tuple[bool, bool, str]]) -> None:
    truth, said, groups = (np.array(column) for column in zip(*held, strict=True))
    frame = MetricFrame(
        metrics=accuracy_score, y_true=truth, y_pred=said, sensitive_features=groups
    )
    if len(frame.by_group) < 2 or not frame.overall:
        return
    by_group = frame.by_group.to_numpy(dtype=float)
    found = dict(zip(MEASURES, measures(np.array(frame.overall), by_group, "higher"), strict=True))
    expected = {
        "worst group": frame.group_min(),
        "difference between groups": frame.difference(method="between_groups"),
        "ratio between groups": frame.ratio(method="between_groups"),
        "difference to overall": frame.difference(method="to_overall"),
        "ratio to overall": frame.ratio(method="to_overall"),
    }
    assert found == pytest.approx(expected)


def test_groups_without_a_value_take_no_part_and_one_alone_is_not_compared() -> None:
    found = measures(np.array(0.5), np.array([0.4, np.nan, 0.6]), "higher")
    assert found[:2] == pytest.approx([0.4, 0.2])
    assert np.isnan(measures(np.array(0.5), np.array([0.4, np.nan]), "higher")).all()
    assert np.isnan(measures(np.array(0.5), np.empty(0), "higher")).all()


def test_the_worst_group_follows_the_direction() -> None:
    groups = np.array([-0.3, 0.1, 0.2])
    worst = [measures(np.array(0.1), groups, way)[0] for way in ("higher", "lower", "zero")]
    assert worst == [-0.3, 0.2, -0.3]
    assert extreme_of("worst group", "lower") == "high"
    assert extreme_of("ratio to overall", "lower") == "low"


def test_ratios_of_what_is_not_above_zero_are_not_defined() -> None:
    found = measures(np.array(0.0), np.array([-0.1, 0.1]), "zero")
    assert np.isnan(found[[2, 4]]).all()
    assert np.isnan(measures(np.array(0.0), np.zeros(2), "higher")[2])


def test_any_leading_axes_will_do() -> None:
    random = np.random.default_rng(0)
    overall, groups = random.random((4, 3)), random.random((4, 3, 5))
    found = measures(overall, groups, "higher")
    assert found.shape == (4, 3, len(MEASURES))
    np.testing.assert_array_equal(found[2, 1], measures(overall[2, 1], groups[2, 1], "higher"))
