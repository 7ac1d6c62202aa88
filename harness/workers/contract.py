"""What an executor is, and what it carries: the work order, what is asked, and what comes back.

An executor starts workers somewhere, hands them what the coordinator asks, and yields what they
say, in any order. All of it is plain data; nothing is unpickled. Light: no numpy is imported.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Protocol, runtime_checkable

from harness.descriptors import Json

BLOCKS = "blocks"


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkOrder:
    """What workers are to do, as plain data.

    Attributes:
        model: Id of the model.
        tasks: Ids of tasks and groups.
        include: Files and folders of specs that no plugin brings.
        specs: Specs that were given as data.
        options: Further arguments of :func:`harness.plan`.
        evaluations: Those of the plan that are not finished: task id with variant, in plan order.
        directories: The folder of the record of each of them.
        folder: Working directory, for paths that are relative.
        blocked: Plugins that are not to be loaded.
        sys_path: Where the coordinator's Python finds modules.
        terms: What a worker must be equal to; see :mod:`harness.workers.terms`.
        shares_machine: Workers that share one machine's cores with this one, itself included.
        work: ``blocks`` of a run, or the id of a kind of study, whose descriptor names the worker:
            then a block is the index of a part of the study, and the options name it. Other works
            are ``module:attribute`` of what makes a worker of a name and an order.
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
    """One block that a worker is to answer.

    Attributes:
        evaluation: Index into the order's evaluations.
        block: Index of the block in the evaluation's plan.
        verdict: What the model's check of itself found; ``None`` before any was made.
        settled: Whether it was found on this evaluation; otherwise this block is for the check.
        ahead: Evaluation and block whose images are worth opening meanwhile.
        early: Whether the check is made meanwhile, so that the answer may not count; a worker that
            journals by itself does not journal it.
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
    """Something that a worker says, or that is said of it.

    Attributes:
        worker: Its name, never used twice in a run.
    """

    worker: str


@dataclass(frozen=True, slots=True)
class Hello(Event):
    """A worker has planned by itself, and says what it is; weights are not loaded yet."""

    terms: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class Ready(Event):
    """A worker has loaded the model."""


@dataclass(frozen=True, slots=True)
class Answered(Event):
    """A block was answered.

    Attributes:
        records: Lines of ``samples.jsonl``, in the order of the block.
        notes: What is to be said of how they were computed.
        verdict: What the model's check of itself found; ``None`` while it is still to be made.
        seconds: That it took, without loading the model.
        is_kept: Whether the worker has journaled the records itself, and gives none here.
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
    """A worker is gone, or will never answer; what it was asked is asked elsewhere."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refused(Event):
    """A worker cannot take part."""

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
    """Starts workers somewhere and carries what is said between them and the coordinator.

    The factory checks its options, and that what it needs is there, before anything is planned.
    """

    def start(self, order: WorkOrder) -> None:
        """Start the workers; each plans by itself and says :class:`Hello`.

        Raises:
            UserError: none can be started.
        """
        ...

    def ask(self, worker: str, request: BlockRequest) -> None:
        """Hand a worker a block. Of one that is gone, :class:`Lost` tells."""
        ...

    def events(self, timeout: float) -> Sequence[Event]:
        """Return what was said since the last call, in any order; wait for it if nothing was.

        Args:
            timeout: Seconds to wait at most.

        Raises:
            UserError: no worker is left, and none can be started.
        """
        ...

    def alive(self) -> int:
        """Return how many workers there are, those that are on their way included."""
        ...

    def stop(self, worker: str) -> None:
        """End a worker at once, whatever it does; nothing more is heard of it."""
        ...

    def replace(self, worker: str) -> None:
        """Start another worker in the place of one that is gone, under another name."""
        ...

    def close(self) -> None:
        """End every worker; called once, also after an error or an interrupt."""
        ...


@runtime_checkable
class SaysWhy(Protocol):
    """An executor that knows what it waits for while no worker has answered."""

    def waits_for(self) -> str:
        """Return one line, such as ``2 jobs are queued in partition gpu``; empty for nothing."""
        ...
