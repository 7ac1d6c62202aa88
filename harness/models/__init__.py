"""The model contract and the built-in baselines."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.models.contract import Answerer, Model, Runtime, TaskHandle

__all__ = ["Answerer", "Model", "Runtime", "TaskHandle"]


def __getattr__(name: str) -> Any:
    # Descriptors alone must not load the contract: every command reads them.
    if name in __all__:
        return getattr(import_module("harness.models.contract"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
