"""Life-cycle events that plugins can hear; plain facts, nothing to act on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from harness.descriptors import Json


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


@dataclass(frozen=True, slots=True)
class TrainingStarted:
    """A training begins; ``settings`` are those that ``train.json`` records."""

    model: str
    recipe: str
    tasks: tuple[str, ...]
    settings: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class TrainingLogged:
    """Numbers after ``step`` steps of the whole training: of a step, or ``epoch/NAME``."""

    step: int
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class TrainingFinished:
    """The weights and the record are in the folder."""

    folder: Path


class Tracker(Protocol):
    """Hears the events of one run or training: it has notified hooks, marked ``hookimpl``.

    One that raises is said once, what it missed is counted, and the work goes on. ``close`` is all
    that it must have.
    """

    def close(self) -> None:
        """Close what is open; called once, also after an error."""
        ...
