"""How many clusters, samples and seeds a difference needs: Student's t test of paired differences.

A difference of two models has one value for each cluster; with equal clusters its standard error is
``spread x sqrt(design effect / samples)``. Power is that of the noncentral t distribution.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from harness.errors import UserError
from scipy.special import stdtrit
from scipy.stats import nct

MOST = 100_000_000
ALPHA = 0.05


def design_effect(sizes: Sequence[int], icc: float) -> float:
    """Return by what factor clusters raise the variance of a mean (Kish 1965).

    Args:
        sizes: Samples in each cluster.
        icc: Intraclass correlation of the differences, 0 to 1.
    """
    total = sum(sizes)
    return 1 + (sum(size * size for size in sizes) / total - 1) * icc


def spread_of_differences(value: float, correlation: float) -> float:
    """Return the standard deviation over samples of the difference of two proportions.

    Args:
        value: What both models are near, 0 to 1.
        correlation: Correlation of the two models' right answers over samples, below 1.
    """
    return math.sqrt(2 * value * (1 - value) * (1 - correlation))


def power_of_test(effect: float, error: float, units: int, alpha: float = ALPHA) -> float:
    """Return the power of the two-sided t test of a difference.

    Args:
        effect: The true difference.
        error: Its standard error.
        units: Clusters, or seeds.
        alpha: Level of the test.
    """
    reach = float(stdtrit(units - 1, 1 - alpha / 2))
    away = abs(effect) / error
    return float(nct.sf(reach, units - 1, away) + nct.cdf(-reach, units - 1, away))


def power_of_equivalence(margin: float, error: float, units: int, alpha: float = ALPHA) -> float:
    """Return the power of two one-sided t tests where the true difference is 0.

    The two tests' errors are added (Bonferroni), which is exact where the power is high.
    """
    reach = float(stdtrit(units - 1, 1 - alpha))
    return max(0.0, 2 * float(nct.sf(reach, units - 1, margin / error)) - 1)


def units_needed(power_at: Callable[[int], float], wanted: float) -> int | None:
    """Return the fewest units (at least 2) with a power; ``None`` where no number is enough."""
    low, high = 1, 2
    while power_at(high) < wanted:
        low, high = high, 2 * high
        if high > MOST:
            return None
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if power_at(middle) >= wanted else (middle, high)
    return high


def smallest_effect(error: float, units: int, wanted: float, alpha: float = ALPHA) -> float:
    """Return the least difference that is shown with a power."""
    low, high = 0.0, error
    while power_of_test(high, error, units, alpha) < wanted:
        high *= 2
    for _ in range(60):
        middle = (low + high) / 2
        if power_of_test(middle, error, units, alpha) >= wanted:
            high = middle
        else:
            low = middle
    return high


def refuse_out_of(name: str, value: float, low: float, high: float) -> None:
    """Refuse a number that is not strictly between two others; ``high`` may be infinite.

    Raises:
        UserError: naming the flag.
    """
    if not low < value < high:
        bounded = high < math.inf
        bound, example = (f" and below {high:g}", (low + high) / 2) if bounded else ("", low + 1)
        raise UserError(
            f"{value:g} should be above {low:g}{bound}",
            where=name,
            fix=f"such as {name} {example:g}",
        )
