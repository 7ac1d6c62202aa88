"""Analyses: linear probes, gradient conflict, transfer of training, modality integration rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.descriptors import AnalysisDescriptor, CommandDescriptor, EncoderDescriptor
from harness.plugins import hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["harness_analyses", "harness_commands", "harness_encoders"]

_SUMMARIES = {
    "probe": "Measure what a linear classifier finds in visual encoders.",
    "gradients": "Measure whether the gradients of tasks conflict.",
    "transfer": "Compare joint with single-task training, over seeds.",
    "mir": "Measure the distance between image and text hidden states.",
}


@hookimpl
def harness_analyses() -> Sequence[AnalysisDescriptor]:
    """Offer the analyses; numpy and torch are imported when one is made."""
    return [
        AnalysisDescriptor(
            id=name,
            target=f"harness_analyses.api:{name}",
            summary=summary,
            view=f"harness_analyses.views:{name.upper()}",
        )
        for name, summary in _SUMMARIES.items()
    ]


@hookimpl
def harness_commands() -> Sequence[CommandDescriptor]:
    """Offer a command for each."""
    return [
        CommandDescriptor(
            id=name,
            target=f"harness_analyses.command_{name}:{name}",
            summary=summary,
            section="Explain",
            functions={name: f"harness_analyses.api:{name}"},
        )
        for name, summary in _SUMMARIES.items()
    ]


@hookimpl
def harness_encoders() -> Sequence[EncoderDescriptor]:
    """Offer encoders of transformers, and towers of models; neither is imported."""
    return [
        EncoderDescriptor(
            id="hf",
            target="harness_analyses.encoders:of_transformers",
            summary="Vision encoders in transformers' format.",
            forms=("hf:FOLDER_OR_HUB_ID",),
        ),
        EncoderDescriptor(
            id="model",
            target="harness_analyses.encoders:of_model",
            summary="The vision tower of a model that offers one.",
            forms=("model:ID,key=value,...",),
        ),
    ]
