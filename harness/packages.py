"""What this project ships as plugins of their own: a missing one names its remedy.

``packages.json`` is written from their descriptors; a test holds it equal to them.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from contextlib import suppress
from fnmatch import fnmatchcase
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from harness.descriptors import ModelDescriptor, ModelType, Offer

INDEX = Path(__file__).with_suffix(".json")


@cache
def _index() -> dict[str, dict[str, dict[str, Any]]]:
    index: dict[str, dict[str, dict[str, Any]]] = json.loads(INDEX.read_bytes())
    return index


def package_of(kind: str, name: str) -> str | None:
    """Return the distribution of ours that adds something, ``None`` when none does.

    Args:
        kind: As messages say it: ``model``, ``recipe``, ``data source``, ...
        name: Its id.
    """
    entry = _index().get(kind, {}).get(name)
    return None if entry is None else str(entry["package"])


def packaged(kind: str) -> Mapping[str, str]:
    """Return the ids of a kind that distributions of ours add, each with its distribution."""
    return {name: str(entry["package"]) for name, entry in _index().get(kind, {}).items()}


def packaged_plugins() -> set[str]:
    """Return the names of the plugins of this project, installed or not."""
    packages = {entry["package"] for kind in _index().values() for entry in kind.values()}
    return {name.removeprefix("social-harness-").replace("-", "_") for name in packages}


def command_with(function: str) -> str:
    """Return the command of ours that brings a function; the function's name when none does."""
    entries = _index()["command"].items()
    return next((name for name, entry in entries if function in entry.get("functions", ())),
                function)  # fmt: skip


def offering(offer: Offer, installed: Mapping[str, ModelDescriptor]) -> list[str]:
    """Return the models that offer something, those that are installed first."""
    ready = [name for name, model in installed.items() if offer in model.offers]
    packaged = [
        name for name, entry in _index()["model"].items() if offer in entry.get("offers", ())
    ]
    return list(dict.fromkeys([*ready, *packaged]))


def reader_of(config: Mapping[str, Any], installed: Mapping[str, ModelDescriptor]) -> str:
    """Return the model that a checkpoint is for, installed or of ours; empty when none is known.

    Args:
        config: Its ``config.json``.
        installed: Models by id.
    """
    kind = str(config.get("model_type") or "")
    types_of: dict[str, Iterable[ModelType]] = {
        name: [ModelType(pattern, tuple(keys)) for pattern, *keys in entry.get("model_types", ())]
        for name, entry in _index()["model"].items()
    }
    types_of |= {name: model.model_types for name, model in installed.items()}
    fitting = [
        (model_type.pattern == "*", "*" in model_type.pattern, name)
        for name, types in types_of.items()
        for model_type in types
        if fnmatchcase(kind, model_type.pattern) and config.keys() >= set(model_type.keys)
    ]
    return min(fitting)[-1] if fitting else ""


def versions(*names: str) -> dict[str, str]:
    """Return those of these packages that are installed, with their versions."""
    by_name = {}
    for name in names:
        with suppress(PackageNotFoundError):
            by_name[name] = version(name)
    return by_name
