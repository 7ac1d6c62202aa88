"""Evaluation records: write, read, seal."""

from harness.runs.record import (
    Counts,
    EvaluationRecord,
    Interval,
    MetricValue,
    SliceValue,
)

__all__ = ["Counts", "EvaluationRecord", "Interval", "MetricValue", "SliceValue"]
