"""Sets are dealt without asking anybody; agreement and outcomes are what a count by hand gives."""

from __future__ import annotations

import math
from collections import Counter
from itertools import combinations, permutations

import numpy as np
import pytest
from harness_review.agreement import agreement, outcome
from harness_review.dealing import dealt, is_shared
from harness_review.decisions import Decision, Plan, Verdict

NAMES = [f"s{number}" for number in range(600)]


def votes(*verdicts: Verdict) -> dict[str, Decision]:
    return {
        f"r{number}": Decision(1, "s", verdict, (), "", "", 0.0, "")
        for number, verdict in enumerate(verdicts)
    }


def test_every_set_is_dealt_once_and_shared_ones_to_everyone() -> None:
    plan = Plan(("ann", "bob", "cem"), 0.2, 0)
    shares = {who: dealt(plan, who, NAMES) for who in plan.reviewers}
    seen = Counter(name for share in shares.values() for name in share)
    for name in NAMES:
        assert seen[name] == (3 if is_shared(plan, name) else 1)
    shared = sum(is_shared(plan, name) for name in NAMES)
    assert 90 < shared < 150
    assert all(110 < len(share) - shared < 210 for share in shares.values())
    orders = [[name for name in share if is_shared(plan, name)] for share in shares.values()]
    assert orders[0] == orders[1] == orders[2]


def test_a_reviewer_who_comes_later_moves_no_set_between_the_others() -> None:
    two, three = Plan(("ann", "bob"), 0.2, 0), Plan(("ann", "bob", "cem"), 0.2, 0)
    for who in two.reviewers:
        assert set(dealt(three, who, NAMES)) <= set(dealt(two, who, NAMES))


def brute_alpha(units: list[list[str]]) -> float:
    """Krippendorff's alpha from all ordered pairs of votes, one by one."""
    units = [unit for unit in units if len(unit) > 1]
    every = [vote for unit in units for vote in unit]
    n = len(every)
    observed = sum(
        sum(a != b for a, b in permutations(unit, 2)) / (len(unit) - 1) for unit in units
    )
    expected = sum(a != b for a, b in permutations(every, 2)) / (n - 1)
    return 1 - observed / expected


@pytest.mark.parametrize("seed", range(4))
def test_alpha_is_what_all_pairs_give(seed: int) -> None:
    random = np.random.default_rng(seed)
    kinds: list[Verdict] = ["yes", "no", "skip"]
    sets = []
    for _ in range(30):
        lean = random.random()
        p = [0.8 * lean, 0.8 * (1 - lean), 0.2]
        sets.append(votes(*(kinds[int(random.choice(3, p=p))] for _ in range(4))))
    units = [[value.verdict for value in each.values() if value.verdict != "skip"] for each in sets]
    measured = agreement(sets)
    assert measured.alpha == pytest.approx(brute_alpha([list(map(str, unit)) for unit in units]))
    assert measured.low < measured.alpha < measured.high
    assert measured.sets == sum(len(unit) > 1 for unit in units)


def test_draws_of_the_interval_are_alphas_of_drawn_sets() -> None:
    # Two kinds of unit: the bootstrap's law is the binomial over how often each is drawn.
    sets = [*[votes("yes", "yes")] * 3, *[votes("yes", "no")] * 2, votes("no", "no", "no")]
    measured = agreement(sets)
    units = [[value.verdict for value in each.values()] for each in sets]
    random = np.random.default_rng(1)
    alphas = []
    for _ in range(4000):
        drawn = [list(map(str, units[int(index)])) for index in random.integers(0, 6, size=6)]
        if len({vote for unit in drawn for vote in unit}) > 1:
            alphas.append(brute_alpha(drawn))
    low, high = np.quantile(alphas, [0.025, 0.975])
    assert measured.low == pytest.approx(low, abs=0.1)
    assert measured.high == pytest.approx(high, abs=0.1)


def test_alpha_is_not_defined_where_all_votes_are_the_same() -> None:
    assert agreement([votes("yes", "skip")]).sets == 0
    same = agreement([votes("yes", "yes"), votes("yes", "yes")])
    assert same.sets == 2
    assert math.isnan(same.alpha)
    assert math.isnan(same.low)


@pytest.mark.parametrize("verdicts", [*combinations(["yes", "yes", "no", "no", "skip"], 3)])
def test_rules_decide_as_they_are_called(verdicts: tuple[Verdict, ...]) -> None:
    decisions = [*votes(*verdicts).values()]
    yes, no = verdicts.count("yes"), verdicts.count("no")
    assert outcome(decisions, "all") == ("kept" if not no else "dropped")
    assert outcome(decisions, "any") == ("kept" if yes else "dropped")
    expected = "tied" if yes == no else "kept" if yes > no else "dropped"
    assert outcome(decisions, "majority") == expected
    assert outcome([*votes("skip").values()], "all") == "open"
