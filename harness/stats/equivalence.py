"""Claims about a difference with a margin: equivalent (TOST), and no worse (non-inferiority).

Two one-sided t tests (Schuirmann 1987) on the difference's standard error over clusters, or over
seeds. A claim is made at the level of the other tests; p values are corrected over a family (Holm).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from scipy.special import stdtr

from harness.descriptors import Direction
from harness.errors import UserError
from harness.stats.intervals import LEVEL
from harness.stats.paired import Equivalence, Paired, holm


def equivalence(paired: Paired, margin: float, direction: Direction) -> Equivalence:
    """Return what a margin tells of a difference, second minus first.

    Args:
        paired: The difference.
        margin: The largest difference that does not matter, above 0, in units of the difference.
        direction: Which way is better; without one, or best at zero, nothing is "no worse".

    Raises:
        UserError: the margin is not a number above 0.
    """
    if not 0 < margin < math.inf:
        raise UserError(f"{margin:g} is not a margin", where="margin", fix="a number above 0: 0.5")
    if paired.largest is not None and margin >= paired.largest:  # such as one in another unit
        return Equivalence(margin, why="the margin is as wide as the metric's range")
    interval, spread = paired.interval, paired.spread
    if paired.difference is None:
        return Equivalence(margin, why="a value is undefined")
    if not spread or paired.units < 2:
        return Equivalence(margin, why="the difference does not vary over draws")
    errors = [] if interval is None else [interval.low_error, interval.high_error]
    if margin <= max((error for error in errors if error is not None), default=0.0):
        return Equivalence(margin, why="the margin is below the Monte-Carlo error of the interval")
    above = float(stdtr(paired.units - 1, -(paired.difference + margin) / spread))
    below = float(stdtr(paired.units - 1, (paired.difference - margin) / spread))
    one_sided = {"higher": above, "lower": below}.get(direction)
    return Equivalence(margin, max(above, below), one_sided)


def with_margin(
    family: Sequence[Paired], margins: Sequence[float], directions: Sequence[Direction]
) -> list[Paired]:
    """Return comparisons with what their margins tell, corrected over the family (Holm)."""
    results = [equivalence(*result) for result in zip(family, margins, directions, strict=True)]
    equal = _holm([result.equivalent for result in results])
    no_worse = _holm([result.no_worse for result in results])
    results = [
        replace(result, equivalent=first, no_worse=second)
        for result, first, second in zip(results, equal, no_worse, strict=True)
    ]
    return [
        replace(result, equivalence=tested) for result, tested in zip(family, results, strict=True)
    ]


def _holm(values: Sequence[float | None]) -> list[float | None]:
    corrected = iter(holm([value for value in values if value is not None]))
    return [None if value is None else next(corrected) for value in values]


def equivalent(paired: Paired) -> bool:
    """Whether a margin shows two evaluations to be equivalent."""
    tested = paired.equivalence
    return tested is not None and tested.equivalent is not None and tested.equivalent < 1 - LEVEL
