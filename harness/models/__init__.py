"""The model contract and the built-in baselines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.lazy import lazily

if TYPE_CHECKING:
    from harness.models.contract import Answerer, Model, Runtime, TaskHandle

__all__ = ["Answerer", "Model", "Runtime", "TaskHandle"]

# Descriptors alone must not load the contract: every command reads them.
__getattr__ = lazily(__name__, dict.fromkeys(__all__, "harness.models.contract"))
