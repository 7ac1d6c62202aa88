"""LLaVA-1.5, LLaVA-NeXT and LLaVA-OneVision, in their released formats."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.descriptors import ModelDescriptor, ModelType
from harness.plugins import hookimpl

from harness_llava.options import OPTIONS, PRESET_MARKS, PRESETS

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["harness_models"]


@hookimpl
def harness_models() -> Sequence[ModelDescriptor]:
    """Offer the model; nothing heavy is imported."""
    return [
        ModelDescriptor(
            id="llava",
            target="harness_llava.factory:Llava",
            summary="LLaVA-1.5 (both formats), LLaVA-NeXT, LLaVA-OneVision",
            requires=("torch", "transformers", "safetensors"),
            install="pip install social-harness-llava",
            capabilities=frozenset({"choose", "generate"}),
            offers=frozenset({"logprobs", "contrast", "train", "tower", "hidden"}),
            options=OPTIONS,
            presets=PRESETS,
            preset_marks=PRESET_MARKS,
            trains=("connector", "lora"),
            # Of arXiv 2408.06569 by a secondary note; that the language model trained whole
            # is inferred from its size.
            learning_rates={"language_model": 5e-7},
            model_types=(
                ModelType("llava"),
                ModelType("llava_llama"),
                ModelType("llava_next"),
                ModelType("llava_onevision"),
                ModelType("*llava*", keys=("mm_vision_tower",)),
            ),
        )
    ]
