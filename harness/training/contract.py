"""The recipe contract: what trains, which samples an epoch sees, and how their losses add up.

A recipe never sees the model. It may ask how the model answers now, through :class:`Measure`.
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
        order: Places in the pool, in the order they are seen; one may come many times.
        weights: What each entry's loss is multiplied by; ``None`` for 1.
        figures: What the recipe wants on record: skew, share kept, copies.
        rejected: For a recipe that says ``needs_pairs``: an answer to each entry's question, to
            which the one that is taught is preferred.
    """

    order: Sequence[int]
    weights: Sequence[float] | None = None
    figures: Mapping[str, Json] = field(default_factory=dict)
    rejected: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class Answers:
    """What a model says of the answers of a batch.

    Attributes:
        logprobs: ``(B, T)`` natural log-probability of each answer token, float32.
        mask: ``(B, T)`` a token's weight: 1 unless the recipe weighs tokens, 0 where there is none.
        logits: ``(B, T, V)`` float32 over the whole vocabulary, for a recipe that says
            ``needs_logits``.
    """

    logprobs: Tensor
    mask: Tensor
    logits: Tensor | None = None


@dataclass(frozen=True, slots=True)
class Batch:
    """A batch as a loss sees it.

    Attributes:
        weights: ``(B,)`` of the samples.
        taught: The answers that are taught, by the model that trains.
        rejected: Their pairs, with ``needs_pairs``: the same questions and images.
        reference: The taught answers by the model as it was before its first step, without
            gradients, with ``needs_reference``.
        reference_rejected: The pairs by that model, where both are asked for.
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
        same: ``(B, B)`` whether an image's text is, word for word, another's.
        scale: What cosines are multiplied by, a scalar.
        guesses: ``(B, V)`` logits of the added adversary, whose gradient is turned.
        values: ``(B,)`` which of the V values each image has; -1 where it has none.
    """

    weights: Tensor
    images: Tensor
    texts: Tensor
    same: Tensor
    scale: Tensor
    guesses: Tensor | None = None
    values: Tensor | None = None


TINY = 1e-12
"""Least sum of token weights that a mean is taken over: a sample of none but zeros adds 0."""

Skews = Mapping[tuple[str, str, str], float]
"""Concept, attribute and value to its Skew@C; values that are not defined are absent."""


class Measure(Protocol):
    """Asks the model as it is now about the pool."""

    def __call__(self) -> Skews:
        """Return the skew of each concept's attribute values, as the fairness task measures it.

        Raises:
            UserError: when the data have no concept or no attributes.
        """
        ...


class Recipe:
    """A way to train. Made by ``(options) -> Recipe``; the base class is plain fine-tuning.

    Attributes:
        needs_fields: Fields every example must have.
        needs_groups: Whether examples must carry attributes.
        parts: Parts that train where the user names none, as ``--train-parts`` has them.
        needs_logits: Whether its loss reads :attr:`Answers.logits`.
        needs_pairs: Whether its epochs name a rejected answer for each entry; a batch then takes
            twice the memory.
        needs_reference: Whether its loss reads what the model said before its first step, which
            takes the trained weights once more and another forward pass.
        trains_pairs: Whether it trains dual encoders, by :meth:`pairs_loss`, and they alone.
    """

    needs_fields: tuple[str, ...] = ()
    needs_groups: bool = False
    parts: str = "auto"
    needs_logits: bool = False
    needs_pairs: bool = False
    needs_reference: bool = False
    trains_pairs: bool = False

    def check(self, pool: Sequence[Example]) -> Sequence[str]:
        """Return what a user should know of these data before training.

        Raises:
            UserError: when the recipe can do nothing with them.
        """
        del pool
        return ()

    def trains(self, part: str, name: str) -> bool:
        """Return whether a weight trains, of a part that does.

        Asked when a training begins and when it continues: by the name alone, and nothing else.

        Args:
            part: ``vision_tower``, ``connector``, ``language_model`` or ``lora``.
            name: The weight's name within the part, such as ``model.layers.0.mlp.up_proj.weight``.
        """
        del part, name
        return True

    def epoch(
        self, number: int, pool: Sequence[Example], measure: Measure, random: Random
    ) -> Epoch:
        """Return what an epoch sees; called before it starts, and never again when it resumes.

        Args:
            number: Number of the epoch, from 0.
            pool: All training samples, in an order that does not change.
            measure: Asks the current model; costs a pass over the pool.
            random: Seeded by the run's seed and the epoch's number.
        """
        del number, measure
        order = list(range(len(pool)))
        random.shuffle(order)
        return Epoch(order)

    def loss(self, logprobs: Tensor, mask: Tensor, weights: Tensor) -> Tensor:
        """Return the loss of a batch, a scalar: the weighted mean over samples of mean NLL.

        Another loss is a mean over samples too: the harness adds up the batches of a step by their
        sizes, and a sample of weight 0 must count nothing but in the number of samples.

        Args:
            logprobs: ``(B, T)`` natural log-probability of each answer token, float32.
            mask: ``(B, T)`` 1 where there is a token, or its weight; see :meth:`token_weights`.
            weights: ``(B,)`` of the samples.
        """
        each = -(logprobs * mask).sum(1) / mask.sum(1).clamp(min=TINY)
        return (weights * each).mean()

    def batch_loss(self, batch: Batch) -> Tensor:
        """Return the loss of a batch, for a recipe that reads more than :meth:`loss` is given."""
        return self.loss(batch.taught.logprobs, batch.taught.mask, batch.weights)

    def pairs_loss(self, pairs: Pairs) -> Tensor:
        """Return the loss of a batch of images and texts, a scalar."""
        raise NotImplementedError

    def adds(self, pool: Sequence[Example]) -> Mapping[str, Mapping[str, Json]]:
        """Return parts that a dual encoder gets for the training, by name, with their settings.

        They train beside the parts that the user names. Which there are, the model's page says.

        Raises:
            UserError: when the pool cannot teach them.
        """
        del pool
        return {}

    def token_weights(self, example: Example, tokens: Sequence[str]) -> Sequence[float] | None:
        """Return the weight of each token of a taught answer; ``None`` for 1 each.

        Asked once for each sample of a process, so it must depend on nothing else.

        Args:
            example: The sample.
            tokens: The text of each token; special tokens, as the one that ends the answer, are
                empty.
        """
        del example, tokens
        return None

    def finished(self, number: int, figures: Mapping[str, Json]) -> None:
        """Hear that an epoch ended, with its mean loss among the figures."""
        del number, figures
