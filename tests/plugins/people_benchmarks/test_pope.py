"""POPE: lists that the reader `table` maps, and scores that are scikit-learn's."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from harness_people_benchmarks.demo.pope import SAMPLINGS

import harness
from harness.errors import UserError
from harness.metrics import ScoredSample
from harness.requests.extractors.label import LabelExtractor
from tests import made

CASES = Path(__file__).parents[2] / "conformance" / "pope_cases.json"


def value(name: str, pairs: Sequence[tuple[str, str | None]], **options: str) -> float:
    metric = made.metric(name, ("yes", "no"), **options)
    totals = np.zeros(metric.size)
    for target, answer in pairs:
        for at, number in metric.statistics(ScoredSample("s", "c", target, answer)).items():
            totals[at] += number
    return float(metric.finalize(totals))


@pytest.mark.parametrize("label", ["yes", "no"])
def test_precision_and_f1_are_those_of_scikit_learn(label: str) -> None:
    from sklearn.metrics import f1_score, precision_score

    rng = random.Random(3)
    pairs = [(rng.choice(["yes", "no"]), rng.choice(["yes", "yes", "no"])) for _ in range(500)]
    targets, answers = zip(*pairs, strict=True)
    for name, official in (("precision", precision_score), ("f1", f1_score)):
        expected = official(targets, answers, pos_label=label)
        assert value(name, list(pairs), label=label) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("case", json.loads(CASES.read_text())["cases"])
def test_the_numbers_are_those_of_the_authors_program(case: dict[str, Any]) -> None:
    read = LabelExtractor({}, ("yes", "no"))
    answers = [read(text, {}).answer for text in case["answers"]]
    pairs = list(zip(case["labels"], map(str, answers), strict=True))
    for name in ("precision", "recall", "f1"):
        assert value(name, pairs, label="yes") == pytest.approx(case[name], abs=1e-12)
    assert value("accuracy", pairs) == pytest.approx(case["accuracy"], abs=1e-12)
    assert value("yes_rate", pairs) == pytest.approx(case["yes_rate"], abs=1e-12)


def test_the_numbers_of_the_page() -> None:
    pairs: list[tuple[str, str | None]] = [
        ("yes", "yes"), ("yes", "yes"), ("no", "yes"), ("no", "no"),
    ]  # fmt: skip
    assert value("precision", pairs) == pytest.approx(2 / 3)
    assert value("f1", pairs) == 0.8
    assert np.isnan(value("precision", [("yes", "no"), ("no", None)]))
    assert value("f1", [("yes", "no"), ("no", None)]) == 0.0
    with pytest.raises(UserError, match="label 'ja'"):
        made.metric("f1", ("yes", "no"), label="ja")


@pytest.mark.parametrize("sampling", SAMPLINGS)
def test_each_sampling_is_read_and_asks_as_often_for_what_is_not_there(sampling: str) -> None:
    task = harness.load_task("pope", options={"sampling": sampling})
    samples = list(task.samples())
    assert len({sample.id for sample in samples}) == len(samples) > 100
    targets = [sample.target for sample in samples]
    assert targets.count("yes") == targets.count("no")
