"""An interval of a number, what chance would give it, and the range that it can have."""

from __future__ import annotations

from dataclasses import dataclass, replace

Range = tuple[float | None, float | None]
"""The lowest and the highest possible value of a number; ``None`` where it is unbounded."""


@dataclass(frozen=True, slots=True)
class Interval:
    """A confidence interval in the metric's own unit (before ``scale``).

    Attributes:
        method: Such as ``cluster bootstrap, percentile``.
        draws: Bootstrap draws; 0 for closed forms.
        warning: What stands beside it, such as too few clusters; empty for nothing.
        low_error: Monte-Carlo standard error of the lower end: how far it moves with the seed of
            the draws; ``None`` for closed forms.
        high_error: The same for the upper end.
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
        """Return the interval clipped to the possible range; a clipped end has no error left."""
        least, most = possible or (None, None)
        cut = self
        if least is not None and cut.low < least:
            cut = replace(cut, low=least, low_error=cut.low_error and 0.0)
        if most is not None and cut.high > most:
            cut = replace(cut, high=most, high_error=cut.high_error and 0.0)
        return cut


@dataclass(frozen=True, slots=True)
class Chance:
    """The value expected by chance, if labels had nothing to do with answers (permutation null).

    Attributes:
        mean: Mean over the permutations.
        low: With ``high``, the ends of the middle 95 % of the permutations.
        p: Share of permutations at least as extreme, with the data counted as one of them.
        draws: Permutations in which the number is defined.
        method: What was permuted.
    """

    mean: float
    low: float
    high: float
    p: float
    draws: int
    method: str
