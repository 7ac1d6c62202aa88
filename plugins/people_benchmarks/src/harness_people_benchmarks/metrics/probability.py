"""The probability that a model gives one of the offered answers."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from harness.metrics.contract import ScoredSample


def probability_of(sample: ScoredSample, label: str, tokens: float = 1.0) -> float:
    """Return the probability of a label among those offered.

    Log-probabilities are divided by ``tokens`` (those of an option, for their mean) and go through
    a softmax; scores that are no probabilities (similarities), and answers without scores, count
    as 1 for the label answered and 0 for others.
    """
    if sample.scores is None or label not in sample.labels or sample.score_kind == "similarity":
        return float(sample.answer == label)
    position = sample.labels.index(label)
    if sample.score_kind == "label":
        return float(sample.scores[position])
    highest = max(sample.scores)
    powers = [math.exp((score - highest) / tokens) for score in sample.scores]
    return powers[position] / math.fsum(powers)
