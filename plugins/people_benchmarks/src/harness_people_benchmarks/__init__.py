"""More benchmarks about people: readers of their release layouts, and their own metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.plugins import hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.descriptors import (
        CommandDescriptor,
        DataSourceDescriptor,
        MetricDescriptor,
        ReaderDescriptor,
    )

__all__ = ["harness_commands", "harness_data_sources", "harness_metrics", "harness_readers"]


@hookimpl
def harness_commands() -> Sequence[CommandDescriptor]:
    """Offer `harness reproductions`; it is not imported."""
    from harness.descriptors import CommandDescriptor

    return [
        CommandDescriptor(
            id="reproductions",
            target="harness_people_benchmarks.reproductions.command:reproductions",
            summary="Compare published numbers with finished evaluations.",
        )
    ]


@hookimpl
def harness_readers() -> Sequence[ReaderDescriptor]:
    """Offer the readers; none is imported."""
    from harness_people_benchmarks.readers.descriptors import READERS

    return READERS


@hookimpl
def harness_metrics() -> Sequence[MetricDescriptor]:
    """Offer the metrics; each one's descriptors stand in its module."""
    from harness.metrics import metrics_in

    return metrics_in("harness_people_benchmarks.metrics")


@hookimpl
def harness_data_sources() -> Sequence[DataSourceDescriptor]:
    """Offer drawn data in these benchmarks' layouts, beside those of the demo world."""
    from harness.descriptors import DataSourceDescriptor

    from harness_people_benchmarks.demo.contents import BENCHMARKS

    return [
        DataSourceDescriptor(
            id="demo_people",
            target="harness_people_benchmarks.demo.source:DemoPeople",
            summary="Drawn images in the layouts of more benchmarks about people; numbers mean "
            "nothing.",
            benchmarks=frozenset(BENCHMARKS),
            marks=("demo",),
            task_options={"imagenet_zeroshot": {"classes": "drawn"}},  # as many as are drawn
            beside="demo_world",
            requires=("harness_demo_world",),
            install="pip install social-harness-demo-world",
        )
    ]
