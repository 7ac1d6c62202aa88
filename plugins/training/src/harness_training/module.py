"""A vision-language model as transformers' Trainer takes it: examples in, answer tokens out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any, TypeVar

import torch
from harness.engine.contract import Inputs, VisionLanguageModel
from harness.engine.features import FeatureCache
from harness.engine.tokenize import Ids
from harness.errors import UserError
from harness.models.devices import torch_dtype
from harness.samples.images import LoadedImage
from torch import Tensor, nn
from transformers.modeling_layers import GradientCheckpointingLayer

Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Item:
    """One example as ids; its images are opened only where their features are not known.

    Attributes:
        prompt: Ids of the prompt, ``contract.IMAGE`` once for each image.
        answer: Ids of the answer, with the one that ends it.
        keys: Keys of the images, in order.
        open: Opens the images, in order.
        weight: What its loss is multiplied by.
        token_weights: Weights of the answer's tokens; empty for 1 each.
        rejected: Ids of the answer to which the other is preferred; empty without one.
    """

    id: str
    prompt: Ids
    answer: Ids
    keys: tuple[str, ...]
    open: Callable[[], tuple[LoadedImage, ...]]
    weight: float = 1.0
    token_weights: tuple[float, ...] = ()
    rejected: Ids = ()

    def weighted(self, weight: float) -> Item:
        """Return the item with another weight."""
        return replace(self, weight=weight)

    def pair(self) -> Item:
        """Return the item with its rejected answer in the place of the taught one."""
        return replace(self, answer=self.rejected, token_weights=(), rejected=())


class TrainingModule(nn.Module):
    """Computes the log-probability of every answer token.

    Args:
        model: The model, prepared for training.
        features: Where a frozen encoder's features are kept; ``None`` when it trains.
        precision: dtype of the computation, whatever the weights have; ``float32``: theirs.

    Attributes:
        is_split: Whether weights are split over processes; see :func:`harness_training.fsdp.split`.
    """

    def __init__(
        self,
        model: VisionLanguageModel,
        features: FeatureCache | None,
        precision: str = "float32",
    ) -> None:
        super().__init__()
        # Registered, so that Trainer moves, wraps and optimises them; the model is plain data.
        self.parts = nn.ModuleDict(dict(model.parts()))
        self._held = [model]
        self._features = features
        self._recomputes = False
        self._precision = precision
        self.is_split = False

    @property
    def model(self) -> VisionLanguageModel:
        """The model whose parts these are."""
        return self._held[0]

    def train(self, mode: bool = True) -> TrainingModule:
        """Set training mode; parts that do not train stay as they are asked."""
        super().train(mode)
        for part in self.parts.values():
            if not any(weight.requires_grad for weight in part.parameters()):
                part.train(mode=False)
                if mode and self._recomputes:
                    _recompute(part)
        return self

    def recompute(self) -> None:
        """Compute activations again in the backward pass instead of keeping them.

        Raises:
            UserError: the language model's class cannot.
        """
        for name, module in self.parts.items():
            part: Any = module
            if getattr(part, "supports_gradient_checkpointing", False):
                named = "activation_checkpointing_enable"  # the name that lasts
                enable = getattr(part, named, None) or part.gradient_checkpointing_enable
                enable({"use_reentrant": False})
            elif name == "language_model":
                raise UserError(f"{type(part).__name__} cannot checkpoint gradients")
        self._recomputes = True

    def was_split(self) -> None:
        """Take note that weights are split; nobody is to wrap the module once more."""
        self.is_split = True
        self._is_accelerate_prepared = True  # accelerate's own word for it

    def remember(self, items: Iterable[Item]) -> None:
        """Encode images that a frozen encoder has not seen, before they are asked for."""
        if self._features is None or not self._features.keeps:
            return
        for item in items:
            if any(key not in self._features for key in item.keys):
                self._encode(item)
        self.flush()

    def flush(self) -> None:
        """Write features that are held in memory."""
        if self._features is not None:
            self._features.flush()

    def forward(self, items: Sequence[Item], *, logits: bool = False) -> tuple[Tensor, ...]:
        """Return float32 log-probabilities ``(B, T)`` of answer tokens, and their mask.

        With ``logits`` also those ``(B, T, V)`` of the whole vocabulary.
        """
        with self._computing():
            images = self._positions(items)
            inputs = [
                self.model.inputs(item.prompt, [images[key] for key in item.keys]) for item in items
            ]
            each, real, scores = answer_logprobs(
                self.model, inputs, [item.answer for item in items]
            )
        if self.is_split and not images:
            each = each + self._of_images()
        return (each, real, scores) if logits else (each, real)

    def during(self, work: Callable[[], Result]) -> Result:
        """Return what work returns, done as training computes; all processes of a split model."""
        with self._computing():
            return work()

    def _computing(self) -> AbstractContextManager[object]:
        if self._precision == "float32":
            return nullcontext()
        return torch.autocast(
            self.model.device.type,
            dtype=torch_dtype(self._precision),
            cache_enabled=not self.is_split,  # it would keep every layer that was put together
        )

    def _of_images(self) -> Tensor:
        """Return 0 that depends on what images alone use: other processes may have some."""
        return 0 * sum(
            (
                weight.flatten()[0]
                for name, part in self.parts.items()
                for weight in part.parameters()
                if name != "language_model" and weight.requires_grad
            ),
            start=torch.zeros((), device=self.model.device),
        )

    def _positions(self, items: Sequence[Item]) -> dict[str, Tensor]:
        """Return each distinct image's positions in the language model, by its key."""
        encoded: dict[str, Tensor] = {}
        for item in items:
            if any(key not in encoded for key in item.keys):
                encoded |= zip(item.keys, self._encode(item), strict=True)
        if not encoded:
            return {}
        return dict(zip(encoded, self.model.connect(list(encoded.values())), strict=True))

    def _encode(self, item: Item) -> list[Tensor]:
        if self._features is None:
            return self.model.encode(item.open())
        cached = [self._features.get(key) for key in item.keys]
        features = [feature for feature in cached if feature is not None]
        if len(features) == len(cached):
            return features
        images = item.open()
        with torch.no_grad():
            features = self.model.encode(images)
        for image, feature in zip(images, features, strict=True):
            self._features.put(image.key, feature)
        return features


def _recompute(frozen: nn.Module) -> None:
    """Let layers that train nothing recompute, which they do in training mode only."""
    for layer in frozen.modules():
        if isinstance(layer, GradientCheckpointingLayer):
            layer.training = True  # of the layer alone: dropout inside it stays off


def answer_logprobs(
    model: VisionLanguageModel, inputs: Sequence[Inputs], answers: Sequence[Ids]
) -> tuple[Tensor, Tensor, Tensor]:
    """Return the log-probability of each answer token, which of them there are, and all logits.

    Prompts end, and answers begin, at one column: padding is at both outer ends.

    Args:
        model: The model.
        inputs: B prompts.
        answers: Token ids of their answers, each at least one.

    Returns:
        ``(B, T)`` float32, a mask of that shape, 1 where there is a token, and ``(B, T, V)``
        float32.
    """
    before, answer_length = max(prompt.length for prompt in inputs), max(map(len, answers))
    device = inputs[0].embeds.device
    aims = torch.zeros(len(inputs), answer_length, dtype=torch.long, device=device)
    real = torch.zeros(len(inputs), answer_length, device=device)
    for row, ids in enumerate(answers):
        aims[row, : len(ids)] = torch.tensor(ids, device=device)
        real[row, : len(ids)] = 1
    words = model.embed(aims)
    steps = torch.arange(answer_length, device=device)
    embeds = torch.stack(
        [
            torch.cat(
                [_padding(prompt.embeds, before), prompt.embeds, answer.to(prompt.embeds.dtype)]
            )
            for prompt, answer in zip(inputs, words, strict=True)
        ]
    )
    positions = torch.stack(
        [
            torch.cat(
                [
                    prompt.positions.new_zeros(len(prompt.positions), before - prompt.length),
                    prompt.positions,
                    (prompt.following + steps).expand(len(prompt.positions), -1),
                ],
                dim=1,
            )
            for prompt in inputs
        ],
        dim=1,
    )
    lengths = torch.tensor([prompt.length for prompt in inputs], device=device)
    columns = torch.arange(before, device=device)
    mask = torch.cat([columns >= before - lengths[:, None], real.bool()], dim=1).long()
    logits = model.forward(
        embeds,
        mask=mask,
        positions=positions,
        cache=None,
        extras=_extras(inputs, before, answer_length),
        keep=answer_length + 1,
    )[:, :-1].float()
    each = logits.gather(2, aims[..., None]).squeeze(2) - logits.logsumexp(2)
    return each, real, logits


def _padding(values: Tensor, length: int) -> Tensor:
    return values.new_zeros(length - len(values), *values.shape[1:])


def _extras(inputs: Sequence[Inputs], before: int, answer_length: int) -> Mapping[str, Tensor]:
    names = {name for prompt in inputs for name in prompt.extras}
    extras: dict[str, Any] = {}
    for name in names:
        rows = []
        for prompt in inputs:
            extra = prompt.extras[name]
            after = extra.new_zeros(answer_length, *extra.shape[1:])
            rows.append(torch.cat([_padding(extra, before), extra, after]))
        extras[name] = torch.stack(rows)
    return extras
