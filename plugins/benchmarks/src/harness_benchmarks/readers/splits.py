"""Splits that a release does not have: whole counterfactual sets dealt out by a hash."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256

from harness.descriptors import Json
from harness.errors import DataError, UserError
from harness.readers import records

SPLITS = ("train", "val", "test", "all")


class Dealer:
    """Says to which split a counterfactual set belongs; the same on every machine.

    Args:
        options: ``split_by`` (``set`` or ``concept``: what is dealt out whole) and ``shares``
            (percent in train, val and test, such as ``70/10/20``).

    Raises:
        UserError: shares that are not three percentages of 100 in all.
    """

    def __init__(self, options: Mapping[str, Json]) -> None:
        self._by = records.choice(options, "split_by", ("set", "concept"))
        self._ends = _ends(str(options["shares"]))
        self._known: dict[str, str] = {}

    def takes(self, split: str, name: str, concept: str) -> bool:
        """Whether a set of a concept belongs to a split; ``all`` takes everything."""
        if split == "all":
            return True
        dealt = name if self._by == "set" else concept
        dealt_split = self._known.get(dealt)
        if dealt_split is None:
            dealt_split = self._known[dealt] = self._split(dealt)
        return dealt_split == split

    def _split(self, dealt: str) -> str:
        percent = int.from_bytes(sha256(dealt.encode()).digest()[:4], "big") % 100
        return next(split for split, end in zip(SPLITS, self._ends, strict=False) if percent < end)


def _ends(text: str) -> tuple[int, int, int]:
    where, fix = "option 'shares'", "write percent of train, val and test, such as 70/10/20"
    try:
        parts = [records.as_whole(part, "a share", where) for part in text.split("/")]
    except DataError:
        raise UserError(f"{text!r} are not whole percentages", where=where, fix=fix) from None
    if len(parts) != 3 or min(parts) < 0 or sum(parts) != 100:
        raise UserError(
            f"{text!r} are not three percentages that add up to 100", where=where, fix=fix
        )
    return parts[0], parts[0] + parts[1], 100
