"""ASD: what the model over-attends to is seen less and weighs less, the rest more.

arXiv 2408.06569 as a secondary note tells it (the paper's body could not be read): before each
epoch the model's Skew is measured; ``Skew(P_i)`` of a sample is the one of largest magnitude among
its attribute values with its concept, sign kept.

- Resampling: ``Skew > 0`` is dropped with probability ``Skew / (Skew + tau1)``; the rest is kept,
  its magnitudes add up, and when the sum reaches ``tau2`` the sample is copied.
- SFLoss: a sample's loss is multiplied by ``exp(-Skew)``.

Whether the sum is one or one a concept and attribute value, the order of samples, and whether
weights are renormalised was not found: options.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from random import Random

from harness.descriptors import Json
from harness.errors import UserError
from harness.training import Epoch, Example, Measure

from harness_recipes.plain import FineTune
from harness_recipes.yes_rate import keeping_yes_rate

Pair = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class SampleSkew:
    """The skew of largest magnitude among a sample's attribute values, and whose it is."""

    value: float = 0.0
    pair: Pair | None = None


class AntiStereotypeDebiasing(FineTune):
    """ASD; with ``resample`` or ``sfloss`` alone it is the paper's ablation.

    Args:
        options: See the descriptor.

    Raises:
        UserError: a tau or a largest weight that is not above 0.
    """

    needs_fields = ("concept",)
    needs_groups = True

    def __init__(self, options: Mapping[str, Json]) -> None:
        super().__init__(options)
        self._resample, self._sfloss = bool(options["resample"]), bool(options["sfloss"])
        self._tau1, self._tau2 = _above_zero(options, "tau1"), _above_zero(options, "tau2")
        self._by_pair = options["accumulator"] == "pair"
        self._shuffled = options["order"] == "shuffled"
        self._renormalise = options["renormalise"] == "mean"
        self._keep_yes_rate = bool(options["keep_yes_rate"])
        self._largest = math.inf
        if options["max_weight"] is not None:
            self._largest = _above_zero(options, "max_weight")

    def check(self, pool: Sequence[Example]) -> Sequence[str]:
        """Name concepts in which no attribute has two values: their skew says nothing.

        Raises:
            UserError: when all are such.
        """
        values: dict[str, dict[str, set[str]]] = {}
        for example in pool:
            by_attribute = values.setdefault(str(example.fields["concept"]), {})
            for name, value in example.groups.items():
                by_attribute.setdefault(name, set()).add(value)
        alone = sorted(
            concept
            for concept, by_attribute in values.items()
            if all(len(found) < 2 for found in by_attribute.values())
        )
        if len(alone) == len(values):
            raise UserError(
                f"each concept has a single value of every attribute ({', '.join(alone[:3])}): "
                "there is no skew to measure",
                fix="train on more samples, or another task",
            )
        if not alone:
            return ()
        more = ", ..." if len(alone) > 3 else ""
        return [f"of {len(alone)} concepts one value only: {', '.join(alone[:3])}{more}"]

    def epoch(
        self, number: int, pool: Sequence[Example], measure: Measure, random: Random
    ) -> Epoch:
        """Return the samples kept and copied, with their weights.

        Raises:
            UserError: before the first epoch no concept has a skew; it would be plain fine-tuning.
        """
        measured = measure()
        if not measured and number == 0:
            raise UserError(
                "no concept has a skew to train by: the model gives each to fewer images than "
                "the task's min_assigned",
                fix="train on more samples, or lower it, such as --task-option TASK.min_assigned=5",
            )
        skews = [sample_skew(example, measured) for example in pool]
        order = list(range(len(pool)))
        if self._shuffled:
            random.shuffle(order)
        chosen = self._resampled(order, skews, random) if self._resample else order
        figures: dict[str, Json] = {**_spread(measured), "pool": len(pool)}
        figures["kept"] = len(set(chosen))
        figures["copies"] = len(chosen) - len(set(chosen))
        if self._shuffled:
            random.shuffle(chosen)  # copies follow their sample; steps should not
        weights = self._weights([skews[place] for place in chosen]) if self._sfloss else None
        if self._keep_yes_rate:
            weights, figures["answers_lost"] = keeping_yes_rate(pool, chosen, weights)
        if weights:
            figures["largest_weight"] = max(weights)
        return Epoch(chosen, weights, figures)

    def _resampled(
        self, order: Sequence[int], skews: Sequence[SampleSkew], random: Random
    ) -> list[int]:
        chosen: list[int] = []
        sums: dict[Pair | None, float] = {}
        for index in order:
            skew = skews[index]
            if skew.value > 0:
                if random.random() >= skew.value / (skew.value + self._tau1):
                    chosen.append(index)
                continue
            chosen.append(index)
            key = skew.pair if self._by_pair else None
            sums[key] = sums.get(key, 0.0) - skew.value
            while sums[key] >= self._tau2:
                chosen.append(index)
                sums[key] -= self._tau2
        return chosen

    def _weights(self, skews: Sequence[SampleSkew]) -> list[float]:
        weights = [min(math.exp(-skew.value), self._largest) for skew in skews]
        if self._renormalise and weights:
            mean = math.fsum(weights) / len(weights)
            weights = [weight / mean for weight in weights]
        return weights


def sample_skew(example: Example, skews: Mapping[Pair, float]) -> SampleSkew:
    """Return a sample's skew; 0 where none is defined, and for a question against its concept.

    Args:
        example: With its concept among the fields.
        skews: Concept, attribute and value to skew.
    """
    if example.against:
        return SampleSkew()
    concept = str(example.fields["concept"])
    worst = SampleSkew()
    for name, value in sorted(example.groups.items()):
        pair = (concept, name, value)
        skew = skews.get(pair)
        if skew is not None and abs(skew) > abs(worst.value):
            worst = SampleSkew(skew, pair)
    return worst


def _spread(skews: Mapping[Pair, float]) -> dict[str, Json]:
    """Return MinSkew@C and MaxSkew@C: the mean over concepts of the extremes."""
    by_concept: dict[str, list[float]] = {}
    for (concept, _, _), value in skews.items():
        by_concept.setdefault(concept, []).append(value)
    if not by_concept:
        return {"min_skew": None, "max_skew": None, "concepts": 0}
    count = len(by_concept)
    return {
        "min_skew": math.fsum(min(held) for held in by_concept.values()) / count,
        "max_skew": math.fsum(max(held) for held in by_concept.values()) / count,
        "concepts": count,
    }


def _above_zero(options: Mapping[str, Json], name: str) -> float:
    value = float(str(options[name]))
    if not value > 0:
        raise UserError(f"{value:g} is not above 0", where=f"option {name!r}")
    return value
