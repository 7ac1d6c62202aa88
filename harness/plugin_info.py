"""One plugin: what is printed of it, and what its hooks return, checked."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from harness.errors import FAULTS, PluginError, error_text, one_line
from harness.guard import check_descriptor, described

TASK_SPECS = "task specs"
_SPECS = {".yaml", ".yml"}


@dataclass(slots=True)
class PluginInfo:
    """What ``harness plugins`` prints of one plugin.

    Attributes:
        name: Entry-point name; ``core`` is the harness itself.
        status: ``loaded``, ``failed`` or ``blocked``.
        adds: Kind of object to the ids it adds.
        problem: Why it failed, in one line.
        lost: What it would have added, as far as it was known when it failed.
    """

    name: str
    distribution: str
    version: str
    status: str = "loaded"
    adds: dict[str, list[str]] = field(default_factory=dict)
    problem: str = ""
    lost: dict[str, list[str]] = field(default_factory=dict)

    def __str__(self) -> str:
        """Return its name and where it comes from, as messages say it."""
        return f"plugin {self.name!r} of {self.distribution} {self.version}"


def descriptors_of(
    hook: str, function: Callable[[], Any], kind: type, *, trusted: bool
) -> list[Any]:
    """Return what a hook returns.

    Raises:
        PluginError: it raises, or returns no list of descriptors as they must be.
    """
    try:
        returned = function()
        listed = list(returned) if isinstance(returned, Iterable) else None
    except FAULTS as error:
        raise PluginError(f"{hook} raised {error_text(error)}") from error
    if listed is None or isinstance(returned, str | Mapping):
        raise PluginError(f"{hook} returns {described(returned)}, not a list of {kind.__name__}")
    for descriptor in listed:
        if not isinstance(descriptor, kind):
            raise PluginError(f"{hook} returns {type(descriptor).__name__}, not {kind.__name__}")
        if not trusted:
            check_descriptor(descriptor)
    return listed


def line_of(error: BaseException) -> str:
    """Return why a plugin failed, in one line."""
    return one_line(str(error)) if isinstance(error, PluginError) else error_text(error)


def package_name(target: str) -> str:
    """Return the outermost package of a module or a target."""
    return target.partition(":")[0].partition(".")[0]


def lost_ids(collected: Mapping[str, list[Any]]) -> dict[str, list[str]]:
    """Return the ids of what was collected of a plugin that failed; tasks by their files."""
    lost = {
        kind: [held.id for held in collected[kind]]
        for kind in collected
        if kind != TASK_SPECS and collected[kind]
    }
    files = [path for folder in collected.get(TASK_SPECS, ()) for path in folder.path.rglob("*")]
    tasks = [path.stem for path in files if path.suffix in _SPECS]
    return {**lost, "tasks": tasks} if tasks else lost
