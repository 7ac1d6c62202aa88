"""A mean over seeds beside the two noises it has: of training, and of the test samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Generic, Protocol, Self, TypeVar

from harness.runs.record import EvaluationRecord
from harness.stats.interval import Interval, Range
from harness.stats.intervals import DRAWS, NO_WIDTH, no_width, over_seeds
from harness.tables.table import Cell

SEEDS = "t over seeds"
SAMPLES = "bootstrap over test samples"
KINDS = (SEEDS, SAMPLES)
SAID = (
    f"{SEEDS}: Student's t, 95 %, the seed is the unit. {SAMPLES}: paired, weights held fixed, "
    f"at most {DRAWS:,} draws, ends averaged over seeds; it leaves out the noise of training."
)


class Ends(Protocol):
    """One seed's estimate and its interval over test samples, weights held fixed.

    The estimate is of what both evaluations have. Where a part of a metric can be unavailable (a
    concept that too few images are assigned to), it is not the difference of their two numbers.
    """

    @property
    def estimate(self) -> float | None: ...  # noqa: D102
    @property
    def low(self) -> float | None: ...  # noqa: D102
    @property
    def high(self) -> float | None: ...  # noqa: D102


One = TypeVar("One", bound=Ends)


@dataclass(frozen=True, slots=True, kw_only=True)
class SeedMean(Generic[One]):
    """A mean over seeds; subclasses say of what.

    Attributes:
        over_seeds: Student's t interval of it.
        estimate: The mean over seeds of each seed's own estimate, which the ends belong to.
        low: Lower end over test samples: the mean over seeds of each seed's own end.
    """

    seeds: tuple[One, ...]
    value: float | None
    over_seeds: Interval | None
    estimate: float | None
    low: float | None
    high: float | None
    n: int
    clusters: int
    marks: tuple[str, ...]

    @classmethod
    def over(
        cls,
        seeds: tuple[One, ...],
        values: Sequence[float | None],
        records: Sequence[EvaluationRecord],
        possible: Range = (None, None),
        **about: Any,
    ) -> Self:
        """Return the mean of each seed's value; ``about`` are the subclass' own fields."""
        present = [value for value in values if value is not None]
        spread = over_seeds(present) if len(present) == len(values) else None
        return cls(
            seeds=seeds,
            value=mean(values),
            over_seeds=spread and spread.within(possible),
            estimate=mean([one.estimate for one in seeds]),
            low=mean([one.low for one in seeds]),
            high=mean([one.high for one in seeds]),
            n=min(record.counts.scored for record in records),
            clusters=min(record.counts.clusters for record in records),
            marks=tuple(sorted({mark for record in records for mark in record.marks})),
            **about,
        )

    def as_json(self) -> dict[str, Any]:
        """Return plain data, each seed's numbers among them."""
        return asdict(self)


def noisy_cell(seed_mean: SeedMean[Any] | None, kind: str, scale: float) -> Cell | None:
    """Return the cell of a mean with one kind of interval; ``None`` where there is no mean."""
    if seed_mean is None:
        return None
    value, low, high = seed_mean.estimate, seed_mean.low, seed_mean.high
    warning = NO_WIDTH if low is not None and high is not None and no_width(low, high) else ""
    if missing := sum(one.estimate is None for one in seed_mean.seeds):
        warning = f"{missing} of {len(seed_mean.seeds)} seeds have no estimate of what both have"
    if kind == SEEDS:
        value, interval = seed_mean.value, seed_mean.over_seeds
        low, high = (None, None) if interval is None else (interval.low, interval.high)
        warning = "" if interval is None else interval.warning
    return Cell(
        value=None if value is None else scale * value,
        low=None if low is None else scale * low,
        high=None if high is None else scale * high,
        level=0.95 if low is not None else None,
        n=seed_mean.n,
        clusters=seed_mean.clusters,
        unparsed=0.0,
        refusals=0.0,
        errors=0,
        marks=seed_mean.marks,
        shown=(),
        evaluation="",
        seeds=len(seed_mean.seeds),
        warning=warning,
    )


def mean(values: Sequence[float | None]) -> float | None:
    """Return the mean; ``None`` where one is missing: a mean of some seeds is another number."""
    present = [value for value in values if value is not None]
    return math.fsum(present) / len(present) if values and len(present) == len(values) else None
