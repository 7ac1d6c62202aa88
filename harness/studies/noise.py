"""A mean over seeds beside the two noises it has: of training, and of the test samples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Protocol

from harness.runs.record import Interval
from harness.tables.table import Cell

SEEDS = "t over seeds"
SAMPLES = "bootstrap over test samples"
KINDS = (SEEDS, SAMPLES)
SAID = (
    f"{SEEDS}: Student's t, 95 %, the seed is the unit. {SAMPLES}: paired, weights held fixed, "
    "ends averaged over seeds; it leaves out the noise of training."
)


class Noisy(Protocol):
    """A mean over seeds; ``low`` and ``high`` are its ends over test samples."""

    @property
    def value(self) -> float | None: ...  # noqa: D102
    @property
    def over_seeds(self) -> Interval | None: ...  # noqa: D102
    @property
    def low(self) -> float | None: ...  # noqa: D102
    @property
    def high(self) -> float | None: ...  # noqa: D102
    @property
    def n(self) -> int: ...  # noqa: D102
    @property
    def clusters(self) -> int: ...  # noqa: D102
    @property
    def marks(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def seeds(self) -> Sequence[object]: ...  # noqa: D102


def noisy_cell(one: Noisy | None, kind: str, scale: float) -> Cell | None:
    """Return the cell of a mean with one kind of interval; ``None`` where there is no mean."""
    if one is None:
        return None
    low, high, warning = one.low, one.high, ""
    if kind == SEEDS:
        held = one.over_seeds
        low, high = (None, None) if held is None else (held.low, held.high)
        warning = "" if held is None else held.warning
    return Cell(
        value=None if one.value is None else scale * one.value,
        low=None if low is None else scale * low,
        high=None if high is None else scale * high,
        level=0.95 if low is not None else None,
        n=one.n,
        clusters=one.clusters,
        unparsed=0.0,
        refusals=0.0,
        errors=0,
        marks=one.marks,
        shown=(),
        evaluation="",
        seeds=len(one.seeds),
        warning=warning,
    )


def mean(values: Sequence[float | None]) -> float | None:
    """Return the mean; ``None`` where one is missing: a mean of some seeds is another number."""
    known = [value for value in values if value is not None]
    return math.fsum(known) / len(known) if values and len(known) == len(values) else None
