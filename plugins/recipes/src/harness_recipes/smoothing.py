"""Label smoothing (Szegedy et al. 2016, section 7): a target shares a little with all tokens."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from harness.descriptors import Json
from harness.training import Batch

from harness_recipes.plain import FineTune

if TYPE_CHECKING:
    from torch import Tensor


class Smoothing(FineTune):
    """Each token's loss is ``-(1 - epsilon) ln p - epsilon / V sum ln p_v``; 0 is plain.

    The target keeps ``1 - epsilon + epsilon / V`` and each other entry of the vocabulary of V has
    ``epsilon / V``, as ``torch.nn.functional.cross_entropy(label_smoothing=epsilon)`` has it. V is
    what the model's head gives, padding of the vocabulary included.

    Args:
        options: ``epsilon``, ``reduction``.
    """

    needs_logits = True

    def __init__(self, options: Mapping[str, Json]) -> None:
        super().__init__(options)
        self._epsilon = float(str(options["epsilon"]))

    def batch_loss(self, batch: Batch) -> Tensor:
        """Return the weighted mean over samples of their smoothed loss."""
        taught = batch.taught
        assert taught.logits is not None
        uniform = taught.logits.logsumexp(2) - taught.logits.mean(2)
        losses = -(1 - self._epsilon) * taught.logprobs + self._epsilon * uniform
        return (batch.weights * self.of_sample(losses * taught.mask, taught.mask)).mean()
