"""Intervals over clusters: collect statistics, resample clusters, say how sure a number is."""

from harness.stats.bootstrap import additive_interval, rank_interval, wilson
from harness.stats.collect import ClusterTotals

__all__ = ["ClusterTotals", "additive_interval", "rank_interval", "wilson"]
