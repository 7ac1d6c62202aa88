"""Task specs: schema, loader with line numbers, templates, groups."""

from harness.specs.spec import (
    ChooseSpec,
    DataSpec,
    EmbedSpec,
    GenerateSpec,
    MetricSpec,
    NamedOption,
    PromptSpec,
    TaskGroup,
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
    "TaskGroup",
    "TaskSpec",
    "fingerprint",
]
