"""The embedded demo world: drawn people in twelve benchmarks' layouts, and tiny trained models."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from harness.descriptors import DataSourceDescriptor, Option, ReaderDescriptor, SpecFolder
from harness.plugins import hookimpl

from harness_demo_world.contents import BENCHMARKS, OWN, sequences

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["harness_data_sources", "harness_readers", "harness_task_specs"]


@hookimpl
def harness_data_sources() -> Sequence[DataSourceDescriptor]:
    """Offer the drawn world as the source of its benchmarks."""
    return [
        DataSourceDescriptor(
            id="demo_world",
            target="harness_demo_world.source:DemoWorld",
            summary="Small drawn images in the benchmarks' own layouts; numbers mean nothing.",
            benchmarks=frozenset((*BENCHMARKS, *OWN)),
            marks=("demo",),
            reader_options={
                "jrdb_social": {
                    "train_sequences": ",".join(sequences("train")),
                    # The task asks on `valid`, since the release keeps its test labels back.
                    "valid_sequences": ",".join(sequences("test")),
                    "test_sequences": ",".join(sequences("val")),
                    "size": "any",  # drawn in another one than the release's
                }
            },
        )
    ]


@hookimpl
def harness_readers() -> Sequence[ReaderDescriptor]:
    """Offer the reader of the world's own images with captions."""
    return [
        ReaderDescriptor(
            id="drawn",
            target="harness_demo_world.drawn:Drawn",
            summary="Drawn images with a caption, or without people and with a label.",
            options=(
                Option(name="target", help="Right answer: caption, colour, count or position."),
                Option(name="unit", help="What a cluster is: image."),
            ),
        )
    ]


@hookimpl
def harness_task_specs() -> Sequence[SpecFolder]:
    """Offer captions to train on, and labels without people to probe."""
    return [SpecFolder(path=Path(__file__).parent / "task_specs")]
