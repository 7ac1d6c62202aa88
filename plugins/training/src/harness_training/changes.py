"""Relative changes of a metric's values, and their intervals over seeds."""

from __future__ import annotations

from collections.abc import Sequence

from harness.runs.record import MetricValue
from harness.stats.interval import Range
from harness.stats.intervals import over_seeds


def relative(before: float | None, after: float | None, direction: str) -> float | None:
    """Return the relative change, positive where ``after`` is better; ``None`` from 0.

    Where zero is best, what counts is the distance from it.
    """
    if before is None or after is None:
        return None
    if direction == "zero":
        before, after = abs(before), abs(after)
    sign = 1.0 if direction == "higher" else -1.0
    return sign * (after - before) / abs(before) + 0.0 if before else None


def possible_change(metric: MetricValue) -> Range:
    """Return where a metric's relative change lies: a value from 0 up loses at most all of it."""
    if metric.range[0] != 0.0:
        return None, None
    return {"higher": (-1.0, None), "lower": (None, 1.0)}.get(metric.direction, (None, None))


def change_over_seeds(
    values: Sequence[float], metric: MetricValue
) -> tuple[float | None, float | None]:
    """Return Student's t interval of relative changes, cut to :func:`possible_change`."""
    interval = over_seeds(values)
    if interval is None:
        return None, None
    interval = interval.within(possible_change(metric))
    return interval.low, interval.high
