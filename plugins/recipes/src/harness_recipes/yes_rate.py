"""Weights under which an epoch says yes and no to each concept as often as its pool does."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from harness.training import Example


def keeping_yes_rate(
    pool: Sequence[Example], chosen: Sequence[int], weights: Sequence[float] | None
) -> tuple[list[float], int]:
    """Return weights whose sum, for each concept and answer, is how many samples the pool has.

    Dropping and copying samples of a concept, and weights below or above 1, move how often the
    model is taught to say yes; here they move only to whom.

    Args:
        pool: All samples.
        chosen: Places in the pool of the epoch's samples, copies included.
        weights: The weight of each, all 1 where there are none.

    Returns:
        The new weights, and for how many concepts and answers no sample is left to carry any.
    """
    keys = [(str(example.fields["concept"]), example.against) for example in pool]
    wanted = Counter(keys)
    start_weights = [1.0] * len(chosen) if weights is None else list(weights)
    sums: dict[tuple[str, bool], list[float]] = {}
    for position, weight in zip(chosen, start_weights, strict=True):
        sums.setdefault(keys[position], []).append(weight)
    factors = {key: wanted[key] / math.fsum(of_key) for key, of_key in sums.items()}
    rescaled = [
        weight * factors[keys[place]] for place, weight in zip(chosen, start_weights, strict=True)
    ]
    return rescaled, len(wanted) - len(sums)
