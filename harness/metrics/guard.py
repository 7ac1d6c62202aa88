"""Metrics held to their contract: what a plugin's does wrongly is said, in one message."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from harness.descriptors import Json
from harness.guard import Check, Contract, described
from harness.metrics.contract import (
    AdditiveMetric,
    Floats,
    GroupMetric,
    RankMetric,
    Rows,
    ScoredSample,
)
from harness.plugins import make, plugins

Metric = AdditiveMetric | RankMetric | GroupMetric


def make_metric(name: str, options: Mapping[str, Json], labels: Sequence[str]) -> Metric:
    """Return a metric by id; each of its methods raises nothing but what it means to.

    Raises:
        PluginError: its plugin or factory fails, or what it makes is no metric.
        UserError: no such metric, or options and labels that it refuses.
    """
    metric, contract = make("metric", name, plugins().metrics(), options, tuple(labels))
    return guarded_metric(metric, contract)


def guarded_metric(metric: Any, contract: Contract) -> Metric:
    """Return a stand-in for a metric that says what the metric does wrongly.

    Raises:
        PluginError: it is of none of the three shapes.
    """
    checks: dict[str, Check] = {"score": _Score(contract)}
    guarded: Metric
    if isinstance(metric, RankMetric):
        guarded = contract.guarded(metric, {**checks, "value": _Values(contract, "value")})
    elif isinstance(metric, GroupMetric):
        guarded = _guarded_groups(metric, contract)
    elif isinstance(metric, AdditiveMetric):
        _check_size(metric.size, contract)
        checks |= {"statistics": _Statistics(contract), "finalize": _Sums(contract)}
        guarded = contract.guarded(metric, checks)
    else:
        raise contract.wrong(
            f"makes {described(metric)}, not a metric: it wants statistics and finalize (sums), "
            "prepare and value (ranks), or counts, parts, settle and beside (groups)"
        )
    return guarded


def _guarded_groups(metric: Any, contract: Contract) -> Any:
    with contract.calling("counts"):
        inner = metric.counts
    lacking = [
        name
        for name in ("key", "size", "statistics", "label", "columns")
        if not hasattr(inner, name)
    ]
    if lacking:
        raise contract.wrong(f"counts by {described(inner)}, which lacks {', '.join(lacking)}")
    _check_size(inner.size, contract)
    # The metric gets its own back: hence the thing itself beside its stand-in.
    counts = contract.guarded(inner, {"statistics": _Statistics(contract)}, {"thing": inner})
    settle = contract.checked(metric.settle, "settle", _Settled(contract))
    beside = contract.checked(metric.beside, "beside", _Tables(contract, "beside"))
    return contract.guarded(
        metric,
        {},
        {
            "counts": counts,
            "settle": lambda counts, *rest: settle(_own(counts), *rest),
            "beside": lambda counts, *rest: beside(_own(counts), *rest),
        },
    )


def _own(counts: Any) -> Any:
    return getattr(counts, "thing", counts)


def _check_size(size: object, contract: Contract) -> None:
    if not isinstance(size, int | np.integer) or size < 0:
        raise contract.wrong(f"has the size {described(size)}, not a number of statistics")


class _Statistics:
    """Statistics are numbers by position."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract

    def __call__(self, found: Any, sample: ScoredSample) -> Any:
        try:
            if math.isfinite(sum(found.values())) and all(
                type(place) is int or operator.index(place) >= 0 for place in found
            ):
                return found
        except (TypeError, ValueError, AttributeError):
            pass
        raise self._contract.wrong(
            f"returned {described(found)} from statistics for sample {described(sample.id)}, not "
            "a mapping of positions to finite numbers"
        )


class _Score:
    """One sample's value is a finite number."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract

    def __call__(self, found: Any, sample: ScoredSample) -> float:
        if isinstance(found, int | float | np.number) and math.isfinite(found):
            return found if type(found) is float else float(found)
        raise self._contract.wrong(
            f"returned {described(found)} from score for sample {described(sample.id)}, not a "
            "finite number"
        )


class _Sums:
    """Sums of any number of rows become a value each."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract

    def __call__(self, found: Any, totals: Floats) -> Floats:
        return _numbers(found, totals.shape[:-1], "finalize", self._contract)


class _Values:
    """Each row of weights becomes a value."""

    def __init__(self, contract: Contract, method: str) -> None:
        self._contract, self._method = contract, method

    def __call__(self, found: Any, prepared: Any, weights: Floats) -> Floats:
        del prepared
        return _numbers(found, weights.shape[:1], self._method, self._contract)


class _Settled:
    """What is settled compares; its components are an array, and it has tables."""

    def __init__(self, contract: Contract) -> None:
        self._contract = contract

    def __call__(self, found: Any, *arguments: Any) -> Any:
        del arguments
        contract = self._contract
        if not all(hasattr(found, name) for name in ("components", "combine", "tables")):
            raise contract.returned(
                found, "settle", "a comparison with components, combine and tables"
            )
        return contract.guarded(
            found,
            {
                "components": lambda held, totals: _numbers(
                    held, (*totals.shape[:-2], None), "components", contract
                ),
                "combine": lambda held, parts: _numbers(
                    held, parts.shape[:-1], "combine", contract
                ),
                "tables": _Tables(contract, "tables"),
            },
        )


class _Tables:
    """Tables are rows of numbers."""

    def __init__(self, contract: Contract, method: str) -> None:
        self._contract, self._method = contract, method

    def __call__(self, found: Any, *arguments: Any) -> list[Rows]:
        del arguments
        return self._contract.listed(found, self._method, Rows, "a list of Rows")


def _numbers(found: Any, shape: tuple[int | None, ...], method: str, contract: Contract) -> Floats:
    """Return what a method gave as numbers of a shape; ``None`` in it is any length."""
    try:
        numbers = np.asarray(found, dtype=np.float64)
    except (TypeError, ValueError):
        raise contract.returned(found, method, "numbers") from None
    if len(numbers.shape) != len(shape) or any(
        wanted not in {None, length} for wanted, length in zip(shape, numbers.shape, strict=True)
    ):
        wanted = ", ".join("any" if length is None else str(length) for length in shape)
        raise contract.wrong(
            f"returned numbers of shape {numbers.shape} from {method}, not ({wanted}): it has to "
            "work on many rows at once, and give NaN where the metric is not defined"
        )
    return numbers
