"""Twelve benchmarks: readers of their release layouts, and the metrics that belong to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.plugins import hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.descriptors import MetricDescriptor, ReaderDescriptor

__all__ = ["harness_metrics", "harness_readers"]


@hookimpl
def harness_readers() -> Sequence[ReaderDescriptor]:
    """Offer the readers; none is imported."""
    from harness_benchmarks.readers.descriptors import READERS

    return READERS


@hookimpl
def harness_metrics() -> Sequence[MetricDescriptor]:
    """Offer the metrics; each one's descriptors stand in its module."""
    from harness.metrics import metrics_in

    return metrics_in("harness_benchmarks.metrics")
