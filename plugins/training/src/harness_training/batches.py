"""A batch of items as a recipe's loss sees it: taught answers, their pairs, a frozen reference."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

import torch
from harness.training.contract import Answers, Batch, Recipe
from torch import Tensor

from harness_training.module import Item, TrainingModule

Forward = Callable[..., tuple[Tensor, ...]]


class Reference:
    """The weights that train as they were before the first step; the others never change.

    Args:
        module: Holds the model.
        weights: Those that train.
    """

    def __init__(self, module: TrainingModule, weights: Sequence[Tensor]) -> None:
        self._module = module
        self._weights = list(weights)
        self._others = [weight.detach().clone() for weight in weights]

    @contextmanager
    def in_place(self) -> Iterator[TrainingModule]:
        """Give the module as it was: first weights, evaluation mode, no gradients."""
        training = self._module.training
        self._swap()
        self._module.eval()
        try:
            with torch.no_grad():
                yield self._module
        finally:
            self._swap()
            self._module.train(training)
            torch.clear_autocast_cache()  # it may hold the first weights in another dtype

    def _swap(self) -> None:
        for at, weight in enumerate(self._weights):
            weight.data, self._others[at] = self._others[at], weight.data


def batch_of(
    forward: Forward,
    items: Sequence[Item],
    weights: Tensor,
    recipe: Recipe,
    reference: Reference | None = None,
) -> Batch:
    """Return what a recipe's loss reads of a batch.

    Args:
        forward: The module, perhaps wrapped for several processes.
        items: B of them, each with a rejected answer where the recipe wants pairs.
        weights: ``(B,)``.
        recipe: Says what it needs.
        reference: Where it needs one.
    """
    rows = [*items, *(item.pair() for item in items)] if recipe.needs_pairs else items
    before: list[Answers | None] = [None, None]
    if reference is not None:
        with reference.in_place() as module:
            before = _answers(module, rows, len(items), recipe)
    taught, rejected = _answers(forward, rows, len(items), recipe)
    assert taught is not None
    return Batch(weights.to(taught.mask.device), taught, rejected, before[0], before[1])


def _answers(
    forward: Forward, rows: Sequence[Item], count: int, recipe: Recipe
) -> list[Answers | None]:
    """Return the answers of the first rows, and of their pairs, which come after them."""
    # Without more the call is the plain one, which wrappers and tests know.
    named = {"logits": True} if recipe.needs_logits else {}
    outputs = list(forward(rows, **named))
    outputs[1] = outputs[1] * _token_weights(rows, outputs[1])
    taught = Answers(*(output[:count] for output in outputs))
    pairs = Answers(*(output[count:] for output in outputs)) if len(rows) > count else None
    return [taught, pairs]


def _token_weights(rows: Sequence[Item], mask: Tensor) -> Tensor:
    weights = torch.ones_like(mask)
    for row, item in enumerate(rows):
        if item.token_weights:
            weights[row, : len(item.token_weights)] = weights.new_tensor(item.token_weights)
    return weights
