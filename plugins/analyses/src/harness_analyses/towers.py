"""Loaded visual encoders: hooks on the blocks of whatever transformer is inside give its layers."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from harness.engine.checkpoints import Checkpoint, load_image_processor, load_pretrained
from harness.engine.contract import PromptError
from harness.errors import UserError, unknown
from harness.evaluation.model import ConfiguredModel
from harness.evaluation.task import Task
from harness.guard import Contract
from harness.models import Runtime
from harness.models.devices import resolve_device, resolve_dtype, torch_dtype
from harness.samples.images import LoadedImage
from harness_training.checkpoint import load_trainable
from PIL import Image
from torch import Tensor, nn

from harness_analyses.features import Column, Features

CLASS, MEAN, ATTENTION = "class", "mean", "attention"
POOLINGS = (CLASS, MEAN, ATTENTION)
_CLASS_TOKENS = ("class_embedding", "cls_token", "class_token")
_REGISTERS = ("register_tokens", "reg_token", "registers")
_POOLS = ("AttentionPoolLatent", "AttentionalPooler", "MultiheadAttentionPoolingHead")

Run = Callable[[Sequence[LoadedImage]], object]


class Tower:
    """A visual transformer whose blocks are watched while it runs.

    What a layer says is a block's output, before any norm that comes after the last one. Images
    that an encoder sees as several tiles or at several scales are averaged over all of them.

    Args:
        name: For messages.
        module: The tower.
        run: Runs it on images, whatever else it computes.

    Raises:
        UserError: no transformer, or a processor that takes no image.
    """

    def __init__(self, name: str, module: nn.Module, run: Run) -> None:
        self.name = name
        self._run = run
        parent, blocks = find_blocks(module, name)
        self._blocks = list(blocks)
        # Some transformers run with positions first, and say so.
        self._positions_first = getattr(parent, "batch_first", True) is False
        self._class_token, self._registers = prefix_tokens(module)
        self._pools = [one for one in module.modules() if type(one).__name__.endswith(_POOLS)]
        blank = LoadedImage(Image.new("RGB", (224, 224), "grey"), "", "", 224, 224)
        try:
            states, pooled = self._watched([blank])
        except PromptError as error:
            raise UserError(f"the encoder {name} takes no image: {error}") from None
        self.layers = tuple(layer for layer, seen in enumerate(states) if seen)
        self.poolings = tuple(
            pooling
            for pooling, available in (
                (CLASS, self._class_token),
                (MEAN, True),
                (ATTENTION, bool(pooled)),
            )
            if available
        )

    def guard(self, contract: Contract) -> None:
        """Hold the run of a plugin's tower to its contract: what it raises names the plugin."""
        run = self._run

        def guarded(images: Sequence[LoadedImage]) -> object:
            with contract.calling("run", lambda error: isinstance(error, PromptError)):
                return run(images)

        self._run = guarded

    def columns(self, layers: str, poolings: str) -> dict[str, Column]:
        """Return what was asked for: ``LAYER/POOLING`` as asked, to the column that it is.

        Args:
            layers: ``all``, or numbers of blocks separated by commas; -1 is the last.
            poolings: Any of :data:`POOLINGS`, between commas. Attention pooling is the encoder's
                own, which reads the last layer alone.

        Raises:
            UserError: a layer or pooling that this encoder has not; lists those that it has.
        """
        columns: dict[str, Column] = {}
        for layer, layer_index in self._asked_layers(layers).items():
            for pooling in (one.strip() for one in poolings.split(",")):
                if pooling not in POOLINGS:
                    raise unknown("pooling", pooling, POOLINGS)
                if pooling not in self.poolings:
                    raise UserError(
                        f"the encoder {self.name} has no {pooling} pooling",
                        fix=f"--pooling {','.join(self.poolings)}",
                    )
                if pooling != ATTENTION or layer_index == len(self._blocks) - 1:
                    columns[f"{layer}/{pooling}"] = Column(layer_index, pooling)
        if not columns:
            raise UserError("attention pooling reads only the last layer", fix="--layers -1")
        return columns

    def _asked_layers(self, layers: str) -> dict[str, int]:
        if layers.strip() == "all":
            return {str(layer_index): layer_index for layer_index in self.layers}
        layer_indices: dict[str, int] = {}
        for text in layers.split(","):
            try:
                number = int(text)
            except ValueError:
                raise UserError(
                    f"{text!r} is not a layer", fix="--layers all, or numbers such as -1,-4"
                ) from None
            layer_index = number + len(self._blocks) if number < 0 else number
            if layer_index not in self.layers:
                available = ", ".join(map(str, self.layers))
                unused = " that it runs" if len(self.layers) < len(self._blocks) else ""
                raise UserError(
                    f"the encoder {self.name} has no layer {number}{unused}",
                    fix=f"its layers: {available} (-1 is {len(self._blocks) - 1})",
                )
            layer_indices[text.strip()] = layer_index
        return layer_indices

    def features(
        self, images: Sequence[LoadedImage], columns: Sequence[Column]
    ) -> list[dict[Column, Features]]:
        """Return each image's vectors, float32; one pass whatever the number of columns.

        Raises:
            PromptError: an image that the preprocessing rejects.
        """
        states, pooled = self._watched(images)
        if len(images) > 1 and not self._one_each(states, pooled, len(images)):
            return [found for image in images for found in self.features([image], columns)]
        by_column = {column: self._pooled(column, states, pooled) for column in columns}
        if len(images) == 1:
            by_column = {
                column: vectors.mean(0, keepdim=True) for column, vectors in by_column.items()
            }
        arrays = {column: vectors.float().cpu().numpy() for column, vectors in by_column.items()}
        return [
            {column: vectors[row] for column, vectors in arrays.items()}
            for row in range(len(images))
        ]

    def _pooled(self, column: Column, states: list[list[Tensor]], pooled: list[Tensor]) -> Tensor:
        if column.pooling == ATTENTION:
            return torch.cat(
                [one.flatten(1, -2).mean(1) if one.ndim > 2 else one for one in pooled]
            )
        if column.pooling == CLASS:
            return torch.cat([state[:, 0] for state in states[column.layer]])
        before = int(self._class_token) + self._registers
        return torch.cat([state[:, before:].mean(1) for state in states[column.layer]])

    @staticmethod
    def _one_each(states: list[list[Tensor]], pooled: list[Tensor], number: int) -> bool:
        """Whether every block ran once, on one row per image."""
        runs = [*(seen for seen in states if seen), *([pooled] if pooled else [])]
        return all(len(seen) == 1 and len(seen[0]) == number for seen in runs)

    @torch.inference_mode()
    def _watched(self, images: Sequence[LoadedImage]) -> tuple[list[list[Tensor]], list[Tensor]]:
        """Run; return each block's outputs ``(rows, tokens, width)``, and the attention pool's."""
        states: list[list[Tensor]] = [[] for _ in self._blocks]
        pooled: list[Tensor] = []
        with (
            watching(self._blocks, lambda place, out: states[place].append(self._rows(out))),
            watching(self._pools[:1], lambda _, out: pooled.append(_tensor(out))),
        ):
            self._run(images)
        return states, pooled

    def _rows(self, output: object) -> Tensor:
        state = _tensor(output)
        if state.ndim == 2:  # all images' tokens in one row: run one image at a time
            return state[None]
        if state.ndim != 3:
            raise UserError(
                f"the blocks of {self.name} return feature maps, not tokens",
                fix="probe a vision transformer",
            )
        return state.transpose(0, 1) if self._positions_first else state


@contextmanager
def watching(modules: Sequence[nn.Module], hear: Callable[[int, object], object]) -> Iterator[None]:
    """Tell of every output of modules, with the module's place, while the context lasts."""

    def hook(index: int) -> Callable[[nn.Module, object, object], None]:
        def heard(_: nn.Module, __: object, output: object) -> None:
            hear(index, output)

        return heard

    handles = [module.register_forward_hook(hook(at)) for at, module in enumerate(modules)]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def find_blocks(module: nn.Module, name: str) -> tuple[nn.Module, Sequence[nn.Module]]:
    """Return a transformer's stack of blocks, and the module that holds it.

    That is the list of modules of one class with the most weights.

    Raises:
        UserError: when there is none.
    """
    best: tuple[int, nn.Module, Sequence[nn.Module]] | None = None
    for parent in module.modules():
        for child in parent.children():
            if not isinstance(child, nn.ModuleList | nn.Sequential) or not len(child):
                continue
            inside = list(child)
            weights = sum(weight.numel() for weight in child.parameters())
            alike = len({type(one) for one in inside}) == 1
            deep = all(any(True for _ in one.children()) for one in inside)
            if alike and deep and weights and (best is None or weights > best[0]):
                best = (weights, parent, inside)
    if best is None:
        raise UserError(f"{name} has no stack of transformer blocks to probe")
    return best[1], best[2]


def prefix_tokens(module: nn.Module) -> tuple[bool, int]:
    """Return whether the first token is a class token, and how many registers follow it."""
    class_token, registers = False, 0
    for name, weight in module.named_parameters():
        last = name.rpartition(".")[2]
        class_token = class_token or last in _CLASS_TOKENS
        if last in _REGISTERS:
            registers = int(weight.shape[-2]) if weight.ndim > 1 else 0
    return class_token, registers


def _tensor(output: object) -> Tensor:
    tensor = output[0] if isinstance(output, tuple) else output
    assert isinstance(tensor, Tensor)
    return tensor.detach()


def of_transformers(source: Checkpoint, runtime: Runtime) -> Tower:
    """Load the vision model of a transformers checkpoint (CLIP, SigLIP, DINOv2, ...).

    Raises:
        UserError: weights or image processor that cannot be read.
    """
    from transformers import AutoModel

    device, dtype = resolve_device(runtime.device), torch_dtype(resolve_dtype(runtime.dtype, None))
    processor = load_image_processor(source.folder)
    try:
        model = load_pretrained(AutoModel, source, dtype=dtype)
    except UserError as error:
        raise UserError(
            error.message,
            where=error.where,
            fix=f"{error.fix}; for the tower in a language model, "
            f"model:ID,path={source.name} with the model that reads it",
        ) from None
    vision = getattr(model, "vision_model", model).to(device).eval()

    def run(images: Sequence[LoadedImage]) -> object:
        batch: Mapping[str, Tensor] = processor(
            images=[image.pixels for image in images], return_tensors="pt"
        )
        on_device = {name: value.to(device) for name, value in batch.items()}
        on_device["pixel_values"] = on_device["pixel_values"].to(dtype)
        return vision(**on_device)

    return Tower(f"hf:{source.name}", vision, run)


def of_model(subject: ConfiguredModel, task: Task, checkpoint: Path | None) -> Tower:
    """Take the vision tower out of a model, run as the model runs it.

    Args:
        subject: The model.
        task: Any task, for models that are made for one.
        checkpoint: What ``harness train`` wrote, put over the model's weights.

    Raises:
        UserError: a model whose parts name no vision tower.
    """
    from harness_training.weights import load

    loadable: Any = subject.model(task)
    if checkpoint is None:
        module, run = loadable.load_tower(subject.runtime)
    else:
        model = load_trainable(subject, task)
        load(model, checkpoint)
        module, run = model.vision_tower()
    return Tower(f"model:{subject.descriptor.id}", module, run)


__all__ = ["POOLINGS", "PromptError", "Tower", "of_model", "of_transformers"]
