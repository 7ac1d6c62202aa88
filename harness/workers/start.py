"""Find an executor, write the order for its workers, and evaluate by them."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.config.hub import is_hub_id
from harness.config.tasks import known_sources
from harness.descriptors import ExecutorDescriptor, Json, parse_options
from harness.errors import PluginError, UserError
from harness.guard import Contract, described
from harness.plugins import contract_of, find, plugins
from harness.targets import load_target
from harness.workers.contract import Event, Executor, WorkOrder
from harness.workers.coordinator import Coordinator
from harness.workers.terms import planned_terms

if TYPE_CHECKING:
    from harness.evaluation.model import ConfiguredModel
    from harness.evaluation.run import Planned, Reporter
    from harness.evaluation.run_settings import RunSettings
    from harness.runs.record import EvaluationRecord

_OWN = ("on", "executor_options", "track")  # arguments that no worker takes


@dataclass(frozen=True, slots=True)
class ExecutorPlan:
    """An executor that was found, and what its workers plan with.

    Attributes:
        executor: Checked, and not started.
    """

    descriptor: ExecutorDescriptor
    executor: Executor
    model: str
    tasks: tuple[str, ...]
    options: Mapping[str, Json]

    def refuse(self, model: ConfiguredModel) -> None:
        """Refuse what cannot be sent to a worker.

        Raises:
            UserError: the model is only in this process, or a device of one machine was named.
        """
        refuse_local(self.descriptor.id, model.runtime.device)
        if not plugins().is_installed(model.descriptor):
            raise UserError(
                f"model {self.model!r} is only in the memory of this process, and cannot travel "
                f"to the workers of --on {self.descriptor.id}",
                fix="leave out --on, or install the model as a plugin (docs/plugins.md)",
            )

    def evaluate(
        self,
        subject: ConfiguredModel,
        planned: Sequence[Planned],
        terms: RunSettings,
        reporter: Reporter,
    ) -> tuple[list[EvaluationRecord], dict[str, PluginError]]:
        """Compute what is missing of a plan by workers; see ``evaluate_here``."""
        coordinator = Coordinator(
            self.executor,
            self.descriptor.id,
            planned,
            reporter,
            retry_errors=terms.retry_errors,
            strict=subject.runtime.deterministic,
        )
        return coordinator.run(self._order)

    def _order(self, planned: Sequence[Planned]) -> WorkOrder:
        """Return the order for evaluations that are not finished."""
        settings = planned[0].job.plan.task.settings
        options = {
            **self.options,
            "results": str(settings.results.absolute()),
            "profile": settings.profile,
        }
        return WorkOrder(
            model=self.model,
            tasks=self.tasks,
            options=options,
            evaluations=tuple(item.job.plan.task.spec.name for item in planned),
            directories=tuple(str(item.job.directory.absolute()) for item in planned),
            terms=planned_terms(planned),
            **here(),
        )


@dataclass(frozen=True, slots=True)
class FoundExecutor:
    """An executor with its options checked; nothing is started.

    Attributes:
        workers: How many it was asked for; ``None`` where it chooses.
    """

    descriptor: ExecutorDescriptor
    executor: Executor
    workers: int | None


def refuse_local(executor: str, device: str) -> None:
    """Refuse what only this process has: a registry of its own, or a named GPU.

    Args:
        executor: Id of the executor.
        device: The requested device.

    Raises:
        UserError: what a worker cannot have, and what to do.
    """
    if not plugins().is_of_environment:
        raise UserError(
            "workers load the plugins that are installed, and this run uses a registry of its own",
            fix="leave out --on, or install its plugins (docs/plugins.md)",
        )
    if ":" in device:
        raise UserError(
            f"--device {device} names one GPU, and --on {executor} gives each worker its own",
            fix=f"--device {device.partition(':')[0]}",
        )


def find_executor(name: str | None, chosen: Mapping[str, Json]) -> FoundExecutor:
    """Find an executor by its id and check its options.

    Raises:
        UserError: unknown executor, option or value, or something that it needs is not there.
        PluginError: its plugin cannot be had.
    """
    if name is None:
        raise UserError("options of an executor are given, but no executor", fix="--on processes")
    descriptor = find("executor", name, plugins().executors())
    settled = parse_options(descriptor.options, chosen, owner=f"executor {name!r}")
    factory, contract = load_target(descriptor), contract_of(descriptor)
    with contract.calling("make"):
        executor = factory(settled)
    if plugins().code_of(descriptor) is not None:  # the core's own needs no guard
        executor = _guarded(executor, contract)
    workers = settled.get("workers")
    return FoundExecutor(descriptor, executor, workers if isinstance(workers, int) else None)


_METHODS = [name for name in vars(Executor) if not name.startswith("_")]


def _guarded(executor: object, contract: Contract) -> Executor:
    """Return a plugin's executor, checked against its contract."""
    for name in _METHODS:
        if not callable(getattr(executor, name, None)):
            raise contract.wrong(f"makes {described(executor)}, which has no method {name!r}")

    def heard(value: object, *_: object) -> list[Event]:
        return contract.listed(value, "events", Event, "a list of events")

    def counted(value: object, *_: object) -> object:
        if type(value) is not int:
            raise contract.returned(value, "alive", "a number")
        return value

    guarded: Executor = contract.guarded(executor, {"events": heard, "alive": counted})
    return guarded


def here() -> dict[str, Any]:
    """Return what an order says of this process, whatever the work."""
    include, specs = known_sources()
    return {
        "folder": str(Path.cwd()),
        "blocked": tuple(sorted(plugins().blocked)),
        "sys_path": tuple(os.path.abspath(path) for path in sys.path if path),  # noqa: PTH100
        "include": include,
        "specs": specs,
    }


def find_workers(model: str, tasks: Iterable[str], options: Mapping[str, Any]) -> ExecutorPlan:
    """Find the executor that a run names and check its options; nothing is started.

    Raises:
        UserError: unknown executor, option or value, or something that it needs is not there.
        PluginError: its plugin cannot be had.
    """
    executor = find_executor(options.get("on"), options.get("executor_options") or {})
    plain = {key: as_json(value) for key, value in options.items() if key not in _OWN}
    return ExecutorPlan(executor.descriptor, executor.executor, model, tuple(tasks), plain)


def as_json(value: Any) -> Json:
    """Return an argument as JSON: paths as absolute texts, collections as lists."""
    if isinstance(value, Path):
        return str(value if is_hub_id(value) else value.absolute())
    if isinstance(value, Mapping):
        return {str(key): as_json(entry) for key, entry in value.items()}
    if isinstance(value, str) or not isinstance(value, Iterable):
        return value
    entries = sorted(value) if isinstance(value, frozenset | set) else value
    return [as_json(entry) for entry in entries]
