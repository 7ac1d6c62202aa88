"""Task specs: schema, loader with line numbers, templates, groups."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.lazy import lazily

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

# A list of tasks reads names and titles; it must not pay for what a whole spec is made of.
__getattr__ = lazily(__name__, dict.fromkeys(__all__, "harness.specs.spec"))
