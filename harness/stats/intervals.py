"""Intervals: percentile and BCa of bootstrap draws, Wilson, Student's t over seeds, bands."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.special import ndtr, ndtri, stdtrit

from harness.stats.interval import Interval, Range
from harness.stats.types import Floats

DRAWS, RANK_DRAWS, FEWEST = 10_000, 5000, 1000
"""Bootstrap draws for metrics of sums and of ranks, and the fewest when draws are expensive."""
PRODUCTS, NUMBERS, WEIGHTS = 50_000_000, 1_000_000, 1_000_000
LEVEL = 0.95
PERCENTILE = "cluster bootstrap, percentile"
BCA = "cluster bootstrap, BCa"
WILSON, WILSON_CLUSTERS = "Wilson score", "Wilson score, each cluster one trial"
SYMMETRIC = "cluster bootstrap, symmetric"
BAND = "cluster bootstrap, simultaneous band"
FEW_CLUSTERS, FEW_SEEDS = 30, 5
NO_WIDTH = "every draw gives the same value, so the interval has no width and says nothing"
# BCa needs this many clusters: with fewer, its acceleration is mostly noise.
_LEAST = 10


def enough(products: int = 0, numbers: int = 0) -> int:
    """Return how many draws to make: 10,000, or fewer where those would take half a second.

    With many samples a draw is expensive, but the interval is narrow and its ends vary little.

    Args:
        products: Multiplications that one draw takes.
        numbers: Numbers kept for each draw; :data:`NUMBERS` of them take 8 MB.
    """
    most = min(PRODUCTS // max(1, products), NUMBERS // max(1, numbers))
    return max(FEWEST, min(DRAWS, most))


def enough_of_ranks(samples: int) -> int:
    """Return how many draws a metric of ranks gets; each draw ranks all samples again."""
    return max(FEWEST, min(RANK_DRAWS, WEIGHTS // max(1, samples)))


def of_difference(possible: Range) -> Range:
    """Return the range of the difference between two numbers of the same range."""
    low, high = possible
    return (None, None) if low is None or high is None else (low - high, high - low)


@dataclass(frozen=True, slots=True)
class Resampled:
    """Values of one or several numbers: in the data, in bootstrap draws, and with parts left out.

    Attributes:
        value: ``(...)``.
        drawn: ``(draws, ...)``.
        left: ``(times, ...)`` values of a jackknife.
        repeats: ``(times,)`` how many clusters each jackknife value stands for.
        clusters: Clusters that were resampled.
    """

    value: Floats
    drawn: Floats
    left: Floats
    repeats: Floats
    clusters: int

    def at(self, position: int) -> Resampled:
        """Return one of the numbers."""
        return replace(
            self,
            value=self.value[position],
            drawn=self.drawn[:, position],
            left=self.left[:, position],
        )

    def interval(self, level: float = LEVEL, *, clusters: int | None = None) -> Interval | None:
        """Return the interval of a single number: BCa, or percentile where BCa does not hold.

        ``None`` with fewer than two clusters, where the value is not finite, or where it is not in
        more than half of the draws. Draws in which it is not finite are left out and counted.

        Args:
            level: Confidence level, in (0, 1).
            clusters: Clusters that the number rests on; all by default.
        """
        value, draws = float(self.value), len(self.drawn)
        number = self.clusters if clusters is None else clusters
        if not math.isfinite(value) or number < 2 or not draws:
            return None
        finite = self.drawn[np.isfinite(self.drawn)]
        if 2 * len(finite) < draws:
            return None
        tails = ((1 - level) / 2, (1 + level) / 2)
        shifted = None
        if len(finite) == draws and number >= _LEAST:
            shifted = bca_levels(value, finite, self.left, self.repeats, tails)
        levels = tails if shifted is None else shifted
        low, high = map(float, np.quantile(finite, levels))
        method = PERCENTILE if shifted is None else BCA
        if len(finite) < draws:
            method += f"; undefined in {draws - len(finite)} of {draws} draws"
        errors = [
            end_error(finite, end, None if shifted is None else (value, tail))
            for end, tail in zip(levels, tails, strict=True)
        ]
        return Interval(low, high, level, method, len(finite), warning(low, high, number), *errors)


def end_error(drawn: Floats, level: float, bca: tuple[float, float] | None = None) -> float:
    """Return the standard error of an end that the finite number of draws leaves.

    The order statistics near the end tell how a quantile of this many draws varies. BCa's level
    varies too, as the share of draws below the value does (delta method).

    Args:
        drawn: ``(draws,)``.
        level: Quantile at which the end is read.
        bca: For BCa, the value in the data and the tail from which the level was computed.
    """
    variance = level * (1 - level)
    if bca is not None:
        value, tail = bca
        below = _below(value, drawn)
        lean, score = float(ndtri(below)), float(ndtri(level))
        shifted_score = lean + float(ndtri(tail))
        slope = _density(score) * (
            1 + ((score - lean) / shifted_score) ** 2 if shifted_score else 2.0
        )
        slope /= _density(lean)
        shared = min(level, below) - level * below
        variance += slope**2 * below * (1 - below) - 2 * slope * shared
    around = math.sqrt(max(0.0, variance) / len(drawn))
    ends = np.quantile(drawn, (max(0.0, level - around), min(1.0, level + around)))
    return float(ends[1] - ends[0]) / 2


def _density(score: float) -> float:
    return math.exp(-score * score / 2) / math.sqrt(2 * math.pi)


def _below(value: float, drawn: Floats) -> float:
    """Return the share of draws below the value; those equal to it count one half."""
    return float(np.sum(drawn < value) + 0.5 * np.sum(drawn == value)) / len(drawn)


def no_width(low: float, high: float) -> bool:
    """Whether the ends of an interval are one number, but for the rounding of sums."""
    return math.isclose(low, high, rel_tol=1e-12, abs_tol=1e-15)


def warning(low: float, high: float, clusters: int) -> str:
    """Return the warning to show beside an interval of resampled clusters; empty for none."""
    return "; ".join(filter(None, (few(clusters), NO_WIDTH if no_width(low, high) else "")))


def few(clusters: int) -> str:
    """Return the warning about too few clusters; empty when there are enough."""
    if clusters >= FEW_CLUSTERS:
        return ""
    return f"only {clusters} clusters: the interval may be too short"


def bca_levels(
    value: float, drawn: Floats, left: Floats, repeats: Floats, tails: tuple[float, float]
) -> tuple[float, float] | None:
    """Return the levels at which BCa reads the draws; ``None`` where it is not defined.

    Efron 1987, as in chapter 14 of Efron and Tibshirani 1993; draws equal to the value count one
    half. It is not defined when all draws lie on one side of the value, when a level falls outside
    what this many draws can resolve, or when the jackknife has a value that is not finite.
    """
    below = _below(value, drawn)
    if not 0 < below < 1 or not np.isfinite(left).all():
        return None
    middle = float(np.average(left, weights=repeats))
    away = middle - left
    spread = float(repeats @ away**2)
    # Rounding leaves a spread where all values are equal.
    if spread <= 1e-24 * max(1.0, middle * middle):
        return None
    acceleration = float(repeats @ away**3) / (6 * spread**1.5)
    lean = float(ndtri(below))
    levels = []
    for tail in tails:
        score = lean + float(ndtri(tail))
        if acceleration * score >= 1:
            return None
        levels.append(float(ndtr(lean + score / (1 - acceleration * score))))
    low, high = levels
    least = 1 / len(drawn)
    return (low, high) if least <= low < high <= 1 - least else None


def wilson(
    successes: float, n: float, level: float = LEVEL, *, method: str = WILSON
) -> Interval | None:
    """Return the Wilson score interval of a proportion; ``None`` for no trials.

    Formula: Wilson 1927, as in Eq. 4 of Brown, Cai and DasGupta 2001.

    Args:
        successes: Number of successes, from 0 to ``n``.
        n: Number of independent trials.
        level: Confidence level, in (0, 1).
        method: What the record calls it.
    """
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes in {n} trials")
    if n == 0:
        return None
    z = float(ndtri((1 + level) / 2))
    share, shrink = successes / n, 1 + z * z / n
    centre = (share + z * z / (2 * n)) / shrink
    half = z / shrink * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    # At the ends the formula is exact but its floating-point result may miss by a rounding error.
    low = 0.0 if successes == 0 else max(0.0, centre - half)
    high = 1.0 if successes == n else min(1.0, centre + half)
    return Interval(low, high, level, method)


def over_seeds(values: Sequence[float], level: float = LEVEL) -> Interval | None:
    """Return Student's t interval of the mean over seeds; ``None`` for fewer than two.

    It says how the mean varies between trainings, on these samples; under five seeds it warns.
    """
    n = len(values)
    if n < 2:
        return None
    mean, spread = float(np.mean(values)), float(np.std(values, ddof=1))
    half = float(stdtrit(n - 1, (1 + level) / 2)) * spread / math.sqrt(n)
    warnings = [f"only {n} seeds"] if n < FEW_SEEDS else []
    if len(set(values)) == 1:
        warnings.append(
            "all seeds give the same value, so the interval has no width and says nothing"
        )
    return Interval(mean - half, mean + half, level, f"t over {n} seeds", 0, "; ".join(warnings))


def band(value: Floats, drawn: Floats, level: float = LEVEL) -> tuple[Floats, Floats]:
    """Return a band that holds all numbers at once: ``value -+ q spread``.

    ``q`` is the quantile of the largest studentised distance over all numbers of a draw (max-|T|,
    Beran 1988). Numbers that are not finite in the data, or never vary, take no part; in a draw
    the finite ones do.

    Args:
        value: ``(n,)``.
        drawn: ``(draws, n)``.
        level: Confidence level, in (0, 1).
    """
    return bands_at(value, drawn, (level,))[0]


def bands_at(value: Floats, drawn: Floats, levels: Sequence[float]) -> list[tuple[Floats, Floats]]:
    """Return a band (:func:`band`) for each of several levels."""
    defined = np.isfinite(drawn)
    n = defined.sum(axis=0)
    filled = np.where(defined, drawn, 0.0)
    mean = filled.sum(axis=0) / np.maximum(n, 1)
    spread = np.sqrt(
        (np.where(defined, filled - mean, 0.0) ** 2).sum(axis=0) / np.maximum(n - 1, 1)
    )
    use = np.isfinite(value) & (spread > 1e-12) & (2 * n > len(drawn))
    reaches = np.zeros(len(levels))
    if use.any():
        away = np.where(defined[:, use], np.abs(filled[:, use] - value[use]) / spread[use], 0.0)
        reaches = np.quantile(away.max(axis=1), levels)
    spread = np.where(use, spread, 0.0)
    return [(value - reach * spread, value + reach * spread) for reach in reaches]


def around(draws: int, level: float = LEVEL) -> tuple[float, float]:
    """Return the levels one Monte-Carlo standard error below and above a band's."""
    error = math.sqrt(level * (1 - level) / max(1, draws))
    return max(0.0, level - error), min(1.0, level + error)


def banded(
    ends: tuple[float, float],
    inner: tuple[float, float],
    outer: tuple[float, float],
    draws: int,
    clusters: int,
) -> Interval:
    """Return a band of one number as an interval.

    Args:
        ends: Lower and upper end of the band.
        inner: Ends of the band at the lower level of :func:`around`.
        outer: Ends of the band at the upper level.
        draws: Bootstrap draws.
        clusters: Clusters that were resampled.
    """
    low, high = ends
    return Interval(
        low, high, LEVEL, BAND, draws, warning(low, high, clusters),
        abs(outer[0] - inner[0]) / 2, abs(outer[1] - inner[1]) / 2,
    )  # fmt: skip
