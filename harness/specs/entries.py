"""Lists in a spec whose entries may take part under a named option only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.descriptors import Json


def in_force(entries: Sequence[Any], values: Mapping[str, Json]) -> tuple[str, ...]:
    """Return the values of a list that take part.

    Args:
        entries: As written: a text, or ``{label: L, when: {NAME: VALUE}}``.
        values: Named option to its value.
    """
    return tuple(
        value for entry in entries if takes_part(entry, values) for value in entry_values(entry)
    )


def entry_values(entry: Any) -> list[str]:
    """Return the values an entry stands for: itself, its ``label`` or its ``labels``."""
    if isinstance(entry, str):
        return [entry]
    return [entry["label"]] if "label" in entry else list(entry.get("labels", ()))


def is_reference(value: Any) -> bool:
    """Whether a value is ``{option: NAME}``, which stands for a named option's value."""
    return isinstance(value, dict) and value.keys() == {"option"}


def conditions(entry: Any) -> dict[str, list[Json]]:
    """Return named option to the values under which an entry takes part; empty for always."""
    if isinstance(entry, str):
        return {}
    return {
        name: values if isinstance(values, list) else [values]
        for name, values in entry.get("when", {}).items()
    }


def takes_part(entry: Any, values: Mapping[str, Json]) -> bool:
    """Whether all conditions of an entry hold."""
    return all(values[name] in wanted for name, wanted in conditions(entry).items())
