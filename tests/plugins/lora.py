"""LoRA adapters written by hand over a tiny checkpoint, and the checkpoint with them added in."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

RANK, ALPHA = 2, 3.0


@dataclass(frozen=True, slots=True)
class Written:
    """Folders of an adapter, and of the checkpoint into which it is merged by hand."""

    adapter: Path
    merged: Path


def write(
    checkpoint: Path,
    out: Path,
    layers: str,
    *,
    called: Callable[[str], str] = lambda name: name,
    targets: Sequence[str] | str = (),
    whole: str = "",
    extras: str = "",
    weights: str = "model.safetensors",
    **config: Any,
) -> Written:
    """Write an adapter under a checkpoint's own names or others, and the merged checkpoint.

    Args:
        checkpoint: A folder with one file of weights.
        out: Where both go.
        layers: Pattern of the modules that are adapted, by the checkpoint's names.
        called: What the adapter's file calls a module or tensor of the checkpoint.
        targets: ``target_modules``; by default the last words of the layers' names.
        whole: Pattern of tensors that are saved whole in the adapter's own file.
        extras: Pattern of tensors that are saved whole in ``non_lora_trainables.bin``.
        weights: The file of weights within the checkpoint.
        config: More of the adapter's config.
    """
    import torch
    from safetensors.torch import load_file, save_file

    chance = torch.Generator().manual_seed(0)
    tensors = {name: tensor.float() for name, tensor in load_file(checkpoint / weights).items()}
    file: dict[str, Any] = {}
    more: dict[str, Any] = {}
    last = set()
    for name in sorted(tensors):
        weight = tensors[name]
        module = name.removesuffix(".weight")
        if re.fullmatch(layers, module) and weight.ndim == 2 and name != module:
            down = torch.randn(RANK, weight.shape[1], generator=chance) * 0.3
            up = torch.randn(weight.shape[0], RANK, generator=chance) * 0.3
            tensors[name] = weight + ALPHA / RANK * up @ down
            file[f"base_model.model.{called(module)}.lora_A.weight"] = down
            file[f"base_model.model.{called(module)}.lora_B.weight"] = up
            last.add(module.rpartition(".")[2])
        for pattern, entries in ((whole, file), (extras, more)):
            if pattern and re.fullmatch(pattern, name):
                tensors[name] = weight + torch.randn(weight.shape, generator=chance) * 0.3
                entries[f"base_model.model.{called(name)}"] = tensors[name]
    assert file
    merged, adapter = out / "merged", out / "adapter"
    shutil.copytree(checkpoint, merged)
    save_file(tensors, merged / weights, {"format": "pt"})
    adapter.mkdir(parents=True)
    save_file(file, adapter / "adapter_model.safetensors")
    if more:
        torch.save(more, adapter / "non_lora_trainables.bin")
    entries = {
        "peft_type": "LORA",
        "r": RANK,
        "lora_alpha": ALPHA,
        "target_modules": targets if isinstance(targets, str) else list(targets) or sorted(last),
        **config,
    }
    (adapter / "adapter_config.json").write_text(json.dumps(entries))
    return Written(adapter, merged)


def compare(
    logits: Callable[..., Any], load: Callable[..., Any], turns: Any, base: Any, written: Written
) -> None:
    """Hold that the adapter over the base gives the merged model's logits, and not the base's.

    Args:
        logits: Of a model and turns; the fixture.
        load: From a checkpoint's folder and further options to a model.
        turns: A chat with an image.
        base: The checkpoint's folder.
        written: Adapter and merged checkpoint.
    """
    import numpy as np

    adapted = logits(load(base, adapter=str(written.adapter)), turns)
    wanted = logits(load(written.merged), turns)
    assert np.allclose(adapted, wanted, rtol=1e-4, atol=1e-4)
    assert np.abs(logits(load(base), turns) - wanted).max() > 1e-2


def rewrite(written: Written, change: Callable[[dict[str, Any]], Mapping[str, Any]]) -> None:
    """Change the tensors of an adapter's file."""
    from safetensors.torch import load_file, save_file

    path = written.adapter / "adapter_model.safetensors"
    save_file(dict(change(load_file(path))), path)


def configure(written: Written, **changes: Any) -> None:
    """Change an adapter's config."""
    path = written.adapter / "adapter_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))
