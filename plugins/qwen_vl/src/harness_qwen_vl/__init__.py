"""Qwen-VL, Qwen-VL-Chat, Qwen2-VL, Qwen2.5-VL and Qwen3-VL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.descriptors import ModelDescriptor
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
            offers=frozenset({"logprobs", "contrast"}),
            options=OPTIONS,
            presets=PRESETS,
        )
    ]
