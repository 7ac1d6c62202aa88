"""Task specs: schema, loader with line numbers, templates, groups."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.specs.spec import (
        ChooseSpec,
        DataSpec,
        EmbedSpec,
        GenerateSpec,
        MetricSpec,
        NamedOption,
        PromptSpec,
        TaskSpec,
        fingerprint,
    )

__all__ = [
    "ChooseSpec",
    "DataSpec",
    "EmbedSpec",
    "GenerateSpec",
    "MetricSpec",
    "NamedOption",
    "PromptSpec",
    "TaskSpec",
    "fingerprint",
]


def __getattr__(name: str) -> Any:
    # A list of tasks reads names and titles; it must not pay for what a whole spec is made of.
    if name in __all__:
        return getattr(import_module("harness.specs.spec"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
