"""Words about people that several releases share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.errors import DataError, nearest


def known(value: str, values: Mapping[str, str], what: str, where: str) -> str:
    """Return the release's spelling of a label, whatever its case; see :func:`spellings`.

    Raises:
        DataError: for a label outside the list.
    """
    found = values.get(value.strip().lower())
    if found is None:
        raise DataError(
            f"{value!r} is no {what} of this release",
            where=where,
            fix=nearest(value, dict.fromkeys(values.values())),
        )
    return found


def spellings(values: Sequence[str], **others: str) -> dict[str, str]:
    """Return lower-case spelling to the release's own; ``others`` adds spellings in use."""
    return {**{value.lower(): value for value in values}, **others}


def with_article(noun: str) -> str:
    """Return a noun with its article: a chef, an engineer."""
    return f"{'an' if noun[:1] in 'aeiou' else 'a'} {noun}"
