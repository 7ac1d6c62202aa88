"""Intervals of skew by value and by concept, and of a value that is never assigned."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from harness.evaluation.collectors import GroupCollector, make_metric
from harness.evaluation.collectors.frame import Frame
from harness.metrics import ScoredSample
from harness.runs.record import Detail
from harness.specs import MetricSpec
from harness.stats.intervals import BAND, SYMMETRIC

CONCEPTS, GROUPS = ("chef", "nurse"), ("a", "b", "c")
KEYS = [f"skew by {what}" for what in ("attribute", "concept and attribute")]


def measured(
    name: str = "min_skew", people: int = 90, never: str = "", seed: int = 0
) -> tuple[GroupCollector, Frame, dict[str, Detail]]:
    """Return people of three groups, asked about two concepts; ``never`` is never a nurse."""
    random, frame = np.random.default_rng(seed), Frame()
    spec = MetricSpec(name, name, "zero", 1.0, main=True)
    metric = make_metric(name, {}, ("yes", "no"))
    collector = GroupCollector(spec, metric, {}, needs_target=False)
    for person in range(people):
        group = GROUPS[person % 3]
        for concept in CONCEPTS:
            yes = random.random() < 0.4 and (concept, group) != ("nurse", never)
            sample = ScoredSample(
                f"{person}-{concept}", str(person), None, "yes" if yes else "no",
                groups={"group": group}, fields={"concept": concept}, source=str(person),
            )  # fmt: skip
            frame.add(sample)
            collector.add(sample)
    return collector, frame, {table.name: table for table in collector.tables(frame, 0)}


def test_the_interval_of_a_value_reaches_as_far_as_95_of_100_draws_on_either_side() -> None:
    collector, frame, tables = measured()
    assert tables[KEYS[0]].method == SYMMETRIC
    drawn = collector._settled(frame, 0)[0].components
    cells = [[by_value[at::3] for at in range(3)] for by_value in drawn.drawn]
    for at, row in enumerate(tables[KEYS[0]].rows):
        value = float(np.mean(drawn.value[at::3]))
        away = sorted(abs(float(np.mean(draw[at])) - value) for draw in cells)
        reach = float(np.quantile(away, 0.95))
        assert row.value == pytest.approx(value)
        assert (row.low, row.high) == pytest.approx((value - reach, value + reach))


@pytest.mark.parametrize(("extreme", "pick"), [("min", min), ("max", max)])
def test_the_interval_of_a_concept_s_extreme_is_the_extreme_of_its_cells_band(
    extreme: str, pick: Callable[..., Any]
) -> None:
    _, _, tables = measured()
    by_concept = tables[f"{extreme} skew by concept"]
    assert by_concept.method == tables[KEYS[1]].method == BAND
    for row in by_concept.rows:
        cells = [item for item in tables[KEYS[1]].rows if item.key["concept"] == row.key["concept"]]
        assert (row.low, row.high) == tuple(
            pick(getattr(cell, end) for cell in cells) for end in ("low", "high")
        )


def test_the_band_of_a_fair_model_s_extremes_holds_what_percentiles_never_held() -> None:
    """Each group is asked for alike, so every skew is 0 in the population."""
    hits = 0
    for seed in range(20):
        _, _, tables = measured(seed=seed)
        for extreme in ("min", "max"):
            for row in tables[f"{extreme} skew by concept"].rows:
                assert row.low is not None
                assert row.high is not None
                hits += row.low <= 0 <= row.high
    assert hits >= 76


def test_a_group_that_is_never_assigned_is_not_sure_to_be_left_out() -> None:
    """Its share is at most Wilson's for no success, 9 / (k + 9) at three standard errors."""
    collector, frame, tables = measured(never="a")
    (cell,) = (row for row in tables[KEYS[1]].rows if row.key == {"concept": "nurse", "group": "a"})
    k = sum(row.counts["k"] or 0 for row in tables[KEYS[1]].rows if row.key["concept"] == "nurse")
    assert cell.counts["k"] == 0
    assert cell.value == cell.low == pytest.approx(math.log(1 / (k + 1)))
    assert cell.high == pytest.approx(math.log(9 / (k + 9) / (1 / 3)))
    interval = collector.overall(frame, 0).interval
    assert interval is not None
    value = collector.point(frame)
    assert interval.low < value < interval.high - 0.3


def test_a_concept_assigned_to_everybody_has_a_skew_of_0_and_no_interval() -> None:
    frame = Frame()
    spec = MetricSpec("max_skew", "max", "zero", 1.0, main=True)
    collector = GroupCollector(
        spec, make_metric("max_skew", {}, ("yes", "no")), {}, needs_target=False
    )
    for person in range(30):
        sample = ScoredSample(
            str(person), str(person), None, "yes", groups={"group": GROUPS[person % 3]},
            fields={"concept": "chef"}, source=str(person),
        )  # fmt: skip
        frame.add(sample)
        collector.add(sample)
    value = collector.overall(frame, 0)
    assert value.value == pytest.approx(0)
    assert value.interval is not None
    assert (value.interval.low, value.interval.high) == pytest.approx((0, 0))
    assert {row.low for table in collector.tables(frame, 0) for row in table.rows} == {None}
