"""The executor contract and its messages: the work order, block requests, and events.

An executor starts workers, passes them the coordinator's requests, and returns their events
in any order. All messages are plain data; nothing is unpickled, and numpy is not imported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Protocol, runtime_checkable

from harness.descriptors import Json

BLOCKS = "blocks"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkOrder:
    """The work of all workers, as plain data.

    Attributes:
        model: Id of the model.
        tasks: Ids of tasks and groups.
        include: Files and folders of specs that no plugin brings.
        specs: Specs that were passed as data.
        options: Further arguments of :func:`harness.plan`.
        evaluations: The plan's unfinished evaluations: task id with variant, in plan order.
        directories: Record folder of each evaluation.
        folder: Working directory, to which relative paths refer.
        blocked: Plugins that must not be loaded.
        sys_path: Module search path of the coordinator's Python.
        terms: Facts a worker must share with the coordinator; see :mod:`harness.workers.terms`.
        shares_machine: Number of workers on one machine, which share its cores.
        work: ``blocks`` for a run, or the id of a kind of study, whose descriptor names the worker:
            a block is then the index of a part of the study, and the options name it. Other work is
            ``module:attribute`` of a function from a name and an order to a worker.
    """

    model: str
    tasks: tuple[str, ...]
    options: Mapping[str, Json]
    evaluations: tuple[str, ...]
    directories: tuple[str, ...]
    folder: str
    include: tuple[str, ...] = ()
    specs: tuple[Mapping[str, Json], ...] = ()
    blocked: tuple[str, ...] = ()
    sys_path: tuple[str, ...] = ()
    terms: Mapping[str, Json] = field(default_factory=dict)
    shares_machine: int = 1
    work: str = BLOCKS

    def to_json(self) -> dict[str, Json]:
        """Return it as JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> WorkOrder:
        """Return what :meth:`to_json` gave."""
        values: dict[str, object] = {
            name: tuple(value) if isinstance(value, list) else value for name, value in data.items()
        }
        return cls(**values)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True, kw_only=True)
class BlockRequest:
    """A request to answer one block.

    Attributes:
        evaluation: Index into the order's evaluations.
        block: Index of the block in the evaluation's plan.
        verdict: Verdict of the model's self-check; ``None`` before any was made.
        settled: Whether the verdict is of this evaluation; otherwise this block is for the check.
        ahead: Evaluation and block whose images may be opened in the meantime.
        early: Whether another worker is still checking, so that this answer may be discarded; a
            worker that keeps its own journal does not write it there.
    """

    evaluation: int
    block: int
    verdict: Mapping[str, Json] | None = None
    settled: bool = False
    ahead: tuple[int, int] | None = None
    early: bool = False

    def to_json(self) -> dict[str, Json]:
        """Return it as JSON."""
        return asdict(self)

    @classmethod
    def from_json(cls, data: Mapping[str, Json]) -> BlockRequest:
        """Return what :meth:`to_json` gave."""
        values: dict[str, object] = dict(data)
        ahead = values.get("ahead")
        values["ahead"] = tuple(ahead) if isinstance(ahead, list) else None
        return cls(**values)  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Event:
    """A message from a worker, or about it.

    Attributes:
        worker: Its name, which is unique in a run.
    """

    worker: str


@dataclass(frozen=True, slots=True)
class Hello(Event):
    """A worker has made its own plan and introduces itself; its weights are not loaded yet."""

    terms: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Ready(Event):
    """A worker has loaded the model."""


@dataclass(frozen=True, slots=True)
class Answered(Event):
    """A block was answered.

    Attributes:
        records: Lines of ``samples.jsonl``, in the order of the block.
        notes: Notes on how they were computed.
        verdict: Verdict of the model's self-check; ``None`` before it was made.
        seconds: Time for the block, without loading the model.
        is_kept: Whether the worker has written the records to its own journal, and sends none here.
    """

    evaluation: int
    block: int
    records: Sequence[Mapping[str, Json]]
    notes: Sequence[str] = ()
    verdict: Mapping[str, Json] | None = None
    seconds: float = 0.0
    is_kept: bool = False


@dataclass(frozen=True, slots=True)
class Lost(Event):
    """A worker has died or will never answer; its requests go to other workers."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refused(Event):
    """A worker cannot join the run."""

    reason: str


@dataclass(frozen=True, slots=True)
class Raised(Event):
    """The model, a plugin or the data ended an evaluation with an error.

    Attributes:
        error: Kind, message, place and fix; see :func:`harness.workers.messages.error_of`.
    """

    evaluation: int
    error: Mapping[str, Json]


class Executor(Protocol):
    """Starts workers and passes messages between them and the coordinator.

    The factory checks its options and requirements before anything is planned.
    """

    def start(self, order: WorkOrder) -> None:
        """Start the workers; each makes its own plan and sends :class:`Hello`.

        Raises:
            UserError: none can be started.
        """

    def ask(self, worker: str, request: BlockRequest) -> None:
        """Send a block to a worker. If the worker has died, an event :class:`Lost` follows."""

    def events(self, timeout: float) -> Sequence[Event]:
        """Return the events since the last call, in any order; wait if there are none.

        Args:
            timeout: Maximum seconds to wait.

        Raises:
            UserError: no worker is left, and none can be started.
        """

    def alive(self) -> int:
        """Return the number of workers, including those that are starting."""

    def stop(self, worker: str) -> None:
        """Kill a worker at once; it sends no further event."""

    def replace(self, worker: str) -> None:
        """Start a new worker, with a new name, in place of a dead one."""

    def close(self) -> None:
        """End every worker; called once, also after an error or an interrupt."""


@runtime_checkable
class SaysWhy(Protocol):
    """An executor that can report what it waits for before the first worker answers."""

    def waits_for(self) -> str:
        """Return one line, such as ``2 jobs are queued in partition gpu``; empty for nothing."""
