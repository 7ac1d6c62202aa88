"""The embedded demo world: drawn people in twelve benchmarks' layouts, and tiny trained models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.descriptors import DataSourceDescriptor
from harness.plugins import hookimpl

from harness_demo_world.contents import BENCHMARKS, sequences

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["harness_data_sources"]


@hookimpl
def harness_data_sources() -> Sequence[DataSourceDescriptor]:
    """Offer the drawn world as the source of its benchmarks."""
    return [
        DataSourceDescriptor(
            id="demo_world",
            target="harness_demo_world.source:DemoWorld",
            summary="small drawn pictures in the benchmarks' own layouts; numbers mean nothing",
            benchmarks=frozenset(BENCHMARKS),
            marks=("demo",),
            reader_options={
                "jrdb_social": {
                    "train_sequences": ",".join(sequences("train")),
                    # The task asks on `valid`, since the release keeps its test labels back.
                    "valid_sequences": ",".join(sequences("test")),
                    "test_sequences": ",".join(sequences("test")),
                }
            },
        )
    ]
