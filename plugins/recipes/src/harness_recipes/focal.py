"""Focal loss (Lin et al. 2017, Eq. 4) over answer tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from harness.descriptors import Json

from harness_recipes.plain import FineTune

if TYPE_CHECKING:
    from torch import Tensor


class Focal(FineTune):
    """Each token's loss is ``-(1 - p)^gamma ln p``; 0 makes it plain fine-tuning.

    Args:
        options: ``gamma``, ``reduction``.
    """

    def __init__(self, options: Mapping[str, Json]) -> None:
        super().__init__(options)
        self._gamma = float(str(options["gamma"]))

    def loss(self, logprobs: Tensor, mask: Tensor, weights: Tensor) -> Tensor:
        """Return the weighted mean over samples of their focal loss."""
        # 1 - p by expm1: exact for a token the model is sure of.
        unsure = (-logprobs.expm1()).clamp(min=1e-12)
        losses = -(unsure**self._gamma) * logprobs * mask
        return (weights * self.of_sample(losses, mask)).mean()
