"""Training on pairs of an image and a text: what a dual encoder supplies, and its batches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import torch
from harness.descriptors import Json
from harness.errors import UserError
from harness.models import Answerer, Runtime
from harness.samples.images import LoadedImage
from harness.training.contract import Pairs
from torch import nn

from harness_training.module import TrainingModule
from harness_training.pool import Lesson, Pool


@dataclass(frozen=True, slots=True)
class Pair:
    """One image and one text that belong together; the image is opened when it is encoded.

    Attributes:
        text: As the encoder reads it, templates and all.
        groups: Slice to value, such as ``gender`` to ``female``.
    """

    id: str
    text: str
    open: Callable[[], tuple[LoadedImage, ...]]
    groups: Mapping[str, str]
    weight: float = 1.0


class PairEncoder(Protocol):
    """A loaded dual encoder that trains; ``load_model`` of a model with vectors returns one.

    Attributes:
        trains: Parts that train when nobody says which.
        features_key: None; what it says of an image is not kept on disk while it trains.
    """

    trains: tuple[str, ...]
    features_key: None

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        ...

    def parts(self) -> Mapping[str, nn.Module]:
        """Return ``encoder``, and the parts that were added."""
        ...

    def add(self, added: Mapping[str, Mapping[str, Json]]) -> None:
        """Make parts that a recipe asks for, by name, with their settings.

        Raises:
            UserError: a part that it cannot make.
        """
        ...

    def sentence(self, answer: str) -> str:
        """Return a text around an answer, as options of a choice are read."""
        ...

    def excess(self, text: str) -> int:
        """Return by how many tokens a text is too long; 0 when it fits."""
        ...

    def pairs(self, pairs: Sequence[Pair]) -> Pairs:
        """Return what a loss reads of a batch, with gradients."""
        ...

    def answerer(self, runtime: Runtime) -> Answerer:
        """Return what answers by the weights as they are."""
        ...


class PairModule(TrainingModule):
    """Computes the vectors of a batch; see :class:`harness_training.module.TrainingModule`.

    Args:
        encoder: Prepared for training.
        precision: dtype of the computation.
    """

    def __init__(self, encoder: Any, precision: str) -> None:
        super().__init__(encoder, None, precision)

    def forward(self, items: Sequence[Any], **_: object) -> Any:
        """Return the :class:`harness.training.Pairs` of a batch of :class:`Pair`."""
        encoder: Any = self.model
        return self.during(partial(encoder.pairs, items))

    def recompute(self) -> None:
        """Compute activations again in the backward pass instead of keeping them.

        Raises:
            UserError: the encoder's class cannot.
        """
        encoder: Any = self.parts["encoder"]
        if getattr(encoder, "supports_gradient_checkpointing", False):
            encoder.gradient_checkpointing_enable({"use_reentrant": False})
        elif hasattr(encoder, "set_grad_checkpointing"):
            encoder.set_grad_checkpointing()
        else:
            raise UserError(f"{type(encoder).__name__} cannot checkpoint gradients")


class PairItems:
    """Makes a :class:`Pair` of a place in the pool; its text is the epoch's own of several.

    Args:
        pool: What is trained on.
        encoder: Says how it reads an answer.
        max_pixels: Larger images are refused.
    """

    def __init__(self, pool: Pool, encoder: PairEncoder, max_pixels: int) -> None:
        self._pool, self._encoder, self._max_pixels = pool, encoder, max_pixels
        self.epoch = 0

    def __call__(self, index: int, weight: float, rejected: str = "") -> Pair:
        """Return an image with its text, and a weight.

        Raises:
            UserError: a text that is longer than the encoder's context.
        """
        del rejected
        lesson, example = self._pool.lessons[index], self._pool.examples[index]
        texts = lesson.embedded() or (self._encoder.sentence(example.answer),)
        text = texts[self.epoch % len(texts)]
        if over := self._encoder.excess(text):
            raise UserError(
                f"the text of sample {example.id!r} of {example.task!r} takes {over} tokens more "
                f"than the encoder has: {text[:60]!r}"
            )
        return Pair(
            example.id, text, partial(_open, lesson, self._max_pixels), example.groups, weight
        )


def _open(lesson: Lesson, max_pixels: int) -> tuple[LoadedImage, ...]:
    return lesson.images(max_pixels)
