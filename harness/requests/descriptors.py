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
    ExtractorDescriptor(
        id="verbatim",
        target="harness.requests.extractors.verbatim:VerbatimExtractor",
        summary="The text itself, for scorers that read free text.",
    ),
    ExtractorDescriptor(
        id="option_letter",
        target="harness.requests.extractors.option_letter:OptionLetterExtractor",
        summary="The letter of one of the sample's options (fields A, B, ...), by rules.",
        options=(
            Option(
                name="rule",
                default="vlmevalkit_bounded",
                choices=(
                    "vlmevalkit_bounded",
                    "vlmevalkit_2026_08",
                    "vlmevalkit_2026_02",
                    "vlmevalkit_2025_04",
                    "lmms_eval",
                ),
                help="Whose rules, and as of when; the first is this project's mended version.",
            ),
        ),
    ),
)
