"""Comparisons of one metric over groups, as fairlearn's MetricFrame defines them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np

from harness.metrics.contract import Floats

MIN_N = 30
"""Groups of fewer samples take no part: their extremes are mostly noise."""

MEASURES: Mapping[str, Literal["low", "high"]] = {
    "worst group": "low",
    "difference between groups": "high",
    "ratio between groups": "low",
    "difference to overall": "high",
    "ratio to overall": "low",
}
"""What is compared, and which tail of it speaks against chance (for a metric to be raised)."""


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
    there = np.isfinite(groups)
    several = there.sum(axis=-1) > 1
    lowest = np.min(np.where(there, groups, np.inf), axis=-1, initial=np.inf)
    highest = np.max(np.where(there, groups, -np.inf), axis=-1, initial=-np.inf)
    whole = overall[..., np.newaxis]
    with np.errstate(invalid="ignore", divide="ignore"):
        away = np.max(np.where(there, np.abs(groups - whole), -np.inf), axis=-1, initial=-np.inf)
        shares = np.minimum(groups / whole, whole / groups)
        least = np.min(np.where(there, shares, np.inf), axis=-1, initial=np.inf)
        found = np.stack(
            [
                worst_of(lowest, highest, direction),
                highest - lowest,
                np.where(lowest >= 0, lowest / highest, np.nan),
                away,
                np.where((lowest >= 0) & (overall > 0), least, np.nan),
            ],
            axis=-1,
        )
    found[~several] = np.nan
    return np.where(np.isfinite(found), found, np.nan)


def worst_of(lowest: Floats, highest: Floats, direction: str) -> Floats:
    """Return the worst of several values by their extremes."""
    if direction == "higher":
        return lowest
    if direction == "lower":
        return highest
    return np.where(np.abs(lowest) > np.abs(highest), lowest, highest)


def extreme_of(measure: str, direction: str) -> Literal["low", "high"]:
    """Return which tail of a measure speaks against chance."""
    if measure == "worst group" and direction == "lower":
        return "high"
    return MEASURES[measure]
