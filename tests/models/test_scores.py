"""Scores that cannot be what they are said to be are no answers."""

from __future__ import annotations

import pytest

from harness.models.guard import impossible
from harness.requests import Scores


@pytest.mark.parametrize(
    ("scores", "why"),
    [
        (Scores("logprob", (-1.0, 0.5)), "a log-probability of 0.5, above 0"),
        (Scores("label", (1.0, 1.0)), "2 options are said to be the answer"),
        (Scores("label", (0.5, 0.0)), "a label's score of 0.5, which is neither 0 nor 1"),
        (Scores("label", (-1.0, 0.0)), "a label's score of -1, which is neither 0 nor 1"),
        (Scores("label", (0.0, 0.0)), ""),
        (Scores("label", (0.0, 1.0)), ""),
        (Scores("logprob", (0.0, 1e-6)), ""),
        (Scores("logprob", (-2.0, -2.0)), ""),
        (Scores("similarity", (3.5, 3.5)), ""),
    ],
)
def test_what_scores_can_be(scores: Scores, why: str) -> None:
    assert impossible(scores) == why
