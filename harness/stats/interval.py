"""An interval of a number, what chance would give it, and the range that it can have."""

from __future__ import annotations

from dataclasses import dataclass, replace

Range = tuple[float | None, float | None]
"""The lowest and the highest value that a number can have; ``None`` where there is no end."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval in the metric's own unit (before ``scale``).

    Attributes:
        method: Such as ``cluster bootstrap, percentile``.
        draws: Bootstrap draws; 0 for closed forms.
        warning: What stands beside it, such as too few clusters; empty for nothing.
        low_error: Monte-Carlo standard error of the lower end: how far it moves with the seed of
            the draws; ``None`` for closed forms.
        high_error: Of the upper end.
    """

    low: float
    high: float
    level: float
    method: str
    draws: int = 0
    warning: str = ""
    low_error: float | None = None
    high_error: float | None = None

    def within(self, possible: Range | None) -> Interval:
        """Return the interval cut to what is possible; an end that is cut has no error left."""
        least, most = possible or (None, None)
        cut = self
        if least is not None and cut.low < least:
            cut = replace(cut, low=least, low_error=cut.low_error and 0.0)
        if most is not None and cut.high > most:
            cut = replace(cut, high=most, high_error=cut.high_error and 0.0)
        return cut


@dataclass(frozen=True, slots=True)
class Chance:
    """What a number would be if labels had nothing to do with answers (a permutation null).

    Attributes:
        mean: Over the permutations.
        low: With ``high`` the middle 95 % of the permutations.
        p: Share of permutations at least as far out, the data counted as one of them.
        draws: Permutations in which the number is defined.
        method: What was permuted.
    """

    mean: float
    low: float
    high: float
    p: float
    draws: int
    method: str
