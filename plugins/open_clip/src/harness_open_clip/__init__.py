"""Dual encoders of open_clip and transformers, as zero-shot choosers and for retrieval."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.descriptors import EncoderDescriptor, ModelDescriptor, ModelType
from harness.plugins import hookimpl

from harness_open_clip.options import (
    FAMILIES,
    LEARNING_RATES,
    MATCHING_OPTIONS,
    MATCHING_PRESETS,
    OPTIONS,
    PRESET_MARKS,
    PRESETS,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["harness_encoders", "harness_models"]


@hookimpl
def harness_models() -> Sequence[ModelDescriptor]:
    """Offer the model; nothing heavy is imported."""
    return [
        ModelDescriptor(
            id="open_clip",
            target="harness_open_clip.factory:DualEncoder",
            summary="Dual encoders of open_clip and transformers (zero-shot, matching, retrieval).",
            requires=("torch", "transformers", "open_clip", "safetensors"),
            install="pip install social-harness-open-clip",
            capabilities=frozenset({"choose", "embed"}),
            reads_prompts=False,
            offers=frozenset({"train", "tower", "vectors"}),
            options=OPTIONS,
            presets=PRESETS,
            preset_marks=PRESET_MARKS,
            trains=("lora",),
            learning_rates=LEARNING_RATES,
            model_types=tuple(map(ModelType, FAMILIES)),
        ),
        ModelDescriptor(
            id="matching",
            target="harness_open_clip.matching:MatchingModel",
            summary="Image-text matching heads of BLIP, BLIP-2 and ViLT (choices, matching).",
            requires=("torch", "transformers", "safetensors"),
            install="pip install social-harness-open-clip",
            capabilities=frozenset({"choose"}),
            reads_prompts=False,
            options=MATCHING_OPTIONS,
            presets=MATCHING_PRESETS,
        ),
    ]


@hookimpl
def harness_encoders() -> Sequence[EncoderDescriptor]:
    """Offer the visual towers of open_clip's models to ``harness probe``."""
    return [
        EncoderDescriptor(
            id="open_clip",
            target="harness_open_clip.tower:find",
            summary="Visual towers of open_clip's models.",
            requires=("torch", "open_clip"),
            install="pip install social-harness-open-clip",
            forms=("open_clip:NAME:TAG", "open_clip:local-dir:PATH"),
        )
    ]
