"""LoRA adapters added into the weights for a while: reading is faster without more products."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from peft.tuners.lora import LoraLayer
from torch import nn


@contextmanager
def merged(module: nn.Module) -> Iterator[None]:
    """Hold active adapters in the weights they adapt; afterwards every bit is what it was.

    Weights of half precision, in which a sum would lose digits, quantised ones and ones that are
    split over processes stay as they are. A copy of what changes waits in the machine's memory.

    Args:
        module: In evaluation mode; what trains is not to be changed meanwhile.
    """
    layers: list[Any] = [layer for layer in module.modules() if _takes_sums(layer)]
    originals: list[tuple[Any, torch.Tensor]] = []
    try:
        for layer in layers:
            originals.append((layer, layer.get_base_layer().weight.detach().to("cpu", copy=True)))
            with torch.no_grad():
                layer.merge()
        yield
    finally:
        for layer, before in originals:
            layer.merged_adapters.clear()
            with torch.no_grad():
                layer.get_base_layer().weight.copy_(before)


def _takes_sums(layer: nn.Module) -> bool:
    if not isinstance(layer, LoraLayer) or layer.merged:
        return False
    base = layer.get_base_layer()
    weight = base.weight
    return (
        type(base) is nn.Linear and type(weight) is nn.Parameter and weight.dtype == torch.float32
    )
