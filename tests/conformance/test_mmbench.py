"""Letters and circular scores on cases made by running VLMEvalKit and lmms-eval."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from harness_benchmarks.extractors.option_letter import RULES, OptionLetterExtractor
from harness_benchmarks.metrics.mmbench import CircularAccuracy

from harness.metrics import ScoredSample

CASES = json.loads((Path(__file__).parent / "mmbench_cases.json").read_text(encoding="utf-8"))
GROUPS = CASES["circular"]["groups"]
VERSIONS = {
    "vlmevalkit_2026_08": "letter",
    "vlmevalkit_2026_02": "letter_before_2026_06",
    "vlmevalkit_2025_04": "letter_before_2025_08",
    "lmms_eval": "lmms_eval_prefetch",
}


@pytest.mark.parametrize("case", CASES["extraction"], ids=lambda case: str(case["id"]))
def test_each_version_of_the_rules(case: dict[str, Any]) -> None:
    results = {rule: RULES[rule](case["prediction"], case["choices"]) or None for rule in VERSIONS}
    assert results == {rule: case[key] for rule, key in VERSIONS.items()}


@pytest.mark.parametrize("case", CASES["extraction"], ids=lambda case: str(case["id"]))
def test_the_default_agrees_where_all_versions_do(case: dict[str, Any]) -> None:
    result = OptionLetterExtractor({}, ())(case["prediction"], case["choices"])
    if not case["agreed"]:
        return
    assert result.answer == (None if case["letter"] == "Z" else case["letter"])
    # What the rules leave to a judge may still begin as a refusal does.
    problems = {None: {"unparsed", "refusal"}, "Z": {"refusal"}}
    assert result.problem in problems.get(case["letter"], {""})


def test_the_default_differs_from_the_present_version_by_the_word_boundary_only() -> None:
    differing = {
        case["prediction"]: RULES["vlmevalkit_bounded"](case["prediction"], case["choices"])
        for case in CASES["extraction"]
        if RULES["vlmevalkit_bounded"](case["prediction"], case["choices"])
        != RULES["vlmevalkit_2026_08"](case["prediction"], case["choices"])
    }
    assert differing == {"The answer is bird": "", "answer is cat": "A"}


def rows(group: dict[str, Any], rule: str) -> list[ScoredSample]:
    extract = OptionLetterExtractor({"rule": rule}, ())
    return [
        ScoredSample(
            id=str(row["index"]),
            cluster=str(row["index"] % 1_000_000),
            target=row["answer"],
            answer=extract(row["prediction"], row["choices"]).answer,
            fields={"rounds": len(group["rows"])},
        )
        for row in group["rows"]
    ]


@pytest.mark.parametrize("rule", ["vlmevalkit_2026_08", "vlmevalkit_bounded"])
def test_circular_scores(rule: str) -> None:
    metric = CircularAccuracy({}, ())
    samples = [sample for group in GROUPS for sample in rows(group, rule)]
    value = metric.value(metric.prepare(samples), np.ones((1, len(samples))))[0]
    assert value == pytest.approx(np.mean([group["hit"] for group in GROUPS]), abs=1e-12)
    for group in GROUPS:
        samples = rows(group, rule)
        value = metric.value(metric.prepare(samples), np.ones((1, len(samples))))[0]
        assert value == group["hit"], group["style"]
