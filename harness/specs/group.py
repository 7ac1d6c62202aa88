"""Names for several tasks at once; apart from task specs, so that a list of names stays quick."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class TaskGroup:
    """A named list of tasks (and of other groups, already flattened)."""

    id: str
    title: str
    tasks: tuple[str, ...]
    source: Path | None = None


def is_group(data: object) -> bool:
    """Whether data of a YAML file are meant as a group: a list of tasks, with no data itself."""
    return isinstance(data, dict) and ("group" in data or ("tasks" in data and "data" not in data))
