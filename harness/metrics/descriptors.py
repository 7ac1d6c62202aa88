"""Descriptors of the built-in metrics."""

from __future__ import annotations

from harness.descriptors import MetricDescriptor

METRICS: tuple[MetricDescriptor, ...] = ()
