"""What the literature on skew leaves open: the desired share, and groups never assigned."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from harness.descriptors import Json
from harness.errors import UserError
from harness.metrics.classes import ratio

if TYPE_CHECKING:
    from harness.stats.types import Floats


@dataclass(frozen=True, slots=True)
class Rule:
    """What the literature leaves open.

    Attributes:
        desired: ``pool``: the share among images asked; ``uniform``: equal over values there are.
        zero: ``add_alpha``: ``(k_a + alpha p_a) / (k + alpha)``, for every share; ``one_over_k``:
            a share of zero becomes ``1 / k`` (VisoGender, debias-vision-lang); ``zero``: its skew
            is 0 (SocialCounterfactuals).
        alpha: Pseudo-count of ``add_alpha``.
    """

    desired: Literal["pool", "uniform"] = "pool"
    zero: Literal["add_alpha", "one_over_k", "zero"] = "add_alpha"
    alpha: float = 1.0

    @property
    def keeps(self) -> bool:
        """Whether a share of zero has a skew."""
        return self.zero != "add_alpha" or self.alpha > 0

    def skew(self, pool: Floats, assigned: Floats) -> Floats:
        """Return the skew of each value of one attribute.

        Args:
            pool: ``(..., values, concepts)`` images with each value.
            assigned: The same, of those assigned to the concept.

        Returns:
            ``(..., values, concepts)``; NaN for a value without images and where nothing was
            assigned.
        """
        import numpy as np

        present, desired = pool > 0, self.shares(pool)
        # Over the values of one attribute: images without a value for it take no part.
        k = assigned.sum(axis=-2, keepdims=True)
        if self.zero == "add_alpha":
            # A Dirichlet prior of weight alpha and mean p: no share of zero, whose log is infinite.
            share = ratio(assigned + self.alpha * desired, k + self.alpha)
        else:
            # Sums of probabilities may stay below one image: no share exceeds all of them.
            share = ratio(np.where(assigned > 0, assigned, np.minimum(1.0, k)), k)
        skews = np.full(share.shape, np.nan)
        defined = present & (k > 0) & (share > 0)
        np.log(np.divide(share, desired, out=skews, where=defined), out=skews, where=defined)
        if self.zero == "zero":
            skews = np.where(defined & (assigned == 0), 0.0, skews)
        return skews

    def shares(self, pool: Floats) -> Floats:
        """Return the desired share of each value, ``(..., values, concepts)``."""
        import numpy as np

        weights = pool if self.desired == "pool" else (pool > 0).astype(np.float64)
        return ratio(weights, weights.sum(axis=-2, keepdims=True))


def rule_of(options: Mapping[str, Json]) -> Rule:
    """Return the rule that a metric's options name.

    Raises:
        UserError: an alpha below 0.
    """
    raw_alpha = options.get("alpha")
    alpha = 1.0 if raw_alpha is None else float(str(raw_alpha))
    if not 0 <= alpha < math.inf:
        raise UserError(f"{alpha:g} is not a number of at least 0", where="option 'alpha'")
    desired: Literal["pool", "uniform"] = (
        "uniform" if options.get("desired") == "uniform" else "pool"
    )
    zero: Literal["add_alpha", "one_over_k", "zero"] = "add_alpha"
    if options.get("zero") == "one_over_k":
        zero = "one_over_k"
    elif options.get("zero") == "zero":
        zero = "zero"
    return Rule(desired, zero, alpha)
