"""Mean average precision and recall on cases scored by scikit-learn."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from harness.metrics import ScoredSample
from harness.metrics.accuracy import Recall
from tests import made

CASES = json.loads((Path(__file__).parent / "pisc_map_cases.json").read_text(encoding="utf-8"))[
    "cases"
]


def samples(case: dict[str, Any]) -> tuple[tuple[str, ...], list[ScoredSample]]:
    labels = tuple(f"class {k}" for k in range(case["num_classes"]))
    rows = zip(case["labels"], case["scores"], strict=True)
    return labels, [
        ScoredSample("s", "c", labels[truth], labels[int(np.argmax(scores))], tuple(scores))
        for truth, scores in rows
    ]


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["name"]))
def test_mean_average_precision(case: dict[str, Any]) -> None:
    labels, rows = samples(case)
    ones = np.ones((1, len(rows)))
    metric = made.metric("map", labels, absent_class="zero")
    assert metric.value(metric.prepare(rows), ones)[0] == pytest.approx(case["mean_ap"], abs=1e-9)
    there = sorted(set(case["labels"]))
    metric = made.metric("map", labels)
    expected = np.mean([case["class_ap"][k] for k in there])
    assert metric.value(metric.prepare(rows), ones)[0] == pytest.approx(expected, abs=1e-9)


def test_log_probabilities_rank_by_their_share_unless_told_otherwise() -> None:
    # -3 is above -5 by itself; beside -1 it is a small share, and -5 beside -8 a large one.
    rows = [
        ScoredSample("1", "1", "b", "b", (-3.0, -1.0), score_kind="logprob"),
        ScoredSample("2", "2", "a", "a", (-5.0, -8.0), score_kind="logprob"),
    ]
    ones = np.ones((1, 2))
    for ranked_by, expected in (("probability", 1.0), ("likelihood", 0.75)):
        metric = made.metric("map", ("a", "b"), ranked_by=ranked_by)
        assert metric.value(metric.prepare(rows), ones)[0] == pytest.approx(expected)


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["name"]))
def test_recall_of_each_class(case: dict[str, Any]) -> None:
    labels, rows = samples(case)
    for index, label in enumerate(labels):
        if index not in case["labels"]:
            continue
        metric = Recall({"label": label}, labels)
        totals = np.zeros(metric.size)
        for row in rows:
            for at, value in metric.statistics(row).items():
                totals[at] += value
        expected = case["class_recall"][index]
        assert float(metric.finalize(totals)) == pytest.approx(expected, abs=1e-9)
