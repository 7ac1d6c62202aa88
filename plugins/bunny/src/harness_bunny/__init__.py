"""Bunny v1.0 and v1.1, in their original format."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.descriptors import ModelDescriptor, ModelType
from harness.plugins import hookimpl

from harness_bunny.options import OPTIONS, PRESETS

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["harness_models"]


@hookimpl
def harness_models() -> Sequence[ModelDescriptor]:
    """Offer the model; nothing heavy is imported."""
    return [
        ModelDescriptor(
            id="bunny",
            target="harness_bunny.factory:Bunny",
            summary="Bunny v1.0 and v1.1 (S2) on Llama-3 and Phi-2",
            requires=("torch", "transformers", "safetensors"),
            install="pip install social-harness-bunny",
            capabilities=frozenset({"choose", "generate"}),
            offers=frozenset({"logprobs", "contrast", "train", "tower", "hidden"}),
            options=OPTIONS,
            presets=PRESETS,
            trains=("connector", "lora"),
            # Of arXiv 2408.06569 by a secondary note; that the language model trained whole
            # is inferred from its size.
            learning_rates={"language_model": 1e-7},
            model_types=(ModelType("bunny*"),),
        )
    ]
