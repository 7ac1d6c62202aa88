"""Qwen-VL, Qwen-VL-Chat, Qwen2-VL, Qwen2.5-VL and Qwen3-VL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.descriptors import ModelDescriptor, ModelType
from harness.plugins import hookimpl

from harness_qwen_vl.options import OPTIONS, PRESETS

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["harness_models"]


@hookimpl
def harness_models() -> Sequence[ModelDescriptor]:
    """Offer the model; nothing heavy is imported."""
    return [
        ModelDescriptor(
            id="qwen_vl",
            target="harness_qwen_vl.factory:QwenVL",
            summary="Qwen-VL and Qwen-VL-Chat (original files), Qwen2-VL, Qwen2.5-VL, Qwen3-VL",
            requires=("torch", "transformers", "safetensors", "tiktoken"),
            install="pip install social-harness-qwen-vl",
            capabilities=frozenset({"choose", "generate"}),
            offers=frozenset({"logprobs", "contrast", "train", "tower", "hidden"}),
            options=OPTIONS,
            presets=PRESETS,
            trains=("connector", "lora"),
            # Of arXiv 2408.06569 by a secondary note; that the language model trained whole
            # is inferred from its size.
            learning_rates={"language_model": 1e-6},
            model_types=(
                ModelType("qwen", keys=("visual",)),
                ModelType("qwen2_vl"),
                ModelType("qwen2_5_vl"),
                ModelType("qwen3_vl"),
                ModelType("qwen3_vl_moe"),
            ),
        )
    ]
