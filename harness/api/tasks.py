"""Tasks as calls name them: by id, by path, as data, or loaded already."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, cast

from harness.config.tasks import TaskName, installed_catalog, task_names
from harness.errors import UserError
from harness.evaluation.task import Task

if TYPE_CHECKING:
    from harness.api.runs import RunOptions


def tasks_named(
    tasks: TaskName | Iterable[TaskName | Task] | Task, options: RunOptions
) -> tuple[list[str], RunOptions]:
    """Return the names of tasks, and options of the run with those that loaded tasks have.

    Raises:
        UserError: a file that is no spec, or a loaded task that a run cannot find again by its id.
    """
    entries: list[Any] = [tasks] if isinstance(tasks, str | Task | Mapping) else _listed(tasks)
    chosen: dict[str, Any] = {**options}
    names: list[str] = []
    for task in entries:
        if not isinstance(task, Task):
            names += task_names([task])
            continue
        names.append(task.id)
        values = {one.name: one.value for one in task.spec.options.values()}
        if installed_catalog().task(task.id, values) != task.spec:
            raise UserError(f"task {task.id!r} no longer matches the installed spec of that id",
                            fix="pass its spec as a dictionary with another id")  # fmt: skip
        defaults = {f"{task.id}.{name}": value for name, value in values.items()}
        chosen["spec_options"] = {**defaults, **(chosen.get("spec_options") or {})}
        if task.id in task.settings.data:
            folder = {task.id: task.settings.data[task.id]}
            chosen["data"] = {**folder, **(chosen.get("data") or {})}
        profile = chosen.get("profile") or task.settings.profile
        if profile != task.settings.profile:
            loaded = f"task {task.id!r} was loaded under profile {task.settings.profile}"
            raise UserError(f"{loaded}; this run has {profile}", fix="use one profile for both")
        chosen["profile"] = profile
    return names, cast("RunOptions", chosen)


def _listed(tasks: Any) -> list[Any]:
    return [tasks] if hasattr(tasks, "__fspath__") else [*tasks]
