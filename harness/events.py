"""Life-cycle events that plugins can hear; plain facts, nothing to act on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class RunStarted:
    """``harness_run_started``: a plan was made and no weight is loaded yet.

    Attributes:
        model: The row's name.
        tasks: Ids of tasks, in the order of the plan.
        samples: Number of samples of all tasks.
    """

    model: str
    tasks: tuple[str, ...]
    samples: int


@dataclass(frozen=True, slots=True)
class BlockAnswered:
    """``harness_block_answered``: a block of samples is on disk.

    Attributes:
        task: Id of the task.
        index: Number of the block, from 0.
        blocks: Number of blocks of the task.
        samples: Number of samples in this block.
        errors: Number of these that the model could not answer.
    """

    task: str
    index: int
    blocks: int
    samples: int
    errors: int


@dataclass(frozen=True, slots=True)
class TaskFinished:
    """``harness_task_finished``: an evaluation is sealed.

    Attributes:
        task: Id of the task.
        directory: Folder of the evaluation.
        computed: False where the evaluation was there already.
    """

    task: str
    directory: Path
    computed: bool


@dataclass(frozen=True, slots=True)
class RunFinished:
    """``harness_run_finished``: the run ended.

    Attributes:
        manifest: File that names the run's evaluations.
        directories: Folders of its evaluations.
    """

    manifest: Path
    directories: tuple[Path, ...]


class Tracker(Protocol):
    """Receives the events of one run: it has the notified hooks, marked ``hookimpl``, as methods.

    If it raises, this is printed once, the events that it missed are counted, and the run goes on.
    """

    def close(self) -> None:
        """Close what is open; called once, also after an error."""
        ...
