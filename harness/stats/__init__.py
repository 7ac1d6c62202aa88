"""Intervals over clusters: collect statistics, resample clusters, say how sure a number is."""

from harness.stats.bootstrap import additive_interval, rank_interval
from harness.stats.collect import Clusters, Statistics
from harness.stats.intervals import over_seeds, wilson

__all__ = [
    "Clusters",
    "Statistics",
    "additive_interval",
    "over_seeds",
    "rank_interval",
    "wilson",
]
