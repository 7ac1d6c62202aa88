"""A LoRA adapter of plain shape, added into the weights as peft's ``merge_and_unload`` does."""

from __future__ import annotations

from pathlib import Path

import torch
from harness.engine.weights import read_header
from safetensors.torch import load_file
from torch import nn

from harness_socialfusion.sources import read_json

# Keys of an adapter's config that may have any value: names, and what matters in training alone.
_ANY = {
    "arrow_config", "auto_mapping", "base_model_name_or_path", "inference_mode",
    "lora_alpha", "lora_dropout", "megatron_core", "peft_type",
    "peft_version", "qalora_group_size", "r", "revision", "target_modules", "task_type",
}  # fmt: skip
_NAMES = "base_model.model."


def merge_adapter(model: nn.Module, folder: Path) -> bool:
    """Add a LoRA adapter's products into a float32 model's weights.

    Returns:
        Whether it was done: False, and the model is as it was, when the adapter has another shape.
    """
    config = read_json(folder / "adapter_config.json")
    others = {key: value for key, value in config.items() if key not in _ANY}
    rank, alpha = config.get("r"), config.get("lora_alpha")
    if not (isinstance(rank, int) and isinstance(alpha, int) and rank > 0):
        return False
    is_plain = (
        config.get("peft_type") == "LORA"
        and others.pop("bias", "none") == "none"
        and type(others.pop("init_lora_weights", True)) is bool
        and not any(others.values())
    )
    if not is_plain:
        return False
    path = folder / "adapter_model.safetensors"
    read_header(path)  # says what is wrong with a damaged file
    weights = load_file(path)
    targets = config.get("target_modules")
    modules = {
        name: module
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear)
        and isinstance(targets, list)
        and name.rpartition(".")[2] in targets
    }
    shapes = {}
    for name, module in modules.items():
        shapes[f"{_NAMES}{name}.lora_A.weight"] = (rank, module.in_features)
        shapes[f"{_NAMES}{name}.lora_B.weight"] = (module.out_features, rank)
    if not modules or shapes != {name: tuple(weight.shape) for name, weight in weights.items()}:
        return False
    scale = alpha / rank
    for name, module in modules.items():
        # Products of copies: a file's mapped memory is not aligned as a tensor's own is.
        down, up = (
            torch.empty(weight.shape).copy_(weight)
            for weight in (
                weights[f"{_NAMES}{name}.lora_A.weight"],
                weights[f"{_NAMES}{name}.lora_B.weight"],
            )
        )
        module.weight.data += (up @ down) * scale
    return True
