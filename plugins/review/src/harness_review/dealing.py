"""Which sets a reviewer sees, and in which order: decided by hashes, without a server.

A share of the sets is for everyone, and agreement is measured on it. Each other set goes to the
reviewer whose hash with it is highest: a reviewer who comes later takes sets from all, and moves
none between the others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Mapping

from harness_review.decisions import Plan

_WHOLE = 1 << 64


def is_shared(plan: Plan, name: str) -> bool:
    """Whether everyone sees a set."""
    return _hash(plan.seed, "share", name) < plan.overlap * _WHOLE


def dealt(plan: Plan, reviewer: str, names: Iterable[str]) -> list[str]:
    """Return the sets of a reviewer, in the order in which they are shown."""
    mine = [
        name
        for name in names
        if is_shared(plan, name)
        or reviewer == max(plan.reviewers, key=lambda who: (_hash(plan.seed, who, name), who))
    ]
    return sorted(mine, key=lambda name: _hash(plan.seed, "order", name))


def next_of(
    mine: Iterable[str],
    shared: Collection[str],
    decided: Mapping[str, Collection[str]],
    reviewer: str,
) -> str | None:
    """Return the next set to show; ``None`` when all are decided.

    Args:
        mine: The reviewer's sets in order.
        shared: Sets that everyone sees.
        decided: Set to the reviewers who decided it.
        reviewer: Who looks.
    """
    for name in mine:
        by = decided.get(name, ())
        # A set for one reviewer that another has decided, when there were fewer, is done.
        if reviewer not in by and (name in shared or not by):
            return name
    return None


def _hash(seed: int, kind: str, name: str) -> int:
    digest = hashlib.blake2b(f"{seed}\0{kind}\0{name}".encode(), digest_size=8)
    return int.from_bytes(digest.digest(), "big")
