"""Metrics: one file each, all through one small contract."""

from harness.metrics.contract import AdditiveMetric, RankMetric, ScoredSample

__all__ = ["AdditiveMetric", "RankMetric", "ScoredSample"]
