"""Plain fine-tuning, and the reduction that all recipes share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from harness.descriptors import Json
from harness.training import Recipe
from harness.training.contract import TINY

if TYPE_CHECKING:
    from torch import Tensor


class FineTune(Recipe):
    """Every sample once an epoch, in an order of its own.

    Args:
        options: ``reduction``.
    """

    def __init__(self, options: Mapping[str, Json]) -> None:
        self._sums_tokens = options.get("reduction") == "token"

    def loss(self, logprobs: Tensor, mask: Tensor, weights: Tensor) -> Tensor:
        """Return the weighted mean over samples of their loss; see the contract."""
        each = self.of_sample(-logprobs * mask, mask)
        return (weights * each).mean()

    def of_sample(self, losses: Tensor, mask: Tensor) -> Tensor:
        """Return each sample's loss ``(B,)`` from those of its tokens ``(B, T)``."""
        total = losses.sum(1)
        return total if self._sums_tokens else total / mask.sum(1).clamp(min=TINY)
