"""LoRA adapters: read without running anything, led to the model's layers, applied or refused."""

from harness.engine.adapters.apply import apply_adapter
from harness.engine.adapters.files import adapter_files

__all__ = ["adapter_files", "apply_adapter"]
