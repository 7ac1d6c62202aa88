"""English that extractors look for in texts: lists of patterns, in ``english.toml``."""

from __future__ import annotations

import re
import tomllib
from importlib.resources import files

_LISTS: dict[str, list[str]] = tomllib.loads(
    files(__package__).joinpath("english.toml").read_text(encoding="utf-8")
)


def any_of(name: str) -> str:
    """Return a pattern of one entry of a list; entries may name other lists."""
    entries = (re.sub(r"@(\w+)", lambda other: any_of(other[1]), one) for one in _LISTS[name])
    return f"(?:{'|'.join(entries)})"
