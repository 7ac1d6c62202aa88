"""Models served by an OpenAI-compatible endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.descriptors import ModelDescriptor
from harness.plugins import hookimpl

from harness_openai_api.options import OPTIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["harness_models"]


@hookimpl
def harness_models() -> Sequence[ModelDescriptor]:
    """Offer the model; nothing heavy is imported."""
    return [
        ModelDescriptor(
            id="openai_api",
            target="harness_openai_api.factory:Endpoint",
            summary="Any OpenAI-compatible endpoint (vLLM, SGLang, llama.cpp, transformers serve).",
            requires=("httpx2", "anyio"),
            install="pip install social-harness-openai-api",
            capabilities=frozenset({"choose", "generate"}),
            offers=frozenset({"logprobs"}),
            options=OPTIONS,
        )
    ]
