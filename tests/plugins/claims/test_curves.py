"""The curve of risk by coverage against a slow count, and what has none."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from harness_claims.curves import curve_of, risk_coverage

import harness
from harness.errors import DataError, UserError
from harness.figures.contract import FigureRequest
from harness.requests import Response, Scores
from harness.runs.sample_record import read_samples


class Sure:
    """Scores options at random, by the sample's id."""

    id = "sure"
    identity = {"name": "sure"}
    offers = ("logprobs",)
    capabilities = ("choose",)
    sees_images = False

    def answer(self, requests: Any) -> list[Response]:
        collected = []
        for request in requests:
            random = np.random.default_rng(request.seed)
            shares = random.dirichlet([1.0] * len(request.want.options))
            collected.append(Response(request.id, Scores("logprob", tuple(map(math.log, shares)))))
        return collected


def test_the_curve_is_the_share_of_wrong_answers_among_the_most_confident(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options: Any = {"profile": "demo", "limit": 30, "results": "results"}
    (record,) = harness.run(Sure(), "raf_db", **options).records
    (plain,) = harness.run("majority", "raf_db", **options).records
    lines = list(read_samples(record.directory))
    assert all(line.scores for line in lines)
    ranked = sorted(lines, key=lambda line: -max(line.scores.values if line.scores else (0.0,)))
    wrong = np.cumsum([line.answer != line.target for line in ranked])
    curve = curve_of(record)
    assert curve.coverage == pytest.approx(np.arange(1, 31) / 30)
    assert curve.risk == pytest.approx(wrong / np.arange(1, 31))
    assert curve.area == pytest.approx(np.mean(curve.risk))
    with pytest.raises(DataError, match="log-probabilities"):
        curve_of(plain)

    def request(*records: Any) -> FigureRequest:
        return FigureRequest("risk_coverage", (), lambda **_: list(records))

    plot = risk_coverage(request(record, plain))
    assert plot.shown == (curve,)
    assert "Without log-probabilities: majority" in plot.caption
    labels = plot.draw(plot.shown).axes[0].get_legend_handles_labels()[1]
    assert labels[0].startswith("sure, limit=30, area")
    with pytest.raises(UserError, match="no evaluation is here"):
        risk_coverage(request())
    with pytest.raises(DataError):
        risk_coverage(request(plain))
