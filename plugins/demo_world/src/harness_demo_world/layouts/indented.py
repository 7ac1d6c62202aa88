"""JSON with an indent of one, faster than json.dumps, whose fast encoder does not indent."""

from __future__ import annotations

import json
from functools import lru_cache

_quoted = lru_cache(maxsize=4096, typed=True)(json.dumps)


def indented(value: object, line: str = "\n") -> str:
    """Return what `json.dumps(value, indent=1)` returns, for dictionaries with names as keys.

    Args:
        value: What JSON can hold.
        line: What begins a line at this depth.
    """
    inner = f"{line} "
    if isinstance(value, dict) and value:
        members = [f"{_quoted(name)}: {indented(member, inner)}" for name, member in value.items()]
        return f"{{{inner}{f',{inner}'.join(members)}{line}}}"
    if isinstance(value, list) and value:
        return f"[{inner}{f',{inner}'.join([indented(member, inner) for member in value])}{line}]"
    if isinstance(value, float):
        return repr(value)
    return _quoted(value) if isinstance(value, (str, int)) else json.dumps(value)
