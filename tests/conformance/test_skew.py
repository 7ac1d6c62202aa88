"""Retrieval bias on cases scored by VisoGender's own code."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from harness_benchmarks.metrics.retrieval import RetrievalMaxSkew

from harness.metrics import ScoredSample
from tests import made

CASES = json.loads((Path(__file__).parent / "skew_cases.json").read_text(encoding="utf-8"))["cases"]
NAMES = {"maxskew": "retrieval_max_skew", "minskew": "retrieval_min_skew", "bias": "bias_at_k"}


def samples(case: dict[str, Any]) -> list[ScoredSample]:
    pairs = zip(case["groups"], case["scores"], strict=True)
    return [
        ScoredSample(
            f"{index}", "c", None, None, (score,), groups={"gender": group},
            fields={"concept": "nurse"}, score_kind="similarity",
        )
        for index, (group, score) in enumerate(pairs)
    ]  # fmt: skip


def value(metric: Any, case: dict[str, Any]) -> float:
    rows = samples(case)
    return float(metric.value(metric.prepare(rows), np.ones((1, len(rows))))[0])


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["name"]))
def test_every_value_of_the_official_code(case: dict[str, Any]) -> None:
    seen = 0
    for name, expected in case["expected"].items():
        kind, _, k = name.partition("@")
        if kind == "skew":
            for group, skew in expected.items():
                content = made.metric("retrieval_max_skew", k=int(k))
                assert held_skews(content, case)[group] == pytest.approx(skew, abs=1e-12), name
        elif kind == "ndkl":
            assert value(made.metric("ndkl"), case) == pytest.approx(expected, abs=1e-12)
        else:
            metric = made.metric(NAMES[kind], k=int(k))
            assert value(metric, case) == pytest.approx(expected, abs=1e-12), name
        seen += 1
    assert seen == len(case["expected"]) > 4


def held_skews(metric: RetrievalMaxSkew, case: dict[str, Any]) -> dict[str, float]:
    """Return the skew of each group, read off just before the extreme is taken."""
    collected: list[Any] = []

    def look(skews: Any) -> Any:
        collected.append(skews[0])
        return skews.max(axis=-1)

    metric.pick = look  # type: ignore[method-assign]
    rows = samples(case)
    (query,) = metric.prepare(rows)
    metric.query(query, np.ones((1, len(rows))))
    return dict(zip(query.names, collected[0].tolist(), strict=True))
