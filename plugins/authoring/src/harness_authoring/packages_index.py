"""Write ``harness/packages.json``, the index of what this project ships as plugins.

``python -m harness_authoring.packages_index > harness/packages.json``, in a clone where all plugins
of this project are installed; ``tests/test_packages.py`` holds the file equal to this.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from harness.descriptors import CommandDescriptor, ModelDescriptor
from harness.plugins import plugins

OURS = "social-harness-"
KINDS = {
    "model": "models",
    "recipe": "recipes",
    "reader": "readers",
    "answer method": "answer_methods",
    "perturbation": "perturbations",
    "command": "commands",
    "metric": "metrics",
    "data source": "data_sources",
    "encoder": "encoders",
    "analysis kind": "analysis_kinds",
    "executor": "executors",
    "tracker": "trackers",
    "study kind": "study_kinds",
    "figure": "figures",
    "format": "formats",
    "exporter": "exporters",
    "submission": "submissions",
}


def entry_of(package: str, descriptor: object) -> dict[str, Any]:
    """Return what the index should say of something that a distribution adds."""
    entry: dict[str, Any] = {"package": package}
    if isinstance(descriptor, ModelDescriptor):
        if descriptor.offers:
            entry["offers"] = sorted(descriptor.offers)
        if descriptor.model_types:
            entry["model_types"] = [
                [checkpoint.pattern, *checkpoint.keys] for checkpoint in descriptor.model_types
            ]
    if isinstance(descriptor, CommandDescriptor) and descriptor.functions:
        entry["functions"] = sorted(descriptor.functions)
    return entry


def described() -> dict[str, dict[str, Any]]:
    """Return what the index should say: what the installed plugins of this project add."""
    registry = plugins()
    index: dict[str, dict[str, Any]] = {}
    for kind, method in KINDS.items():
        for name, descriptor in sorted(getattr(registry, method)().items()):
            package = registry.distribution_of(descriptor).partition(" ")[0]
            if package.startswith(OURS):
                index.setdefault(kind, {})[name] = entry_of(package, descriptor)
    return index


def as_text(index: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    """Return the index as the file has it: one line for each entry."""
    kinds = []
    for kind, entries in sorted(index.items()):
        lines = ",\n".join(
            f"    {json.dumps(name)}: {json.dumps(entry)}" for name, entry in entries.items()
        )
        kinds.append(f"  {json.dumps(kind)}: {{\n{lines}\n  }}")
    return "{\n" + ",\n".join(kinds) + "\n}\n"


if __name__ == "__main__":
    print(as_text(described()), end="")
