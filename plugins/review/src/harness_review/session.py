"""One reviewer at work: which set comes next, what is decided, what the page receives."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from harness.errors import UserError

from harness_review.agreement import agreement
from harness_review.dealing import dealt, is_shared, next_of
from harness_review.decisions import (
    SUFFIX,
    VERDICTS,
    DecisionFile,
    Plan,
    Reviewed,
    by_set,
    read_review,
)
from harness_review.images import digest_of
from harness_review.sets import Item, Material, ReviewSet

REASONS = (
    "no person, or several", "face not to be seen", "another attribute than the words",
    "more changed than the attribute", "artefacts", "offensive or stereotyped",
)  # fmt: skip
"""Why a set is refused, where the command names no others."""
MOST_REASONS, LONGEST_NOTE, _LONGEST_SECONDS = 9, 2000, 86_400.0


class Stale(Exception):
    """The page shows something that is no longer so."""


class Session:
    """A reviewer's way through the sets; safe to call from several threads.

    Args:
        material: All sets.
        file: The reviewer's decisions.
        plan: How sets are dealt.
        reasons: Why a set may be refused.
        ignored: By reviewer, sets whose images have changed since; these decisions do not count.
    """

    def __init__(
        self,
        material: Material,
        file: DecisionFile,
        plan: Plan,
        reasons: Sequence[str],
        ignored: dict[str, frozenset[str]],
    ) -> None:
        self._material, self._file, self._plan = material, file, plan
        self._reasons, self._ignored = tuple(reasons), ignored
        self._numbers = {group.id: number for number, group in enumerate(material.sets)}
        self._mine = dealt(plan, file.reviewed.reviewer, self._numbers)
        self._shared = frozenset(name for name in self._numbers if is_shared(plan, name))
        self._lock = threading.Lock()
        self._others: dict[Path, tuple[int, Reviewed]] = {}

    def item(self, set_number: int, item_number: int) -> Item | None:
        """Return an image by its place."""
        if not 0 <= set_number < len(self._material.sets):
            return None
        items = self._material.sets[set_number].items
        return items[item_number] if 0 <= item_number < len(items) else None

    def state(self) -> dict[str, Any]:
        """Return what the page shows, as plain data."""
        with self._lock:
            return self._state()

    def decide(self, wish: dict[str, Any]) -> dict[str, Any]:
        """Keep a decision that the page sent; return the state after it.

        Raises:
            Stale: the page shows another set than the one that is next.
            UserError: a decision of another form, or it cannot be written.
        """
        with self._lock:
            name = self._next()
            if name is None or wish.get("set") != name or wish.get("line") != self._line:
                raise Stale
            verdict, reasons, note = wish.get("verdict"), wish.get("reasons"), wish.get("note", "")
            if verdict not in VERDICTS:
                raise UserError("a verdict must be yes, no or skip", where="verdict")
            listed = isinstance(reasons, list) and all(each in self._reasons for each in reasons)
            if not isinstance(reasons, list) or not listed or len(reasons) != len(set(reasons)):
                raise UserError(
                    "reasons must come from the list, each at most once", where="reasons"
                )
            if not isinstance(note, str) or len(note) > LONGEST_NOTE:
                raise UserError(f"a note has {LONGEST_NOTE:,} characters at most", where="note")
            if verdict == "no" and not reasons and not note.strip():
                raise UserError("refusing a set needs a reason or a note", where="reasons")
            self._file.decide(
                name, verdict, reasons=reasons, note=note.strip(), seconds=_seconds(wish),
                images=digest_of(self._set(name)),
            )  # fmt: skip
            return self._state()

    def undo(self, wish: dict[str, Any]) -> dict[str, Any]:
        """Take back the last decision; return the state after it.

        Raises:
            Stale: the page does not show the last state.
            UserError: there is nothing to take back, or it cannot be written.
        """
        with self._lock:
            if wish.get("line") != self._line:
                raise Stale
            decision = self._file.undo()
            if decision is None:
                raise UserError("there is no decision to undo")
            return self._state(undone=decision.set)

    @property
    def _line(self) -> int:
        return self._file.reviewed.lines

    def _reviews(self) -> list[Reviewed]:
        """Return all reviewers' files; those of others are read again when they have grown."""
        mine = self._file.reviewed
        for path in sorted(mine.path.parent.glob(f"*{SUFFIX}")):
            size = path.stat().st_size
            if path != mine.path and self._others.get(path, (-1, None))[0] != size:
                self._others[path] = size, read_review(path, self._material.fingerprint)
        return [mine, *(review for _, review in self._others.values())]

    def _decided(self) -> dict[str, dict[str, Any]]:
        decided = by_set(self._reviews())
        for reviewer, names in self._ignored.items():
            for name in names:
                if reviewer != self._file.reviewed.reviewer:
                    decided.get(name, {}).pop(reviewer, None)
        return decided

    def _next(self) -> str | None:
        me = self._file.reviewed.reviewer
        return next_of(self._mine, self._shared, self._decided(), me)

    def _set(self, name: str) -> ReviewSet:
        return self._material.sets[self._numbers[name]]

    def _state(self, undone: str = "") -> dict[str, Any]:
        decided = self._decided()
        me = self._file.reviewed
        name = next_of(self._mine, self._shared, decided, me.reviewer)
        counted = [votes for votes in decided.values() if votes]
        measured = agreement(counted)
        waiting = [
            each for each in self._mine
            if each in me.decisions or each in self._shared or not decided.get(each)
        ]  # fmt: skip
        return {
            "reviewer": me.reviewer,
            "table": self._material.table,
            "line": self._line,
            "reasons": list(self._reasons),
            "undone": undone,
            "can_undo": bool(me.decisions),
            "progress": {
                "mine": sum(each in me.decisions for each in waiting),
                "of": len(waiting),
                "sets": len(counted),
                "of_sets": len(self._numbers),
                "shared": sum(len(decided.get(each, ())) > 1 for each in self._shared),
                "of_shared": len(self._shared),
                "reviewers": len(self._plan.reviewers),
            },
            "agreement": {
                "sets": measured.sets,
                **{
                    key: None if math.isnan(value) else round(value, 3)
                    for key, value in (("alpha", measured.alpha), ("low", measured.low),
                                       ("high", measured.high))
                },
            },
            "set": None if name is None else self._shown(name),
        }  # fmt: skip

    def _shown(self, name: str) -> dict[str, Any]:
        group, number = self._set(name), self._numbers[name]
        common = group.common() if len(group.items) > 1 else {}
        return {
            "id": name,
            "common": common,
            "items": [
                {
                    "id": item.id,
                    "source": f"image/{number}/{position}",
                    "fields": {key: text for key, text in item.fields.items() if key not in common},
                    "fault": item.fault,
                }
                for position, item in enumerate(group.items)
            ],
        }


def _seconds(wish: dict[str, Any]) -> float:
    seconds = wish.get("seconds", 0)
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        raise UserError("seconds must be a number", where="seconds")
    return float(min(max(seconds, 0), _LONGEST_SECONDS))
