"""Krippendorff's alpha: how far annotators agree beyond chance (Krippendorff 2011).

``alpha = 1 - observed / expected disagreement``. Units with fewer than two values take no part;
each unit's pairs of values weigh ``1 / (values - 1)``, so that annotators may be missing.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence


def nominal_alpha(units: Sequence[Sequence[Hashable]]) -> float:
    """Return alpha of labels, which are equal or not; NaN where all values are the same.

    Args:
        units: The values that annotators gave to each unit.
    """
    paired = [unit for unit in units if len(unit) > 1]
    totals = Counter(value for unit in paired for value in unit)
    n = totals.total()
    observed = math.fsum(
        (len(unit) ** 2 - sum(count * count for count in Counter(unit).values())) / (len(unit) - 1)
        for unit in paired
    )
    expected = n * n - sum(count * count for count in totals.values())
    return 1 - (n - 1) * observed / expected if expected else math.nan


def interval_alpha(units: Sequence[Sequence[Sequence[float]]]) -> float:
    """Return alpha of points, whose disagreement is their squared distance; NaN where all agree.

    Args:
        units: The points, of one length each, that annotators gave to each unit.
    """
    paired = [unit for unit in units if len(unit) > 1]
    every = [point for unit in paired for point in unit]
    observed = math.fsum(_squares(unit) / (len(unit) - 1) for unit in paired)
    expected = _squares(every)
    return 1 - (len(every) - 1) * observed / expected if expected else math.nan


def _squares(points: Sequence[Sequence[float]]) -> float:
    """Return the sum of squared distances over all ordered pairs of points."""
    n = len(points)
    total = 0.0
    for coordinates in zip(*points, strict=True):
        middle = math.fsum(coordinates) / n
        total += 2 * n * math.fsum((value - middle) ** 2 for value in coordinates)
    return total
