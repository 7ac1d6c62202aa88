"""An adapter's tensors, each led to its place in the model."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.engine.adapters.files import EXTRAS, FIX, read_config
from harness.engine.adapters.names import Match, Names, without_wrappers
from harness.engine.checkpoints import iterate_file
from harness.errors import UserError, one_line

if TYPE_CHECKING:
    from torch import Tensor, nn

_LORA = re.compile(
    r"(?P<path>.+?)\.(?P<leaf>lora_A|lora_B|lora_embedding_A|lora_embedding_B|"
    r"lora_magnitude_vector)(?:\.(?!weight$|bias$)[^.]+)?(?:\.(?P<kind>weight|bias))?"
)


@dataclass(slots=True)
class Layer:
    """One layer's LoRA: tensors by leaf (``lora_A.weight``).

    Attributes:
        match: Where it leads in the model.
        path: The layer's name in the file.
        trained: Its name in the config's way of naming.
    """

    match: Match
    path: str
    trained: str = ""
    tensors: dict[str, Tensor] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Whole:
    """A whole tensor: its name in the file, where it leads, and whether it is of the extras."""

    path: str
    match: Match
    tensor: Tensor
    extra: bool


@dataclass(slots=True)
class Adapter:
    """An adapter as its files say, sorted out by the model's names.

    Attributes:
        config: ``adapter_config.json``.
        layers: By entry of the model's names.
        plain: Whole tensors that take the place of the model's.
        unknown: Names of tensors that lead nowhere.
        naming: By part, and what stands before a layer's own name in the model, what stands there
            in the config's way of naming it.
    """

    config: dict[str, Any]
    layers: dict[str, Layer] = field(default_factory=dict)
    plain: list[Whole] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    naming: dict[tuple[str, str], str] = field(default_factory=dict)


class NamedParts:
    """A model's parts, and the names of their modules and parameters."""

    def __init__(self, parts: Mapping[str, Any], also: Mapping[str, Sequence[str]]) -> None:
        from peft import PeftModel
        from peft.tuners.tuners_utils import BaseTunerLayer

        self.parts: dict[str, nn.Module] = {
            root: part.get_base_model() if isinstance(part, PeftModel) else part
            for root, part in parts.items()
        }
        self.modules: dict[str, tuple[str, str]] = {}
        self.parameters: dict[str, tuple[str, str]] = {}
        for root, part in self.parts.items():
            adapted: tuple[str, ...] = ()
            for name, module in part.named_modules():
                if adapted and name.startswith(adapted):
                    continue
                adapts = isinstance(module, BaseTunerLayer)
                if adapts:
                    adapted = (*adapted, f"{name}.")
                base: nn.Module = module.get_base_layer() if adapts else module
                self.modules[joined(root, name)] = (root, name)
                for leaf, _ in base.named_parameters(recurse=False):
                    self.parameters[joined(root, name, leaf)] = (root, joined(name, leaf))
        self.module_names = Names(self.modules, also)
        self.parameter_names = Names(self.parameters, also)

    def module(self, real: str) -> nn.Module:
        """Return a module by its name within the whole model; of an adapted one its base."""
        root, name = self.modules[real]
        module: Any = self.parts[root].get_submodule(name)
        base: nn.Module = module.get_base_layer() if hasattr(module, "get_base_layer") else module
        return base


def joined(*names: str) -> str:
    """Return names with dots between them, empty ones left out."""
    return ".".join(name for name in names if name)


def read_adapter(files: Sequence[Path], model: NamedParts) -> Adapter:
    """Return an adapter, each tensor led to its place in the model."""
    adapter = Adapter(read_config(files[0]))
    for path in files[1:]:
        empty = True
        for name, tensor in iterate_file(path):
            empty = False
            _require_numbers(name, tensor, path)
            if not _sort(adapter, model, name, tensor, path):
                adapter.unknown.append(name)
        if empty:
            raise UserError("the adapter's file holds no tensors", where=path, fix=FIX)
    _refuse_twice(adapter, files[1])
    return adapter


def _sort(adapter: Adapter, model: NamedParts, name: str, tensor: Tensor, path: Path) -> bool:
    """Put a tensor where its name leads; whether it leads anywhere."""
    clean = without_wrappers(name)
    lora = _LORA.fullmatch(clean)
    if lora is None:
        match = model.parameter_names.find(clean)
        if match is not None:
            adapter.plain.append(Whole(clean, match, tensor, path.name in EXTRAS))
        return match is not None
    match = model.module_names.find(lora["path"])
    if match is None:
        return False
    layer = adapter.layers.setdefault(match.entry, Layer(match, lora["path"]))
    leaf = f"{lora['leaf']}.{lora['kind'] or 'weight'}"
    if leaf in layer.tensors:
        raise UserError(f"two tensors belong to one layer: {one_line(name)}", where=path, fix=FIX)
    layer.tensors[leaf] = tensor
    return True


def _refuse_twice(adapter: Adapter, path: Path) -> None:
    """Refuse two adaptions of one layer, and two whole tensors for one of the model's."""
    layers = [(real, each.path) for each in adapter.layers.values() for real in each.match.targets]
    plain_weights = [(real, one.path) for one in adapter.plain for real in one.match.targets]
    for targets in (layers, plain_weights):
        count = Counter(real for real, _ in targets)
        for real, name in targets:
            if count[real] > 1:
                raise UserError(
                    f"two tensors belong to one layer: {one_line(name)}", where=path, fix=FIX
                )


def _require_numbers(name: str, tensor: Any, path: Path) -> None:
    """Refuse what is no tensor of finite numbers."""
    import torch

    good = (
        isinstance(tensor, torch.Tensor)
        and tensor.layout == torch.strided
        and tensor.is_floating_point()
        and tensor.numel() <= max(path.stat().st_size, 1)  # no number is repeated over a shape
    )
    if not good or not bool(torch.isfinite(tensor).all()):
        raise UserError(
            f"{one_line(name)} is not a plain tensor of finite numbers", where=path, fix=FIX
        )
