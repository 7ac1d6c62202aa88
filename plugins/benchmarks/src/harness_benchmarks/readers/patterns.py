"""File names as patterns: named parts with text between them, matched in one pass.

No regular expression: a spec from a stranger must not be able to make matching slow.
"""

from __future__ import annotations

from collections.abc import Sequence

from harness.errors import UserError, unknown

IGNORED = "*"


class Pattern:
    """A pattern such as ``{concept}_{race}_{set}``; ``{*}`` is a part that nobody needs.

    A part is not empty and never holds the text that follows it; the last one does not hold the
    text before it either, so that a name with a part too many does not fit.

    Args:
        text: As written.
        names: The parts it may name.
        needed: The parts it must name.

    Raises:
        UserError: braces that do not close, an unknown part, one named twice or left out, or
            parts without text between them.
    """

    def __init__(self, text: str, names: Sequence[str], needed: Sequence[str]) -> None:
        self._where = "option 'pattern'"
        self.text = text
        self.names, self._between = self._parsed(text)
        for name in self.names:
            if name != IGNORED and name not in names:
                raise unknown("part", name, names, where=self._where)
            if name != IGNORED and self.names.count(name) > 1:
                raise UserError(f"the part {name!r} is named twice", where=self._where)
        for name in needed:
            if name not in self.names:
                raise UserError(
                    f"the pattern {text!r} has no part {{{name}}}", where=self._where
                )  # fmt: skip

    def match(self, name: str) -> dict[str, str] | None:
        """Return part to value; ``None`` when the name does not fit."""
        if not name.startswith(self._between[0]) or not name.endswith(self._between[-1]):
            return None
        remaining = name[len(self._between[0]) :]
        values: dict[str, str] = {}
        for index, part in enumerate(self.names):
            after = self._between[index + 1]
            last = index == len(self.names) - 1
            end = len(remaining) - len(after) if last else remaining.find(after)
            value = remaining[:end] if end > 0 else ""
            if not value or (last and self._holds_more(value)):
                return None
            values[part] = value
            remaining = remaining[end + len(after) :]
        values.pop(IGNORED, None)
        return values

    def _holds_more(self, value: str) -> bool:
        before = self._between[-2] if len(self.names) > 1 else ""
        return any(text and text in value for text in (before, self._between[-1]))

    def _parsed(self, text: str) -> tuple[list[str], list[str]]:
        names: list[str] = []
        between = [""]
        for index, piece in enumerate(text.split("{")):
            name, closed, after = piece.partition("}")
            if index == 0:
                if closed:
                    raise self._problem(text, "a } without its {")
                between[0] = piece
                continue
            if not closed or "}" in after:
                raise self._problem(text, "braces that do not pair up")
            if names and not between[-1]:
                raise self._problem(text, f"no text between {{{names[-1]}}} and {{{name}}}")
            names.append(name)
            between.append(after)
        if not names:
            raise self._problem(text, "no part in braces")
        return names, between

    def _problem(self, text: str, problem: str) -> UserError:
        return UserError(
            f"the pattern {text!r} has {problem}",
            where=self._where,
            fix="write named parts with text between them, such as {concept}_{race}_{set}",
        )
