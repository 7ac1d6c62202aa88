"""Keeps a key out of everything that is written: records, messages, logs."""

from __future__ import annotations

import re

MASK = "***"
_LEAST = 8  # characters of a key that are hidden in a message wherever they stand
_SECRET = 12  # characters of a key that is one; servers of one's own take words such as EMPTY
_CREDENTIALS = re.compile(r"(?<=://)[^/\s@'\"]+@")


class Secret:
    """A key, and what hides it.

    Args:
        key: The key; empty for none.
    """

    def __init__(self, key: str) -> None:
        self._key = key
        size = min(_LEAST, len(key))
        parts = {key[start : start + size] for start in range(len(key) - size + 1)} - {""}
        pattern = "|".join(map(re.escape, sorted(parts)))
        # A server may repeat a part of a key, or cut its text in the middle of one.
        self._parts = re.compile(f"(?=({pattern}))") if parts else None

    def __contains__(self, text: object) -> bool:
        """Whether a text holds the key, when it is one to hide."""
        return len(self._key) >= _SECRET and self._key in str(text)

    def out_of_answer(self, text: str) -> str:
        """Return what a model or a server writes without the key; a part of one may be a word."""
        if len(self._key) < _SECRET:
            return text
        for written in {self._key, self._key.replace("/", "\\/")}:  # as JSON may have it
            text = text.replace(written, MASK)
        return text

    def out_of_message(self, text: str) -> str:
        """Return a text without the key, any longer part of it, and users of addresses."""
        spans: list[list[int]] = []
        for match in self._parts.finditer(text) if self._parts is not None else ():
            start, end = match.span(1)
            if spans and start <= spans[-1][1]:
                spans[-1][1] = end
            else:
                spans.append([start, end])
        for start, end in reversed(spans):
            text = f"{text[:start]}{MASK}{text[end:]}"
        return _CREDENTIALS.sub(f"{MASK}@", text)
