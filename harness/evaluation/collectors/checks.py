"""Checks of what plugins' metrics return; kinds share them."""

from __future__ import annotations

import math
import operator
from collections.abc import Sequence
from typing import Any

import numpy as np

from harness.guard import Check, Contract, described
from harness.metrics.contract import ScoredSample
from harness.stats.types import Floats

_PLAIN = {int}


def check_size(size: object, contract: Contract) -> None:
    """Check the length of a statistics vector.

    Raises:
        PluginError: it is not a number of statistics.
    """
    if not isinstance(size, int | np.integer) or size < 0:
        raise contract.wrong(f"has the size {described(size)}, not a number of statistics")


def statistics_check(contract: Contract) -> Check:
    """Return the check that a sample's statistics are finite numbers by position."""

    # It runs for every sample and metric: one pass over the values, no conversion.
    def check(statistics: Any, sample: ScoredSample) -> Any:
        try:
            if math.isfinite(sum(statistics.values())) and (
                {*map(type, statistics)} <= _PLAIN or min(map(operator.index, statistics)) >= 0
            ):
                return statistics
        except (TypeError, ValueError, AttributeError):
            pass
        raise contract.wrong(
            f"returned {described(statistics)} from statistics for sample {described(sample.id)}, "
            "not a mapping of positions to finite numbers"
        )

    return check


def coded_check(check: Check, contract: Contract) -> Check:
    """Return the check of samples' places among distinct statistics, of which each is read once."""
    known = 0

    def checked(coded: Any, samples: Sequence[ScoredSample]) -> Any:
        nonlocal known
        if coded is not None:
            codes, distinct = coded
            inside = (codes >= 0) & (codes < len(distinct))
            if codes.shape != (len(samples),) or not inside.all():
                raise contract.returned(codes, "coded", "a place in the list for each sample")
            for statistics in distinct[known:]:
                check(statistics, samples[0])
            known = len(distinct)
        return coded

    return checked


def score_check(contract: Contract) -> Check:
    """Return the check that one sample's value is a finite number."""

    def check(score: Any, sample: ScoredSample) -> float:
        if isinstance(score, int | float | np.number) and math.isfinite(score):
            return score if type(score) is float else float(score)
        raise contract.wrong(
            f"returned {described(score)} from score for sample {described(sample.id)}, not a "
            "finite number"
        )

    return check


def numbers(
    returned: Any, shape: tuple[int | None, ...], method: str, contract: Contract
) -> Floats:
    """Return what a method returned as float64 numbers of a shape.

    Args:
        returned: What the method returned.
        shape: The shape it must have; ``None`` stands for any length.
        method: Name of the method, for messages.
        contract: The plugin's contract.

    Raises:
        PluginError: it is no array of numbers, or of another shape.
    """
    try:
        array = np.asarray(returned, dtype=np.float64)
    except (TypeError, ValueError):
        raise contract.returned(returned, method, "numbers") from None
    if len(array.shape) != len(shape) or any(
        wanted not in {None, length} for wanted, length in zip(shape, array.shape, strict=True)
    ):
        expected = ", ".join("any" if length is None else str(length) for length in shape)
        raise contract.wrong(
            f"returned numbers of shape {array.shape} from {method}, not ({expected}): it has to "
            "work on many rows at once, and give NaN where the metric is not defined"
        )
    return array
