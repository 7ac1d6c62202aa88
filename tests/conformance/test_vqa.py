"""VQA accuracy and the TextVQA metric on cases scored by the official evaluators."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from harness_benchmarks.metrics.vqa import TextVqaAccuracy, VqaAccuracy
from harness_benchmarks.metrics.vqa_text import normalised, stripped, textvqa_normalised

from harness.metrics import ScoredSample

HELD = json.loads((Path(__file__).parent / "vqa_cases.json").read_text(encoding="utf-8"))
CASES = HELD["cases"]


def sample(case: dict[str, Any]) -> ScoredSample:
    return ScoredSample(str(case["id"]), "image", case["answers"], case["prediction"])


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["id"]))
def test_official_scores(case: dict[str, Any]) -> None:
    score = VqaAccuracy({}, ()).score(sample(case))
    assert score == pytest.approx(case["score"], abs=1e-9)
    assert round(100 * score, 2) == case["official_percent"]
    textvqa = TextVqaAccuracy({}, ()).score(sample(case))
    assert textvqa == pytest.approx(case["textvqa_score"], abs=1e-9)
    read = normalised if case["normalised"] else str
    assert read(stripped(case["prediction"])) == case["prediction_compared"]
    assert [read(stripped(answer)) for answer in case["answers"]] == case["answers_compared"]
    assert textvqa_normalised(case["prediction"]) == case["textvqa_prediction_compared"]


def test_overall_of_all_cases() -> None:
    metric = VqaAccuracy({}, ())
    totals = np.zeros(metric.size)
    for case in CASES:
        for position, value in metric.statistics(sample(case)).items():
            totals[position] += value
    mean = 100 * sum(case["score"] for case in CASES) / len(CASES)
    assert 100 * float(metric.finalize(totals)) == pytest.approx(mean, abs=1e-9)


def test_the_option_is_the_rule_of_other_harnesses() -> None:
    metric = VqaAccuracy({"unanimous": "normalised"}, ())
    differing = 0
    for case in CASES:
        elsewhere = case.get("differs_elsewhere", {})
        if "py2-ascii-digit" in case["tags"]:
            continue
        expected = elsewhere.get("lmms_vqav2", case["score"])
        differing += expected != case["score"]
        assert metric.score(sample(case)) == pytest.approx(expected, abs=1e-9), case["id"]
    assert differing >= 15
