"""Intervals over clusters: collect statistics, resample clusters, say how sure a number is."""

from harness.stats.bootstrap import additive_interval, rank_interval, wilson
from harness.stats.collect import Clusters, Statistics

__all__ = ["Clusters", "Statistics", "additive_interval", "rank_interval", "wilson"]
