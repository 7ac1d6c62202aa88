"""Checks a plugin's recipe against its contract: each fault becomes one message."""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from random import Random
from typing import TYPE_CHECKING

from harness.descriptors import Json, RecipeDescriptor
from harness.errors import PluginError, UserError
from harness.guard import described
from harness.plugins import contract_of
from harness.targets import load_target
from harness.training.contract import Batch, Epoch, Example, Measure, Pairs, Recipe

if TYPE_CHECKING:
    from torch import Tensor


class Guarded(Recipe):
    """Hands every call on to a plugin's recipe.

    Raises:
        PluginError: from each method, when the recipe raises or returns what it must not.
    """

    def __init__(self, descriptor: RecipeDescriptor, options: Mapping[str, Json]) -> None:
        self._contract = contract_of(descriptor)
        self._name = descriptor.id
        make = load_target(descriptor)
        with self._calling("make"):
            self._recipe: Recipe = make(options)
        if not isinstance(self._recipe, Recipe):
            raise self._contract.returned(self._recipe, "make", "a harness.training.Recipe")
        self.needs_fields = self._recipe.needs_fields
        self.needs_groups = self._recipe.needs_groups
        self.parts = self._recipe.parts
        self.needs_logits = self._recipe.needs_logits
        self.needs_pairs = self._recipe.needs_pairs
        self.needs_reference = self._recipe.needs_reference
        self.trains_pairs = self._recipe.trains_pairs

    @property
    def chooses_weights(self) -> bool:
        """Whether the recipe has a say in which weights of a part train."""
        return type(self._recipe).trains is not Recipe.trains

    @property
    def weighs_tokens(self) -> bool:
        """Whether the recipe has a say in what a token of an answer weighs."""
        return type(self._recipe).token_weights is not Recipe.token_weights

    def check(self, pool: Sequence[Example]) -> Sequence[str]:
        """Return what the recipe says of the data."""
        with self._calling("check"):
            return [str(note) for note in self._recipe.check(pool)]

    def trains(self, part: str, name: str) -> bool:
        """Return whether the recipe has a weight train."""
        with self._calling("trains"):
            return bool(self._recipe.trains(part, name))

    def epoch(
        self, number: int, pool: Sequence[Example], measure: Measure, random: Random
    ) -> Epoch:
        """Return what the epoch sees, as plain numbers."""
        with self._calling("epoch"):
            epoch = self._recipe.epoch(number, pool, measure, random)
            order = [operator.index(place) for place in epoch.order]
            weights = None if epoch.weights is None else [float(one) for one in epoch.weights]
            rejected = None if epoch.rejected is None else [*epoch.rejected]
        if not order:
            raise UserError(f"recipe {self._name!r} left epoch {number + 1} without a sample")
        if not 0 <= min(order) <= max(order) < len(pool):
            raise self._wrong(f"chose a place outside the pool of {len(pool)}")
        if weights is not None and len(weights) != len(order):
            raise self._wrong(f"gave {len(weights)} weights to {len(order)} samples")
        if weights is not None and not all(0 <= one < math.inf for one in weights):
            raise self._wrong("gave a weight that is negative or not finite")
        if (rejected is not None) != self.needs_pairs or len(rejected or order) != len(order):
            raise self._wrong(
                f"gave {len(rejected or ())} rejected answers to {len(order)} samples, and "
                f"needs_pairs is {self.needs_pairs}"
            )
        for at, text in zip(order, rejected or (), strict=False):
            if not isinstance(text, str) or not text.strip() or text == pool[at].answer:
                raise self._wrong(
                    f"rejects {described(text)} for sample {pool[at].id!r}, whose answer is "
                    f"{pool[at].answer!r}"
                )
        return replace(epoch, order=order, weights=weights, rejected=rejected)

    def batch_loss(self, batch: Batch) -> Tensor:
        """Return the recipe's loss, a scalar."""
        with self._calling("loss"):
            loss = self._recipe.batch_loss(batch)
        return self._scalar(loss)

    def pairs_loss(self, pairs: Pairs) -> Tensor:
        """Return the recipe's loss of images and texts, a scalar."""
        with self._calling("pairs_loss"):
            loss = self._recipe.pairs_loss(pairs)
        return self._scalar(loss)

    def _scalar(self, loss: Tensor) -> Tensor:
        if loss.ndim:
            raise self._wrong(f"returned a loss of shape {tuple(loss.shape)}, not a scalar")
        return loss

    def adds(self, pool: Sequence[Example]) -> dict[str, dict[str, Json]]:
        """Return parts that the recipe adds to a dual encoder, with their settings."""
        with self._calling("adds"):
            return {name: {**settings} for name, settings in self._recipe.adds(pool).items()}

    def token_weights(self, example: Example, tokens: Sequence[str]) -> list[float] | None:
        """Return the weight of each token of an answer, as plain numbers."""
        with self._calling("token_weights"):
            returned = self._recipe.token_weights(example, tokens)
            weights = None if returned is None else [float(one) for one in returned]
        if weights is not None and (
            len(weights) != len(tokens) or not all(0 <= one < math.inf for one in weights)
        ):
            raise self._wrong(
                f"gave sample {example.id!r} the token weights {str(weights)[:80]}: one for each "
                f"of {len(tokens)} tokens, finite and not negative"
            )
        return weights

    def finished(self, number: int, figures: Mapping[str, Json]) -> None:
        """Tell the recipe that an epoch ended."""
        with self._calling("finished"):
            self._recipe.finished(number, figures)

    def _calling(self, method: str) -> AbstractContextManager[None]:
        from harness.engine.batching import out_of_memory

        return self._contract.calling(method, out_of_memory)

    def _wrong(self, problem: str) -> PluginError:
        return self._contract.wrong(problem)


def check_pool(recipe: Recipe, name: str, pool: Sequence[Example]) -> Sequence[str]:
    """Refuse data that lack what a recipe needs, and return its notes on the others.

    Raises:
        UserError: naming the fields or attributes, and the first sample that lacks them.
    """
    for example in pool:
        lacking = [need for need in recipe.needs_fields if need not in example.fields]
        if lacking:
            raise UserError(
                f"recipe {name!r} needs the field {lacking[0]!r}, which sample {example.id!r} of "
                f"{example.task!r} lacks",
                fix="train on a task that keeps it: data.fields in `harness tasks show TASK`",
            )
        if recipe.needs_groups and not example.groups:
            raise UserError(
                f"recipe {name!r} needs attributes, and sample {example.id!r} of {example.task!r} "
                "has none",
                fix="train on a task whose samples carry groups",
            )
    return recipe.check(pool)
