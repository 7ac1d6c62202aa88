"""How far reviewers agree on sets that several of them decided, and what stays after all."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from harness_claims.agreement import nominal_alpha

from harness_review.decisions import Decision

Rule = Literal["all", "majority", "any"]
Outcome = Literal["kept", "dropped", "tied", "open"]
DRAWS = 1000


@dataclass(frozen=True, slots=True)
class Agreement:
    """Krippendorff's alpha of yes and no; skipped sets count as not seen.

    Attributes:
        alpha: 1 is full agreement, 0 what chance gives; NaN where all decisions are the same.
        low: Lower end of the interval at 95 % over sets; NaN for fewer than two sets.
        high: Upper end.
        sets: Sets with two decisions or more.
        undefined: Draws of the bootstrap in which all decisions are the same.
    """

    alpha: float
    low: float
    high: float
    sets: int
    undefined: int


def agreement(decided: Iterable[Mapping[str, Decision]], *, seed: int = 0) -> Agreement:
    """Return alpha with a percentile bootstrap over sets.

    Args:
        decided: The decisions on each set, by reviewer.
        seed: Seed of the draws.
    """
    units = [
        votes
        for decisions in decided
        if len(votes := [each.verdict for each in decisions.values() if each.verdict != "skip"]) > 1
    ]
    if not units:
        return Agreement(math.nan, math.nan, math.nan, 0, 0)
    alpha = nominal_alpha(units)
    if len(units) < 2:
        return Agreement(alpha, math.nan, math.nan, len(units), 0)
    distinct = Counter((votes.count("yes"), votes.count("no")) for votes in units)
    counts = np.array(list(distinct), dtype=float)
    share = np.array(list(distinct.values()), dtype=float) / len(units)
    draws = np.random.default_rng(seed).multinomial(len(units), share, size=DRAWS)
    sizes = counts.sum(axis=1)
    # Ordered pairs of unequal votes, each weighing 1 / (votes - 1), as in nominal_alpha.
    observed = draws @ (2 * counts[:, 0] * counts[:, 1] / (sizes - 1))
    totals = draws @ counts
    n = totals.sum(axis=1)
    expected = 2 * totals[:, 0] * totals[:, 1]
    defined = expected > 0
    if not defined.any():
        return Agreement(alpha, math.nan, math.nan, len(units), DRAWS)
    alphas = 1 - (n[defined] - 1) * observed[defined] / expected[defined]
    low, high = np.quantile(alphas, [0.025, 0.975])
    return Agreement(alpha, float(low), float(high), len(units), int((~defined).sum()))


def outcome(decisions: Sequence[Decision], rule: Rule) -> Outcome:
    """Return what becomes of a set.

    Args:
        decisions: All decisions on the set.
        rule: ``all`` keeps a set that nobody refused, ``any`` one that somebody accepted, and
            ``majority`` goes by more than half of yes and no.
    """
    yes = sum(each.verdict == "yes" for each in decisions)
    no = sum(each.verdict == "no" for each in decisions)
    if not yes + no:
        return "open"
    if rule == "all":
        return "dropped" if no else "kept"
    if rule == "any":
        return "kept" if yes else "dropped"
    return "tied" if yes == no else "kept" if yes > no else "dropped"
