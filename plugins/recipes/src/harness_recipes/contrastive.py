"""Fine-tuning of dual encoders: images and texts that belong together, against all others.

The loss is CLIP's (Radford et al. 2021, Figure 3), both ways. Images of one batch whose texts are
equal, as those of a counterfactual set are, all belong to that text: each has an equal share of the
target (as in Yang et al., Unified Contrastive Learning, CVPR 2022). Where all texts differ it is
CLIP's loss to the digit.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from random import Random
from typing import TYPE_CHECKING

from harness.descriptors import Json
from harness.errors import UserError
from harness.training import Epoch, Example, Measure, Pairs, Recipe

if TYPE_CHECKING:
    from torch import Tensor

_VISION = ("visual", "vision", "image")


class Contrastive(Recipe):
    """Contrast of images and texts within a step.

    Args:
        options: ``sets`` (``together``: the images of a counterfactual set follow each other in an
            epoch; ``apart``: any order), ``side`` (``both``, ``image`` or ``text``: whose weights
            train).
    """

    trains_pairs = True

    def __init__(self, options: Mapping[str, Json]) -> None:
        self._together = options["sets"] == "together"
        self._side = str(options["side"])

    def check(self, pool: Sequence[Example]) -> Sequence[str]:
        """Say how many texts and sets there are.

        Raises:
            UserError: all texts are equal, so there is nothing to learn.
        """
        texts, sets = {one.answer for one in pool}, {(one.task, one.cluster) for one in pool}
        if len(texts) < 2:
            raise UserError(
                f"every image has the text {next(iter(texts))!r}: there is nothing to "
                f"contrast it with",
                fix="more samples, or a task with more concepts",
            )
        return [f"{len(pool)} pairs, {len(texts)} texts, {len(sets)} sets of images"]

    def trains(self, part: str, name: str) -> bool:
        """Return whether a weight is of the side that trains; a scale is of both."""
        if part not in {"encoder", "lora"} or self._side == "both":
            return True
        is_image = any(word.startswith(_VISION) for word in name.split("."))
        return is_image == (self._side == "image")

    def epoch(
        self, number: int, pool: Sequence[Example], measure: Measure, random: Random
    ) -> Epoch:
        """Return every pair once: set by set, or in any order."""
        del number, measure
        sets: dict[tuple[str, ...], list[int]] = {}
        for index, example in enumerate(pool):
            key = (example.task, example.cluster) if self._together else (str(index),)
            sets.setdefault(key, []).append(index)
        groups = list(sets.values())
        random.shuffle(groups)
        return Epoch([index for group in groups for index in group])

    def pairs_loss(self, pairs: Pairs) -> Tensor:
        """Return the weighted mean over pairs of both contrasts."""
        from torch.nn.functional import cross_entropy

        logits = pairs.scale * pairs.images @ pairs.texts.T
        aims = pairs.same.float()
        aims = aims / aims.sum(1, keepdim=True)
        each = cross_entropy(logits, aims, reduction="none")
        each = each + cross_entropy(logits.T, aims, reduction="none")
        return (pairs.weights * each).mean() / 2
