"""Any image-text-to-text model of transformers, with its own processor and chat template."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.descriptors import ModelDescriptor, ModelType
from harness.plugins import hookimpl

from harness_hf_vlm.options import OPTIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["harness_models"]


@hookimpl
def harness_models() -> Sequence[ModelDescriptor]:
    """Offer the model; nothing heavy is imported."""
    return [
        ModelDescriptor(
            id="hf_vlm",
            target="harness_hf_vlm.factory:HfVlm",
            summary="Any image-text-to-text model of transformers, with its own processor.",
            requires=("torch", "torchvision", "transformers", "safetensors"),
            install="pip install social-harness-hf-vlm",
            capabilities=frozenset({"choose", "generate"}),
            offers=frozenset({"logprobs", "contrast", "train", "tower", "hidden"}),
            options=OPTIONS,
            trains=("lora",),
            model_types=(
                ModelType("*", keys=("vision_config",)),
                ModelType("*", keys=("qformer_config",)),
                ModelType("*", keys=("vision_tower",)),
                ModelType("*", keys=("perceiver_config",)),
            ),
        )
    ]
