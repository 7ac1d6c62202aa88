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
