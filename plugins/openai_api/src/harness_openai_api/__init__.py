"""Models served by an OpenAI-compatible endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.descriptors import ModelDescriptor
from harness.plugins import hookimpl

from harness_openai_api.options import OPTIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.events import RunStarted, TaskFinished

__all__ = ["harness_models", "harness_run_started", "harness_task_finished"]

_ID = "openai_api"


@hookimpl
def harness_models() -> Sequence[ModelDescriptor]:
    """Offer the model; nothing heavy is imported."""
    return [
        ModelDescriptor(
            id=_ID,
            target="harness_openai_api.factory:Endpoint",
            summary="Any OpenAI-compatible endpoint (vLLM, SGLang, llama.cpp, transformers serve).",
            requires=("httpx2", "anyio"),
            install="pip install social-harness-openai-api",
            capabilities=frozenset({"choose", "generate"}),
            offers=frozenset({"logprobs"}),
            options=OPTIONS,
        )
    ]


@hookimpl
def harness_run_started(event: RunStarted) -> None:
    """Count requests of this run alone."""
    del event
    from harness_openai_api.traffic import begin

    begin()


@hookimpl
def harness_task_finished(event: TaskFinished) -> None:
    """Write what endpoints did beside the clocks of the evaluation."""
    from harness_openai_api.traffic import write

    write(event, _ID)
