"""Prompt arrays: learned vectors before every text, against an adversary that reads an attribute.

Berg et al. A Prompt Array Keeps the Bias Away: Debiasing Vision-Language Models with Adversarial
Learning. AACL 2022. The adversary sees an image's similarities to the queries and nothing else;
beside its loss stands the contrast of images and texts, so that the encoder keeps what it can. The
public code has the array and no training: that both are trained at once, the adversary through a
turned gradient (Ganin, Lempitsky 2015), and every default but two tokens, is this project's.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from harness.descriptors import Json
from harness.errors import UserError, unknown
from harness.training import Example, Pairs

from harness_recipes.contrastive import Contrastive

if TYPE_CHECKING:
    from torch import Tensor


class PromptArray(Contrastive):
    """The array and an adversary train; the encoder stays as it is unless parts of it are named.

    Args:
        options: ``tokens``, ``attribute``, ``queries`` (texts between bars; empty: the answers of
            the pool), ``strength`` of the turned gradient, ``hidden`` (width of the adversary),
            ``contrast`` (weight of the contrast), and those of :class:`Contrastive`.
    """

    parts = "prompt,adversary"

    def __init__(self, options: Mapping[str, Json]) -> None:
        super().__init__(options)
        self._attribute = str(options["attribute"])
        self._tokens, self._hidden = int(str(options["tokens"])), int(str(options["hidden"]))
        self._strength = float(str(options["strength"]))
        self._contrast = float(str(options["contrast"]))
        self._queries = [one.strip() for one in str(options["queries"] or "").split("|")]
        self._queries = [one for one in self._queries if one]

    def check(self, pool: Sequence[Example]) -> Sequence[str]:
        """Say what the adversary learns from.

        Raises:
            UserError: as :meth:`Contrastive.check`; no image has the attribute, or all have one
                value of it.
        """
        values = self._values(pool)
        without = sum(self._attribute not in one.groups for one in pool)
        left = f"; {without} images without one teach the contrast alone" if without else ""
        queries = len(self._texts(pool))
        note = f"adversary: {self._attribute} ({', '.join(values)}) from {queries} queries{left}"
        return [*super().check(pool), note]

    def adds(self, pool: Sequence[Example]) -> Mapping[str, Mapping[str, Json]]:
        """Return the array and the adversary, with what each is made of."""
        queries: list[Json] = [*self._texts(pool)]
        values: list[Json] = [*self._values(pool)]
        return {
            "prompt": {"tokens": self._tokens},
            "adversary": {
                "queries": queries,
                "attribute": self._attribute,
                "values": values,
                "hidden": self._hidden,
                "strength": self._strength,
            },
        }

    def pairs_loss(self, pairs: Pairs) -> Tensor:
        """Return the weighted contrast, and the adversary's cross-entropy where it is known."""
        from torch.nn.functional import cross_entropy

        assert pairs.guesses is not None
        assert pairs.values is not None
        loss = self._contrast * super().pairs_loss(pairs)
        each = cross_entropy(pairs.guesses, pairs.values, ignore_index=-1, reduction="none")
        return loss + (pairs.weights * each).mean()

    def _texts(self, pool: Sequence[Example]) -> list[str]:
        return self._queries or sorted({one.answer for one in pool})

    def _values(self, pool: Sequence[Example]) -> list[str]:
        name = self._attribute
        values = sorted({one.groups[name] for one in pool if name in one.groups})
        there = sorted({group for one in pool for group in one.groups})
        if not values:
            raise unknown("attribute of these images", name, there)
        if len(values) < 2:
            raise UserError(
                f"every image has {name} {values[0]!r}: an adversary has nothing to learn",
                where="recipe option 'attribute'",
                fix=f"another attribute ({', '.join(there)}), or more samples",
            )
        return values
