"""The recipe contract: what trains, which samples an epoch sees, and how their losses add up.

A recipe never sees the model. It may measure the current model's answers by :class:`Measure`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from random import Random
from typing import TYPE_CHECKING, Protocol

from harness.descriptors import Json

if TYPE_CHECKING:
    from torch import Tensor


@dataclass(frozen=True, slots=True)
class Example:
    """One training sample as a recipe sees it.

    Attributes:
        id: The sample's id, unique within its task.
        task: Id of the task it comes from.
        answer: The text it teaches.
        fields: The fields the task keeps (``data.keep``), such as ``concept``.
        groups: Slice to value, such as ``gender`` to ``female``.
        against: Whether a field holds another sample's value, and the answer says so.
        cluster: What statistics resample, such as the counterfactual set.
    """

    id: str
    task: str
    answer: str
    fields: Mapping[str, Json] = field(default_factory=dict)
    groups: Mapping[str, str] = field(default_factory=dict)
    against: bool = False
    cluster: str = ""


@dataclass(frozen=True, slots=True)
class Epoch:
    """What one epoch sees.

    Attributes:
        order: Indices into the pool, in training order; an index may occur several times.
        weights: Factor of each entry's loss; ``None`` for 1.
        figures: Values that the recipe records: skew, share kept, copies.
        rejected: For a recipe with ``needs_pairs``: a rejected answer to each entry's question; the
            taught answer is preferred to it.
    """

    order: Sequence[int]
    weights: Sequence[float] | None = None
    figures: Mapping[str, Json] = field(default_factory=dict)
    rejected: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class Answers:
    """A model's outputs on the answers of a batch.

    Attributes:
        logprobs: ``(B, T)`` natural log-probability of each answer token, float32.
        mask: ``(B, T)`` weight of each token: 1 unless the recipe weighs tokens, 0 for padding.
        logits: ``(B, T, V)`` float32 over the whole vocabulary, for a recipe that sets
            ``needs_logits``.
    """

    logprobs: Tensor
    mask: Tensor
    logits: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch as the loss receives it.

    Attributes:
        weights: ``(B,)`` of the samples.
        taught: Outputs of the trained model on the taught answers.
        rejected: The same for the rejected answers, with ``needs_pairs``.
        reference: Outputs of the model before its first step on the taught answers, without
            gradients, with ``needs_reference``.
        reference_rejected: The same for the rejected answers, if both are needed.
    """

    weights: Tensor
    taught: Answers
    rejected: Answers | None = None
    reference: Answers | None = None
    reference_rejected: Answers | None = None


@dataclass(frozen=True, slots=True)
class Pairs:
    """A batch of images and texts as the loss of a recipe with ``trains_pairs`` sees it.

    Attributes:
        weights: ``(B,)`` of the samples.
        images: ``(B, D)`` unit vectors, float32.
        texts: ``(B, D)`` unit vectors of their texts.
        same: ``(B, B)`` whether the texts of two images are identical.
        scale: Scalar factor of cosines (the inverse temperature).
        guesses: ``(B, V)`` logits of the added adversary, whose gradient is reversed.
        values: ``(B,)`` index of each image's value among V; -1 for none.
    """

    weights: Tensor
    images: Tensor
    texts: Tensor
    same: Tensor
    scale: Tensor
    guesses: Tensor | None = None
    values: Tensor | None = None


TINY = 1e-12
"""Minimum sum of token weights in a mean, so that a sample with only zero weights adds 0."""

Skews = Mapping[tuple[str, str, str], float]
"""Concept, attribute and value to its Skew@C; values that are not defined are absent."""


class Measure(Protocol):
    """Measures the current model on the pool."""

    def __call__(self) -> Skews:
        """Return the skew of each concept's attribute values, as the fairness task measures it.

        Raises:
            UserError: when the data have no concept or no attributes.
        """
        ...


class Recipe:
    """A training recipe. Made by ``(options) -> Recipe``; the base class is plain fine-tuning.

    Attributes:
        needs_fields: Fields every example must have.
        needs_groups: Whether examples must carry attributes.
        parts: Default of ``--train-parts``: the parts that train if the user names none.
        needs_logits: Whether its loss reads :attr:`Answers.logits`.
        needs_pairs: Whether its epochs give a rejected answer for each entry; a batch then needs
            twice the memory.
        needs_reference: Whether its loss reads outputs of the model before its first step, which
            needs a second copy of the trained weights and another forward pass.
        trains_pairs: Whether it trains dual encoders only, by :meth:`pairs_loss`.
    """

    needs_fields: tuple[str, ...] = ()
    needs_groups: bool = False
    parts: str = "auto"
    needs_logits: bool = False
    needs_pairs: bool = False
    needs_reference: bool = False
    trains_pairs: bool = False

    def check(self, pool: Sequence[Example]) -> Sequence[str]:
        """Return notes on these data that a user should read before training.

        Raises:
            UserError: when the recipe cannot train on them.
        """
        del pool
        return ()

    def trains(self, part: str, name: str) -> bool:
        """Return whether a weight of a trained part trains.

        Called when a training starts and when it resumes, so it must depend on the arguments only.

        Args:
            part: ``vision_tower``, ``connector``, ``language_model`` or ``lora``.
            name: The weight's name within the part, such as ``model.layers.0.mlp.up_proj.weight``.
        """
        del part, name
        return True

    def epoch(
        self, number: int, pool: Sequence[Example], measure: Measure, random: Random
    ) -> Epoch:
        """Return the contents of an epoch; called before it starts, and not again when it resumes.

        Args:
            number: Number of the epoch, from 0.
            pool: All training samples, in an order that does not change.
            measure: Measures the current model; costs a pass over the pool.
            random: Seeded by the run's seed and the epoch's number.
        """
        del number, measure
        order = list(range(len(pool)))
        random.shuffle(order)
        return Epoch(order)

    def loss(self, logprobs: Tensor, mask: Tensor, weights: Tensor) -> Tensor:
        """Return the loss of a batch, a scalar: the weighted mean over samples of mean NLL.

        Any loss must be a mean over samples: the harness adds up the batches of a step by their
        sizes, and a sample of weight 0 must count only in the number of samples.

        Args:
            logprobs: ``(B, T)`` natural log-probability of each answer token, float32.
            mask: ``(B, T)`` weight of each token, 0 for padding; see :meth:`token_weights`.
            weights: ``(B,)`` of the samples.
        """
        each = -(logprobs * mask).sum(1) / mask.sum(1).clamp(min=TINY)
        return (weights * each).mean()

    def batch_loss(self, batch: Batch) -> Tensor:
        """Return the loss of a batch; override it if :meth:`loss` receives too little."""
        return self.loss(batch.taught.logprobs, batch.taught.mask, batch.weights)

    def pairs_loss(self, pairs: Pairs) -> Tensor:
        """Return the loss of a batch of images and texts, a scalar."""
        raise NotImplementedError

    def adds(self, pool: Sequence[Example]) -> Mapping[str, Mapping[str, Json]]:
        """Return parts that a dual encoder gets for the training, by name, with their settings.

        They train in addition to the parts that the user names; the model's page lists them.

        Raises:
            UserError: when the pool cannot train them.
        """
        del pool
        return {}

    def token_weights(self, example: Example, tokens: Sequence[str]) -> Sequence[float] | None:
        """Return the weight of each token of a taught answer; ``None`` means 1.

        Called once for each sample of a process, so it must depend on the arguments only.

        Args:
            example: The sample.
            tokens: The text of each token; special tokens, such as the end of the answer, are
                empty.
        """
        del example, tokens
        return None

    def finished(self, number: int, figures: Mapping[str, Json]) -> None:
        """Receive the figures of a finished epoch, such as its mean loss."""
        del number, figures
