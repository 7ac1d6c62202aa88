"""SocialFusion: a frozen visual encoder, a light connector, a language model with LoRA."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.descriptors import ModelDescriptor
from harness.plugins import hookimpl

from harness_socialfusion.options import OPTIONS, PRESET_MARKS, PRESETS

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["harness_models"]


@hookimpl
def harness_models() -> Sequence[ModelDescriptor]:
    """Offer the model; nothing heavy is imported."""
    return [
        ModelDescriptor(
            id="socialfusion",
            target="harness_socialfusion.factory:SocialFusion",
            summary="Frozen visual encoder, light connector, language model with LoRA.",
            requires=("torch", "transformers", "open_clip", "peft", "safetensors"),
            install="pip install social-harness-socialfusion",
            capabilities=frozenset({"choose", "generate"}),
            offers=frozenset({"logprobs", "contrast", "train", "tower", "hidden"}),
            options=OPTIONS,
            presets=PRESETS,
            preset_marks=PRESET_MARKS,
            trains=("connector", "lora"),
        )
    ]
