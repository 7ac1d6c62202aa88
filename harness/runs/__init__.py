"""Evaluation records: write, seal, read."""

from harness.runs.read import read_evaluation
from harness.runs.record import Counts, EvaluationRecord, MetricValue, SliceValue
from harness.stats.interval import Interval

__all__ = ["Counts", "EvaluationRecord", "Interval", "MetricValue", "SliceValue", "read_evaluation"]
