"""The model contract and the built-in baselines."""

from harness.models.contract import Answerer, Model, Runtime, TaskHandle

__all__ = ["Answerer", "Model", "Runtime", "TaskHandle"]
