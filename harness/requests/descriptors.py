"""Descriptors of the built-in extractors."""

from __future__ import annotations

from harness.descriptors import ExtractorDescriptor

EXTRACTORS: tuple[ExtractorDescriptor, ...] = (
    ExtractorDescriptor(
        id="label",
        target="harness.requests.extractors.label:LabelExtractor",
        summary="A label: the text names exactly one of the task's labels.",
        version=8,
    ),
    ExtractorDescriptor(
        id="verbatim",
        target="harness.requests.extractors.verbatim:VerbatimExtractor",
        summary="The text itself, for scorers that read free text.",
        version=2,
    ),
)
