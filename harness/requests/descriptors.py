"""Descriptors of the built-in extractors."""

from __future__ import annotations

from harness.descriptors import ExtractorDescriptor, Option

EXTRACTORS: tuple[ExtractorDescriptor, ...] = (
    ExtractorDescriptor(
        id="point",
        target="harness.requests.extractors.point:PointExtractor",
        summary="A point: exactly two numbers in the text, x and then y.",
        options=(
            Option(
                name="scale",
                type="float",
                default=100.0,
                help="Cells along each side that whole numbers count; 1 for shares.",
            ),
        ),
    ),
    ExtractorDescriptor(
        id="label",
        target="harness.requests.extractors.label:LabelExtractor",
        summary="A label: the text names exactly one of the task's labels.",
    ),
)
