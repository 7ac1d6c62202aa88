"""Keeps a key out of everything that is written: records, messages, logs."""

from __future__ import annotations

import re

MASK = "***"
_LEAST = 8  # characters of a key that are hidden in a message wherever they stand
_SECRET = 12  # characters of a key that is one; servers of one's own take words such as EMPTY
_NO_WORD = 16  # characters of a part of a key that stands in no answer by chance
_CREDENTIALS = re.compile(r"(?<=://)[^/\s@'\"]+@")


class Secret:
    """A key, and what hides it.

    Args:
        key: The key; empty for none.
    """

    def __init__(self, key: str) -> None:
        self._key = key
        # A server may repeat a part of a key, or cut its text in the middle of one.
        self._parts = _parts(key, _LEAST)
        self._long_parts = _parts(key, _NO_WORD) if len(key) >= _SECRET else None

    def __contains__(self, text: object) -> bool:
        """Whether a text holds the key, when it is one to hide."""
        return len(self._key) >= _SECRET and self._key in str(text)

    def out_of_answer(self, text: str) -> str:
        """Return what a model or a server writes without the key; a short part may be a word."""
        if self._long_parts is None:
            return text
        as_json = self._key.replace("/", "\\/")
        return _masked(text.replace(as_json, MASK), self._long_parts)

    def out_of_message(self, text: str) -> str:
        """Return a text without the key, any longer part of it, and users of addresses."""
        hidden = text if self._parts is None else _masked(text, self._parts)
        return _CREDENTIALS.sub(f"{MASK}@", hidden)


def _parts(key: str, size: int) -> re.Pattern[str] | None:
    """Return a pattern that finds where any part of a key of a size begins; a short key whole."""
    size = min(size, len(key))
    parts = {key[start : start + size] for start in range(len(key) - size + 1)} - {""}
    return re.compile(f"(?=({'|'.join(map(re.escape, sorted(parts)))}))") if parts else None


def _masked(text: str, parts: re.Pattern[str]) -> str:
    spans: list[list[int]] = []
    for match in parts.finditer(text):
        start, end = match.span(1)
        if spans and start <= spans[-1][1]:
            spans[-1][1] = end
        else:
            spans.append([start, end])
    for start, end in reversed(spans):
        text = f"{text[:start]}{MASK}{text[end:]}"
    return text
