"""How far annotators agree beyond chance: Krippendorff's alpha (2011), Fleiss' kappa (1971).

``alpha = 1 - observed / expected disagreement``. Units with fewer than two values take no part;
each unit's pairs of values weigh ``1 / (values - 1)``, so that annotators may be missing. Kappa is
of labels that equally many annotators gave to every unit, and is not defined otherwise.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Sequence

from harness.descriptors import Json


def agreement(units: Sequence[Sequence[Json]]) -> str:
    """Return in one line how far annotators agree.

    Args:
        units: The answers to each sample that two or more annotators answered.
    """
    mean = sum(map(len, units)) / len(units) if units else 0
    alpha = alpha_of(units)
    # Where all answers are the same, no disagreement is expected and none can be compared with it.
    figure = "undefined (all answers are the same)" if math.isnan(alpha) else f"{alpha:.3f}"
    line = (
        f"agreement of the split's annotators: Krippendorff's alpha {figure}, "
        f"{len(units):,} samples of {mean:.1f} answers"
    )
    kappa = kappa_of(units)
    return line if kappa is None else f"{line}; Fleiss' kappa {kappa:.3f}"


def alpha_of(units: Sequence[Sequence[Json]]) -> float:
    """Return Krippendorff's alpha: of points by distance, of texts by equality but for case."""
    if all(isinstance(one, list) for unit in units for one in unit):
        return interval_alpha([[_point(one) for one in unit] for unit in units])
    return nominal_alpha([list(map(_label, unit)) for unit in units])


def kappa_of(units: Sequence[Sequence[Json]]) -> float | None:
    """Return Fleiss' kappa of texts; ``None`` of points, and where it is not defined."""
    if any(isinstance(one, list) for unit in units for one in unit):
        return None
    kappa = fleiss_kappa([list(map(_label, unit)) for unit in units])
    return None if math.isnan(kappa) else kappa


def _label(value: Json) -> str:
    return str(value).strip().casefold()


def _point(value: Json) -> list[float]:
    assert isinstance(value, list)
    return [float(str(one)) for one in value]


def fleiss_kappa(units: Sequence[Sequence[Hashable]]) -> float:
    """Return Fleiss' kappa; NaN where units have different numbers of values, or all are the same.

    Args:
        units: The labels that annotators gave to each unit.
    """
    sizes = {len(unit) for unit in units}
    if len(sizes) != 1 or sizes & {0, 1}:
        return math.nan
    size, totals = sizes.pop(), Counter(value for unit in units for value in unit)
    pairs = sum(count * (count - 1) for unit in units for count in Counter(unit).values())
    observed = pairs / (len(units) * size * (size - 1))
    expected = math.fsum((count / totals.total()) ** 2 for count in totals.values())
    return (observed - expected) / (1 - expected) if expected < 1 else math.nan


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
