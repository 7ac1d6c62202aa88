"""What counts as text: an option must show something."""

from __future__ import annotations

import unicodedata

_UNSEEN = {"Zs", "Zl", "Zp", "Cc", "Cf"}  # spaces, control and format characters (Unicode)


def has_text(text: str) -> bool:
    """Whether anything in a text can be seen; a zero-width space or a tab cannot."""
    return any(unicodedata.category(one) not in _UNSEEN for one in text)
