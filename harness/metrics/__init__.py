"""Metrics: one file each, all through one small contract."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.metrics.contract import AdditiveMetric, GroupMetric, RankMetric, ScoredSample

__all__ = ["AdditiveMetric", "GroupMetric", "RankMetric", "ScoredSample"]


def __getattr__(name: str) -> Any:
    # Descriptors alone must not load numpy: every command reads them.
    if name in __all__:
        return getattr(import_module("harness.metrics.contract"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
