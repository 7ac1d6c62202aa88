"""Puts a LoRA adapter into a loaded model: all of it, or a message and exit code 2.

The layers are peft's, put beside the base weights and not added into them: numbers in half
precision lose nothing, and quantised weights take them.
"""

from __future__ import annotations

import re
import warnings
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.engine.adapters.active import activate_all
from harness.engine.adapters.check import check, peft_config
from harness.engine.adapters.files import FIX, adapter_files
from harness.engine.adapters.read import Adapter, Layer, NamedParts, joined, read_adapter
from harness.engine.checkpoints import grouped_report
from harness.errors import UserError, one_line

if TYPE_CHECKING:
    from torch import Tensor, nn

NAME = "given"
"""peft's name of the adapter in the model: those that train have another."""

_Shapes = tuple[str, tuple[int, ...], tuple[int, ...]]  # of a name: in the file, in the model
_ROWS = {"lora_B", "lora_magnitude_vector"}  # along a layer's outputs


def apply_adapter(
    parts: Mapping[str, Any], folder: Path, also: Mapping[str, Sequence[str]] | None = None
) -> None:
    """Put an adapter into a loaded model, in place.

    Args:
        parts: The model's modules by the name that each has within the whole model as
            transformers' class names it; ``""`` for a module that is the whole model.
        folder: The adapter's.
        also: Other names that releases have for modules, with the real ones (below ``parts``)
            that each stands for; several where this model splits what a release fuses.

    Raises:
        UserError: when a tensor is missing, of no layer of the model, or of another shape, or the
            config asks for what is not read.
    """
    files = adapter_files(folder)
    model = NamedParts(parts, also or {})
    adapter = read_adapter(files, model)
    check(adapter, model, folder)
    _replace(adapter, model, folder)
    _inject(adapter, model, folder)


def _replace(adapter: Adapter, model: NamedParts, folder: Path) -> None:
    """Put whole tensors in the place of the model's own."""
    wrong: list[_Shapes] = []
    for replacement in adapter.plain:
        count = len(replacement.match.targets)
        for number, real in enumerate(replacement.match.targets):
            root, name = model.parameters[real]
            weight = model.parts[root].get_parameter(_base(model.parts[root], name))
            values = replacement.tensor if count == 1 else _rows(replacement.tensor, number, count)
            if not weight.is_floating_point():
                raise UserError(
                    f"{one_line(replacement.path)} is saved whole; quantised weights cannot be "
                    "replaced",
                    where=folder,
                    fix="-o quantise=none",
                )
            if weight.shape != values.shape:
                wrong.append((replacement.path, tuple(values.shape), tuple(weight.shape)))
                continue
            made = values.to(weight.device, weight.dtype, copy=True)
            tied = replacement.extra or bool(adapter.config.get("ensure_weight_tying"))
            _put(model, made, root, name, tied=tied)
    _refuse_shapes(wrong, folder)


def _base(part: nn.Module, name: str) -> str:
    """Return a parameter's name where its module is adapted already."""
    module, _, leaf = name.rpartition(".")
    adapted = hasattr(part.get_submodule(module), "get_base_layer")
    return joined(module, "base_layer", leaf) if adapted else name


def _put(model: NamedParts, values: Tensor, root: str, name: str, *, tied: bool) -> None:
    """Set a parameter; that of modules which share it only where they trained as one."""
    from torch import nn

    part = model.parts[root]
    module, _, leaf = _base(part, name).rpartition(".")
    holder = part.get_submodule(module)
    before, made = getattr(holder, leaf), nn.Parameter(values, requires_grad=False)
    setattr(holder, leaf, made)
    if tied:
        for each in (each for held in model.parts.values() for each in held.modules()):
            for key, weight in each.named_parameters(recurse=False):
                if weight is before:
                    setattr(each, key, made)


def _inject(adapter: Adapter, model: NamedParts, folder: Path) -> None:
    """Put peft's layers into the parts and fill them."""
    from peft import inject_adapter_in_model

    wanted: dict[str, dict[str, tuple[Layer, int]]] = defaultdict(dict)
    for layer in adapter.layers.values():
        for number, real in enumerate(layer.match.targets):
            root, name = model.modules[real]
            if not name:
                raise UserError(
                    f"{one_line(layer.path)} cannot take an adapter in this model",
                    where=folder,
                    fix="merge the adapter into the checkpoint and give the merged one",
                )
            wanted[root][name] = (layer, number)
    for root, layers in wanted.items():
        part = model.parts[root]
        config = _part_config(adapter, layers, folder)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of peft about adapters that are there, and Conv1D
                inject_adapter_in_model(config, part, adapter_name=NAME)
        except (ValueError, RuntimeError, TypeError, KeyError, ImportError) as error:
            raise UserError(
                f"the adapter does not fit: {one_line(str(error), 300)}", where=folder, fix=FIX
            ) from None
        _fill(part, layers, folder)
        _act_together(part)
        part.eval()


def _fill(part: nn.Module, layers: Mapping[str, tuple[Layer, int]], folder: Path) -> None:
    """Copy an adapter's tensors into peft's layers: all of them, and nothing else."""
    import torch

    wrong: list[_Shapes] = []
    absent: list[str] = []
    over = {(module, leaf) for module, (layer, _) in layers.items() for leaf in layer.tensors}
    for name, weight in part.named_parameters():
        module, leaf = _of_ours(name)
        if not module:
            continue
        layer, number = layers[module]
        if leaf not in layer.tensors:
            absent.append(f"{layer.path}.{leaf}")
            continue
        over.discard((module, leaf))
        values = layer.tensors[leaf]
        if leaf.partition(".")[0] in _ROWS:
            values = _rows(values, number, len(layer.match.targets))
        if values.shape != weight.shape:
            wrong.append((f"{layer.path}.{leaf}", tuple(values.shape), tuple(weight.shape)))
            continue
        weight.data = values.to(weight.device, torch.float32, copy=True)
    strange = [f"{layers[module][0].path}.{leaf}" for module, leaf in over]
    report = grouped_report({"missing in the file": absent, "of another kind of layer": strange})
    if report:
        raise UserError(f"the adapter does not fit: {report}", where=folder, fix=FIX)
    _refuse_shapes(wrong, folder)


def _of_ours(name: str) -> tuple[str, str]:
    """Return module and leaf of one of our own parameters; two empty strings for others."""
    match = re.fullmatch(rf"(.+)\.(lora_\w+)\.{NAME}(?:\.(weight|bias))?", name)
    return (match[1], f"{match[2]}.{match[3] or 'weight'}") if match else ("", "")


def _rows(tensor: Tensor, number: int, count: int) -> Tensor:
    """Return one layer's share of the rows of a tensor that is for ``count`` layers."""
    if tensor.ndim == 0 or len(tensor) % count:
        return tensor
    return tensor.chunk(count)[number] if count > 1 else tensor


def _part_config(adapter: Adapter, layers: Mapping[str, tuple[Layer, int]], folder: Path) -> Any:
    """Return peft's config for the layers of one part, each with the rank and scale it trained."""
    from peft.utils.other import get_pattern_key

    config = adapter.config
    ranks: dict[str, int] = {}
    alphas: dict[str, int] = {}
    for name, (layer, _) in layers.items():
        for patterns, values in (("rank_pattern", ranks), ("alpha_pattern", alphas)):
            by_pattern = config.get(patterns) or {}
            key = get_pattern_key(list(by_pattern), layer.trained)
            if key in by_pattern:
                values[f"^{re.escape(name)}"] = by_pattern[key]
    return peft_config(
        {},
        folder,
        r=config["r"],
        lora_alpha=config["lora_alpha"],
        rank_pattern=ranks,
        alpha_pattern=alphas,
        target_modules="|".join(map(re.escape, layers)),
        init_lora_weights=False,
        **{
            name: bool(config.get(name))
            for name in ("use_rslora", "use_dora", "fan_in_fan_out", "lora_bias")
        },
    )


def _act_together(part: nn.Module) -> None:
    """Let the adapter act beside those that the model came with; nothing of it trains."""
    activate_all(part)
    for name, weight in part.named_parameters():
        if _of_ours(name)[0]:
            weight.requires_grad = False


def _refuse_shapes(wrong: Sequence[_Shapes], folder: Path) -> None:
    if wrong:
        name, actual, wanted = wrong[0]
        raise UserError(
            f"the adapter does not fit: {one_line(name)} has the shape {list(actual)}, here it is "
            f"{list(wanted)}" + (f"; so {len(wrong) - 1} more" if len(wrong) > 1 else ""),
            where=folder,
            fix=FIX,
        )
