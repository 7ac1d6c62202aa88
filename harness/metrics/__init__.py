"""Metrics: one file each, all through one small contract."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.lazy import lazily

if TYPE_CHECKING:
    from harness.metrics.contract import AdditiveMetric, GroupMetric, RankMetric, ScoredSample

__all__ = ["AdditiveMetric", "GroupMetric", "RankMetric", "ScoredSample"]

# Descriptors alone must not load numpy: every command reads them.
__getattr__ = lazily(__name__, dict.fromkeys(__all__, "harness.metrics.contract"))
