"""Twelve benchmarks: readers of their release layouts, with their extractors and metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.plugins import hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.descriptors import (
        ExtractorDescriptor,
        MetricDescriptor,
        ReaderDescriptor,
        SubmissionDescriptor,
    )

__all__ = ["harness_extractors", "harness_metrics", "harness_readers", "harness_submissions"]


@hookimpl
def harness_readers() -> Sequence[ReaderDescriptor]:
    """Offer the readers; none is imported."""
    from harness_benchmarks.readers.descriptors import READERS

    return READERS


@hookimpl
def harness_extractors() -> Sequence[ExtractorDescriptor]:
    """Offer what reads points and letters of options; none is imported."""
    from harness.descriptors import ExtractorDescriptor, Option

    return [
        ExtractorDescriptor(
            id="point",
            target="harness_benchmarks.extractors.point:PointExtractor",
            summary="A point: exactly two numbers in the text, x and then y unless it names them.",
            version=5,
            options=(
                Option(
                    name="scale",
                    default="100",
                    choices=("100", "1", "1000", "pixels"),
                    help="Unit of the numbers: cells along each side, shares, or pixels of the "
                    "image.",
                ),
            ),
        ),
        ExtractorDescriptor(
            id="option_letter",
            target="harness_benchmarks.extractors.option_letter:OptionLetterExtractor",
            summary="The letter of one of the sample's options (fields A, B, ...), by rules.",
            version=4,
            options=(
                Option(
                    name="rule",
                    default="by_language",
                    choices=(
                        "by_language",
                        "vlmevalkit_bounded",
                        "chinese",
                        "vlmevalkit_2026_08",
                        "vlmevalkit_2026_02",
                        "vlmevalkit_2025_04",
                        "lmms_eval",
                    ),
                    help="Source of the rules; by_language takes chinese for cn and zh, and "
                    "vlmevalkit_bounded otherwise.",
                ),
                Option(
                    name="language",
                    default="en",
                    choices=("en", "cn", "zh"),
                    help="Language of the questions, for rule=by_language; cn and zh are Chinese.",
                ),
            ),
        ),
    ]


@hookimpl
def harness_metrics() -> Sequence[MetricDescriptor]:
    """Offer the metrics; each one's descriptors stand in its module."""
    from harness.metrics import metrics_in

    return metrics_in("harness_benchmarks.metrics")


@hookimpl
def harness_submissions() -> Sequence[SubmissionDescriptor]:
    """Offer the files that servers take for splits without public answers."""
    from harness.descriptors import SubmissionDescriptor

    return [
        SubmissionDescriptor(
            id="vqav2",
            target="harness_benchmarks.submissions.vqav2:LAYOUT",
            summary="The list of question ids and answers that the VQA challenge takes.",
            server="the VQA challenge on EvalAI (https://visualqa.org/challenge.html)",
            suffixes=(".json",),
        ),
        SubmissionDescriptor(
            id="mmbench",
            target="harness_benchmarks.submissions.mmbench:LAYOUT",
            summary="The split's table with a column of predictions.",
            server="the MMBench server (https://mmbench.opencompass.org.cn)",
            suffixes=(".xlsx", ".tsv", ".csv"),
        ),
    ]
