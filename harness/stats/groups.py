"""Comparisons of one metric over groups, as fairlearn's MetricFrame defines them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.stats.interval import Range
from harness.stats.intervals import LEVEL, bands_at, of_difference
from harness.stats.types import Floats

MIN_N = 30
"""Groups of fewer samples take no part: their extremes are mostly noise."""

MEASURES: Mapping[str, Literal["low", "high"]] = {
    "worst group": "low",
    "difference between groups": "high",
    "ratio between groups": "low",
    "difference to overall": "high",
    "ratio to overall": "low",
}
"""Measures, and which of their tails speaks against chance (where more is better)."""


def measures(overall: Floats, groups: Floats, direction: str) -> Floats:
    """Return ``(..., measures)`` in the order of :data:`MEASURES`.

    Args:
        overall: ``(...)`` the metric over all samples.
        groups: ``(..., groups)`` in each group; NaN leaves out a group. With fewer than two groups
            nothing is defined.
        direction: Which way is better; for ``zero`` the worst group lies farthest from zero.

    Returns:
        NaN where undefined, such as a ratio of numbers that are not above zero.
    """
    defined = np.isfinite(groups)
    comparable = defined.sum(axis=-1) > 1
    lowest = np.min(np.where(defined, groups, np.inf), axis=-1, initial=np.inf)
    highest = np.max(np.where(defined, groups, -np.inf), axis=-1, initial=-np.inf)
    reference = overall[..., np.newaxis]
    with np.errstate(invalid="ignore", divide="ignore"):
        away = np.max(
            np.where(defined, np.abs(groups - reference), -np.inf), axis=-1, initial=-np.inf
        )
        shares = np.minimum(groups / reference, reference / groups)
        least = np.min(np.where(defined, shares, np.inf), axis=-1, initial=np.inf)
        stacked = np.stack(
            [
                worst_of(lowest, highest, direction),
                highest - lowest,
                np.where(lowest >= 0, lowest / highest, np.nan),
                away,
                np.where((lowest >= 0) & (overall > 0), least, np.nan),
            ],
            axis=-1,
        )
    stacked[~comparable] = np.nan
    return np.where(np.isfinite(stacked), stacked, np.nan)


def worst_of(lowest: Floats, highest: Floats, direction: str) -> Floats:
    """Return the worst of several values by their extremes."""
    if direction == "higher":
        return lowest
    if direction == "lower":
        return highest
    return np.where(np.abs(lowest) > np.abs(highest), lowest, highest)


def extreme_of(measure: str, direction: str) -> Literal["low", "high"]:
    """Return which tail of a measure is evidence against chance."""
    if measure == "worst group" and direction == "lower":
        return "high"
    return MEASURES[measure]


def range_of(measure: str, possible: Range) -> Range:
    """Return the range of a measure, given the range of the metric."""
    if measure == "worst group":
        return possible
    return (0.0, 1.0) if measure.startswith("ratio") else (0.0, of_difference(possible)[1])


Ends = tuple[float, float]
Places = NDArray[np.intp]


def bands(
    value: Floats, drawn: Floats, direction: str, levels: Sequence[float] = (LEVEL,)
) -> list[list[Ends | None]]:
    """Return an interval of each measure, from simultaneous bands: measures are extremes.

    Differences come from the band of all pairwise differences, ratios from that of the logarithms
    of ratios, the worst group from that of the groups. A greatest distance lies between the
    greatest lower and the greatest upper end of all distances.

    Args:
        value: ``(1 + groups,)`` overall and in each group.
        drawn: ``(draws, 1 + groups)``.
        direction: Which way is better; the worst group of ``zero`` has no interval.
        levels: Confidence levels, in (0, 1).

    Returns:
        For each level, in the order of :data:`MEASURES`; ``None`` where there is none.
    """
    groups = np.flatnonzero(np.isfinite(value[1:])) + 1
    if len(groups) < 2:
        return [[None] * len(MEASURES) for _ in levels]
    first, second = (groups[place] for place in np.triu_indices(len(groups), 1))
    same_group = np.zeros(len(groups), dtype=np.intp)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log(value), np.log(drawn)
    plain = value, drawn
    columns = (
        [_worst(ends, direction) for ends in bands_at(value[groups], drawn[:, groups], levels)],
        _distances(plain, first, second, levels),
        [_share(ends) for ends in _distances(logs, first, second, levels)],
        _distances(plain, groups, same_group, levels),
        [_share(ends) for ends in _distances(logs, groups, same_group, levels)],
    )
    return [list(ends) for ends in zip(*columns, strict=True)]


def _worst(ends: tuple[Floats, Floats], direction: str) -> Ends | None:
    low, high = ends
    if direction == "higher":
        return float(low.min()), float(high.min())
    return (float(low.max()), float(high.max())) if direction == "lower" else None


def _distances(
    sample: tuple[Floats, Floats], first: Places, other: Places, levels: Sequence[float]
) -> list[Ends | None]:
    """Return the interval of the greatest distance between pairs, for each level."""
    with np.errstate(invalid="ignore"):  # the logarithm of a draw may be minus infinite
        apart = sample[0][first] - sample[0][other]
        drawn_apart = sample[1][:, first] - sample[1][:, other]
    if not np.isfinite(apart).all():
        return [None] * len(levels)
    bounds: list[Ends | None] = []
    for low, high in bands_at(apart, drawn_apart, levels):
        near = np.where((low <= 0) & (high >= 0), 0.0, np.minimum(np.abs(low), np.abs(high)))
        bounds.append((float(near.max()), float(np.maximum(np.abs(low), np.abs(high)).max())))
    return bounds


def _share(ends: Ends | None) -> Ends | None:
    return None if ends is None else (float(np.exp(-ends[1])), float(np.exp(-ends[0])))
