"""Keeps every LoRA adapter of a module switched on."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import nn


def activate_all(module: nn.Module) -> None:
    """Let all adapters add up: a new one switches off those that the model came with."""
    from peft.tuners.lora import LoraLayer

    for layer in module.modules():
        if isinstance(layer, LoraLayer):
            layer.set_adapter([*layer.lora_A, *layer.lora_embedding_A])
