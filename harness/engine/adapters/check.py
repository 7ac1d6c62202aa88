"""Whether an adapter fits a model: nothing left over, nothing missing."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.engine.adapters.files import CONFIG, FIX
from harness.engine.adapters.names import CONNECTOR, PREFIXES, says_its_part, split
from harness.engine.adapters.read import Adapter, Layer, NamedParts
from harness.engine.checkpoints import grouped_report
from harness.errors import UserError, one_line

if TYPE_CHECKING:
    from torch import nn


def check(adapter: Adapter, model: NamedParts, folder: Path) -> None:
    """Refuse an adapter with tensors left over or missing, by groups of their names."""
    config = peft_config(adapter.config, folder)
    untargeted = _settle_naming(adapter, config, model)
    missing = [
        *_halves(adapter),
        *_absent_layers(adapter, config, model),
        *_absent_plain(adapter, model),
    ]
    report = grouped_report(
        {
            "for no layer of this model": adapter.unknown,
            "missing in the file": missing,
            "for layers that the config's target_modules leave out": untargeted,
        }
    )
    if report:
        raise UserError(f"the adapter does not fit: {report}", where=folder, fix=FIX)
    if not adapter.layers:
        raise UserError("the adapter holds no LoRA weights", where=folder, fix=FIX)


def _settle_naming(adapter: Adapter, config: Any, model: NamedParts) -> list[str]:
    """Set each layer's name in the config's way; return layers that the config leaves out.

    A file's names may have been brought up to date and its config not, so a pattern of the config
    is tried on the names of other releases too.
    """
    groups: dict[tuple[str, str], list[Layer]] = defaultdict(list)
    for layer in adapter.layers.values():
        groups[layer.match.part, _stem(layer.match.entry)].append(layer)
    untargeted = []
    for group, layers in groups.items():
        left: list[Layer] = []
        tries = [*(each.match.prefix for each in layers), *PREFIXES[group[0]]]
        for prefix in dict.fromkeys(tries):
            now = [
                each
                for each in layers
                if not _targets(config, prefix + split(each.path)[1], each.match.targets, model)
            ]
            if not now:
                adapter.naming[group] = prefix
                break
            left = left or now
        else:
            untargeted += [f"{each.path}.lora" for each in left]
        for each in layers:
            each.trained = adapter.naming.get(group, "") + split(each.path)[1]
    return untargeted


def _stem(entry: str) -> str:
    """Return what stands before a layer's own name in the model's name of it."""
    return entry[: len(entry) - len(split(entry)[1])]


def peft_config(stored: Mapping[str, Any], folder: Path, **more: Any) -> Any:
    """Return peft's config of what decides which layers are adapted."""
    from peft import LoraConfig

    names = ("target_modules", "exclude_modules", "modules_to_save", "layers_to_transform")
    values = {
        name: stored[name] for name in (*names, "layers_pattern") if stored.get(name) is not None
    }
    try:
        config = LoraConfig(**{**values, **more})
        for name in ("target_modules", "exclude_modules"):
            if isinstance(value := getattr(config, name), str):
                re.compile(value)
        for pattern in (*(stored.get("rank_pattern") or ()), *(stored.get("alpha_pattern") or ())):
            re.compile(pattern)
    except (TypeError, ValueError, re.error) as error:
        raise UserError(
            f"not a LoRA configuration: {one_line(str(error))}", where=folder / CONFIG
        ) from None
    return config


def _targets(config: Any, name: str, targets: Sequence[str], model: NamedParts) -> bool:
    """Whether a config's target modules take in a layer under this name."""
    from peft.tuners.tuners_utils import check_target_module_exists

    if config.target_modules != "all-linear":
        return bool(check_target_module_exists(config, name))
    kinds = {type(model.module(real)).__name__ for real in targets}
    head = name.rpartition(".")[2] in {"lm_head", "embed_out"}
    return not head and all("Linear" in kind or kind == "Conv1D" for kind in kinds)


def _halves(adapter: Adapter) -> list[str]:
    """Return what layers of the file lack of their own."""
    absent = []
    magnitude = "lora_magnitude_vector.weight"
    for layer in adapter.layers.values():
        for lower, other in (("lora_A", "lora_B"), ("lora_embedding_A", "lora_embedding_B")):
            both = {f"{lower}.weight", f"{other}.weight"}
            if layer.tensors.keys() & both:
                absent += [f"{layer.path}.{half}" for half in both - layer.tensors.keys()]
        if adapter.config.get("use_dora") and magnitude not in layer.tensors:
            absent.append(f"{layer.path}.{magnitude}")
    return absent


def _absent_layers(adapter: Adapter, config: Any, model: NamedParts) -> list[str]:
    """Return layers that the config names and the file leaves out."""
    absent = []
    names_parts = any(says_its_part(layer.match.prefix) for layer in adapter.layers.values())
    reached = {target for layer in adapter.layers.values() for target in layer.match.targets}
    for entry, part, inner in model.module_names:
        targets = model.module_names.targets(entry)
        if reached & set(targets) or not all(_is_layer(model.module(name)) for name in targets):
            continue
        prefixes: Sequence[str] = [adapter.naming.get((part, _stem(entry)), "")]
        if (part, _stem(entry)) not in adapter.naming:
            prefixes = [prefix for (other, _), prefix in adapter.naming.items() if other == part]
            if names_parts and not prefixes:
                prefixes = PREFIXES[part]  # peft saw the part, under one of these names
        names = [prefix + inner for prefix in prefixes]
        if names and all(_targets(config, name, targets, model) for name in names):
            absent.append(f"{entry}.lora")
    return absent


def _is_layer(module: nn.Module) -> bool:
    """Whether LoRA is for modules of this kind."""
    kind = type(module).__name__
    return "Linear" in kind or kind in {"Conv1d", "Conv2d", "Conv3d", "Conv1D", "Embedding"}


def _absent_plain(adapter: Adapter, model: NamedParts) -> list[str]:
    """Return what is missing of modules that were saved whole, and of biases that trained."""
    absent: list[str] = []
    wanted: set[str] = set()
    for name in adapter.config.get("modules_to_save") or ():
        inside = [entry for entry in adapter.plain if f".{name}." in f".{entry.path}."]
        if not inside:
            absent.append(f"{name}.weight")
        for entry in inside:
            words = f".{entry.path}.".rpartition(f".{name}.")[2].count(".")
            roots = tuple(".".join(real.split(".")[:-words]) + "." for real in entry.match.targets)
            wanted |= {real for real in model.parameters if real.startswith(roots)}
    if adapter.config.get("bias") in {"all", "lora_only"}:
        biases = {f"{real}.bias" for each in adapter.layers.values() for real in each.match.targets}
        wanted |= biases & model.parameters.keys()
    extra = {real for entry in adapter.plain if entry.extra for real in entry.match.targets}
    modules = {real.rpartition(".")[0] for real in extra if real.endswith((".weight", ".bias"))}
    connector = any(_of_connector(real) for real in extra)
    wanted |= {
        real
        for real in model.parameters
        if (real.endswith((".weight", ".bias")) and real.rpartition(".")[0] in modules)
        or (connector and _of_connector(real))
    }
    present = {real for entry in adapter.plain for real in entry.match.targets}
    return [*absent, *sorted(wanted - present)]


def _of_connector(real: str) -> bool:
    return split(real)[0] == CONNECTOR and not real.endswith("image_newline")
