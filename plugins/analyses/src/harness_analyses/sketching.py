"""Gradients as short vectors: taken parameter by parameter while the backward pass runs.

A count sketch adds each number of the gradient, with a random sign, to a random place of a vector
(Charikar, Chen and Farach-Colton 2002). Inner products of sketches are those of gradients in
expectation; their error is about one part in the root of the sketch's length. Where there are no
more parameters than places, the gradient itself is kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from harness.engine.contract import VisionLanguageModel
from harness.errors import SampleError, UserError
from harness.samples.limits import MAX_PIXELS
from harness_training.items import Items
from harness_training.module import TrainingModule
from harness_training.parts import LORA
from harness_training.pool import Pool
from harness_training.weights import ADAPTER, Trained, chosen_parts, load, prepare
from numpy.typing import NDArray
from torch import Tensor, nn

ALL = "all"
_CHUNK = 1 << 22
Vectors = NDArray[np.float32]


class Sketcher:
    """Collects the gradient of parameters; none is held beside another.

    Args:
        parameters: Names and parameters, in an order that does not change.
        size: Length of the sketch; 0 keeps the gradient itself.
        seed: Seed of positions and signs.
    """

    def __init__(
        self, parameters: Sequence[tuple[str, nn.Parameter]], size: int, seed: int
    ) -> None:
        self.total = sum(weight.numel() for _, weight in parameters)
        self.exact = size == 0 or self.total <= size
        self.width = self.total if self.exact else size
        self.reached: set[str] = set()
        self._seed = seed
        self._vector = torch.zeros(self.width)
        self._handles = []
        start = 0
        for name, weight in parameters:
            hook = self._hook(name, start)
            listening: Any = weight
            self._handles.append(listening.register_post_accumulate_grad_hook(hook))
            start += weight.numel()

    def take(self) -> Vectors:
        """Return what came since the last call, and begin anew."""
        sketch = self._vector.numpy().copy()
        self._vector.zero_()
        return sketch

    def close(self) -> None:
        """Stop listening."""
        for handle in self._handles:
            handle.remove()

    def _hook(self, name: str, start: int) -> Callable[[Tensor], None]:
        def heard(weight: Tensor) -> None:
            assert weight.grad is not None
            gradient, weight.grad = weight.grad.detach(), None
            self.reached.add(name)
            self._add(name, start, gradient.reshape(-1))

        return heard

    def _add(self, name: str, start: int, gradient: Tensor) -> None:
        if self.exact:
            self._vector[start : start + len(gradient)] += gradient.float().cpu()
            return
        for number, chunk in enumerate(torch.split(gradient, _CHUNK)):
            seed_text = f"{self._seed}|{name}|{number}".encode()
            seed = int.from_bytes(hashlib.blake2b(seed_text, digest_size=7).digest(), "big")
            random = torch.Generator(device=chunk.device).manual_seed(seed)
            drawn = torch.randint(
                2 * self.width, (len(chunk),), generator=random, device=chunk.device
            )
            signed = chunk.float() * (1 - 2 * (drawn & 1)).float()
            sums = torch.zeros(self.width, device=chunk.device)
            self._vector += sums.index_add_(0, drawn >> 1, signed).cpu()


def declared(model: VisionLanguageModel, trained: Trained) -> list[tuple[str, nn.Parameter]]:
    """Return the parameters of parts, which alone take gradients from now on."""
    parts = model.parts()
    for module in parts.values():
        module.requires_grad_(requires_grad=False)
    weights: list[tuple[str, nn.Parameter]] = []
    for part in trained.parts:
        module = parts["language_model" if part == LORA else part]
        for name, weight in module.named_parameters():
            if (part != LORA or f".{ADAPTER}." in name) and weight.is_floating_point():
                weight.requires_grad = True
                weights.append((f"{part}.{name}", weight))
    if not weights:
        raise UserError(f"{', '.join(trained.parts)} have no trainable weights")
    return weights


def asked_parts(model: VisionLanguageModel, spelling: str) -> tuple[str, ...]:
    """Return the parts asked for; ``all`` is tower, connector and LoRA, as far as there are such.

    Raises:
        UserError: for a part that the model has not.
    """
    if spelling == ALL:
        return (*(one for one in ("vision_tower", "connector") if one in model.parts()), LORA)
    return chosen_parts(model, spelling)


def ready(model: VisionLanguageModel, spelling: str, lora: Trained, folder: Path | None) -> Trained:
    """Put adapters, or a training's weights, into a model; return whose gradients are wanted.

    Args:
        model: The model; it is changed.
        spelling: As :func:`asked_parts` takes it.
        lora: Rank and scale of new adapters.
        folder: What ``harness train`` wrote; ``None`` for the model as it is.
    """
    parts = asked_parts(model, spelling)
    loaded = None if folder is None else load(model, folder)
    if LORA in parts and (loaded is None or LORA not in loaded.parts):
        prepare(model, replace(lora, parts=(LORA,)))
    return replace(lora, parts=parts)


class Measurement:
    """Takes the gradients of a model's loss on minibatches, as sketches.

    The loss is the mean over samples of the mean cross entropy of their answers' tokens, without
    dropout. Sketches are linear, so micro-batches add up.

    Args:
        model: The model, ready.
        trained: Whose parameters.
        size: Length of a sketch; 0 is exact.
        micro_batch: Samples in memory at once.
        seed: Seed of the sketch.

    Attributes:
        width: Length of what is kept of a gradient.
        total: Number of parameters.
    """

    def __init__(
        self,
        model: VisionLanguageModel,
        trained: Trained,
        *,
        size: int,
        micro_batch: int,
        seed: int,
    ) -> None:
        self._model, self._trained, self._micro_batch = model, trained, micro_batch
        self._sketcher = Sketcher(declared(model, trained), size, seed)
        self._module = TrainingModule(model, None).eval()
        self._items: tuple[Pool, Items] | None = None
        self.width, self.total = self._sketcher.width, self._sketcher.total

    def of(self, pool: Pool, places: Sequence[int], *, first: bool) -> Vectors:
        """Return the gradient ``(width,)`` of one minibatch.

        Args:
            pool: What a task trains on.
            places: The minibatch: places of lessons.
            first: Whether it is the first of all, whose gradient must reach every part.

        Raises:
            UserError: no gradient reaches a part, one is not finite, or an image cannot be opened.
        """
        if self._items is None or self._items[0] is not pool:
            self._items = pool, Items(pool, self._model, MAX_PIXELS)
        vector = _of_batch(self._module, self._items[1], places, self._micro_batch, self._sketcher)
        if first:
            _require_reached(self._trained, self._sketcher)
        if not np.isfinite(vector).all():
            names = ", ".join(pool.examples[place].id for place in places[:3])
            raise UserError(f"the gradient is not finite, samples {names}", fix="--dtype float32")
        return vector

    def close(self) -> None:
        """Stop listening to the model's gradients."""
        self._sketcher.close()


def _require_reached(trained: Trained, sketcher: Sketcher) -> None:
    for part in trained.parts:
        if not any(name.startswith(f"{part}.") for name in sketcher.reached):
            raise UserError(
                f"no gradient reaches {part}: the model computes it without gradients",
                fix="name other parts",
            )


def _of_batch(
    module: TrainingModule,
    items: Items,
    places: Sequence[int],
    micro_batch: int,
    sketcher: Sketcher,
) -> Vectors:
    for start in range(0, len(places), micro_batch):
        try:
            batch_items = [items(place, 1.0) for place in places[start : start + micro_batch]]
        except SampleError as error:
            raise UserError(f"an image to train on cannot be opened: {error}") from None
        logprobs, mask = module(batch_items)
        each = -(logprobs * mask).sum(1) / mask.sum(1).clamp(min=1)
        loss = each.sum() / len(places)
        if loss.requires_grad:
            loss.backward()
    return sketcher.take()
