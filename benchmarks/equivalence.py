"""How often equivalence is claimed of models that differ by the margin: wanted are 5 %.

Two models answer the same images of people, who share their luck; the second is right with a
probability that is higher by an exact amount: the margin, minus the margin, or nothing. Counted is
how often two one-sided tests claim ``≈`` (at the margin an error, at 0 the power), how often "no
worse" is claimed of a model that is worse by the margin (an error), and how often the test of a
difference claims one at 0 (an error).

Example: python benchmarks/equivalence.py --trials 2000
"""

from __future__ import annotations

import argparse
import json

import numpy as np
from scipy.sparse import csr_array

from harness.metrics.classes import ratio
from harness.stats.equivalence import equivalence
from harness.stats.paired import paired_sums
from harness.stats.types import Floats

MARGIN, ALPHA = 0.03, 0.05


def sums(random: np.random.Generator, people: int, shift: float) -> tuple[Floats, Floats]:
    """Return ``(people, 2)`` right answers and images of each model; shares differ by ``shift``."""
    sizes = random.integers(1, 9, people)
    who = np.repeat(np.arange(people), sizes)
    chance = 0.3 + 0.4 * np.repeat(random.beta(2, 2, people), sizes)
    common, unique = random.random((2, len(who))), random.random((2, len(who)))
    # Half of the images are easy or hard for both.
    luck = np.where(random.random(len(who)) < 0.5, common[0], unique)
    sides = []
    for side, more in enumerate((0.0, shift)):
        right = np.bincount(who, luck[side] < chance + more, minlength=people)
        sides.append(np.stack([right, sizes], axis=1).astype(np.float64))
    return sides[0], sides[1]


def rates(trials: int, people: int, seed: int) -> dict[str, float]:
    """Return how often each claim is made, as shares of the trials."""
    random = np.random.default_rng(seed)
    counts = dict.fromkeys(
        ("equivalent at the margin", "equivalent at minus the margin", "equivalent at 0",
         "no worse at minus the margin", "different at 0"), 0,
    )  # fmt: skip
    for trial in range(trials):
        for name, shift in (("the margin", MARGIN), ("minus the margin", -MARGIN), ("0", 0.0)):
            first, second = sums(random, people, shift)
            (paired,) = paired_sums(
                lambda totals: ratio(totals[:, 0], totals[:, 1])[:, np.newaxis],
                csr_array(first), csr_array(second), draws=1000,
                swaps=400 if name == "0" else 10, seed=trial,
            )  # fmt: skip
            tested = equivalence(paired, MARGIN, "higher")
            counts[f"equivalent at {name}"] += (tested.equivalent or 0.0) < ALPHA
            if name == "minus the margin":
                counts["no worse at minus the margin"] += (tested.no_worse or 0.0) < ALPHA
            if name == "0":
                counts["different at 0"] += paired.p is not None and paired.p < ALPHA
    return {name: count / trials for name, count in counts.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--people", type=int, default=400)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    shares = rates(arguments.trials, arguments.people, arguments.seed)
    settings = {"margin": MARGIN, "trials": arguments.trials, "people": arguments.people}
    print(json.dumps({**settings, **shares}, indent=2))


if __name__ == "__main__":
    main()
