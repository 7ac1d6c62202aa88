"""Life-cycle events that plugins can hear; plain facts, nothing to act on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class RunStarted:
    """A plan was made and work begins. ``tasks`` are ids, ``samples`` their number in all."""

    model: str
    tasks: tuple[str, ...]
    samples: int


@dataclass(frozen=True, slots=True)
class BlockAnswered:
    """Block ``index`` of ``blocks`` of a task is on disk."""

    task: str
    index: int
    blocks: int
    samples: int
    errors: int


@dataclass(frozen=True, slots=True)
class TaskFinished:
    """An evaluation is sealed; ``computed`` is False when it was there already."""

    task: str
    directory: Path
    computed: bool


@dataclass(frozen=True, slots=True)
class RunFinished:
    """The run ended; ``manifest`` names its evaluations."""

    manifest: Path
    directories: tuple[Path, ...]


class Tracker(Protocol):
    """Hears the events of one run: it has the notified hooks, marked ``hookimpl``, as methods.

    One that raises is said once, what it missed is counted, and the run goes on.
    """

    def close(self) -> None:
        """Close what is open; called once, also after an error."""
        ...
