"""Tell a refusal from an answer by how a text begins."""

from __future__ import annotations

import re

from harness.requests.extractors.english import any_of

_REFUSAL = re.compile(rf"{any_of('refusal')}(?![^\W\d_])")


def is_refusal(text: str) -> bool:
    """Return whether a text begins as a refusal does, whatever it says later."""
    start = text.replace("\u2019", "'").strip(" \t\r\n\"'*").casefold()
    return _REFUSAL.match(start) is not None
