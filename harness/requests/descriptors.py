"""Descriptors of the built-in extractors."""

from __future__ import annotations

from harness.descriptors import ExtractorDescriptor, Option

EXTRACTORS: tuple[ExtractorDescriptor, ...] = (
    ExtractorDescriptor(
        id="label",
        target="harness.requests.extractors.label:LabelExtractor",
        summary="A label: the text names exactly one of the task's labels.",
        version=5,
    ),
    ExtractorDescriptor(
        id="verbatim",
        target="harness.requests.extractors.verbatim:VerbatimExtractor",
        summary="The text itself, for scorers that read free text.",
        version=2,
    ),
    ExtractorDescriptor(
        id="option_letter",
        target="harness.requests.extractors.option_letter:OptionLetterExtractor",
        summary="The letter of one of the sample's options (fields A, B, ...), by rules.",
        version=3,
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
                help="Whose rules, and as of when; by_language takes chinese for cn, and "
                "vlmevalkit_bounded otherwise.",
            ),
            Option(
                name="language",
                default="en",
                choices=("en", "cn"),
                help="Of the questions; read by by_language.",
            ),
        ),
    ),
)
