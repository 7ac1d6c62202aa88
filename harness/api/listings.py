"""What is installed, and what files look like: :func:`harness.installed`, ``schema``."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from typing import Any, Literal

from harness.arguments import checked
from harness.errors import unknown
from harness.plugins import Plugins, plugins

KINDS: Mapping[str, tuple[str, Callable[[Plugins], Mapping[str, Any]]]] = {
    "models": ("model", Plugins.models),
    "readers": ("reader", Plugins.readers),
    "sources": ("data source", Plugins.data_sources),
    "metrics": ("metric", Plugins.metrics),
    "extractors": ("extractor", Plugins.extractors),
    "methods": ("answer method", Plugins.answer_methods),
    "perturbations": ("perturbation", Plugins.perturbations),
    "recipes": ("recipe", Plugins.recipes),
    "analyses": ("analysis kind", Plugins.analysis_kinds),
    "encoders": ("encoder", Plugins.encoders),
    "executors": ("executor", Plugins.executors),
    "trackers": ("tracker", Plugins.trackers),
    "studies": ("study kind", Plugins.study_kinds),
    "formats": ("format", Plugins.formats),
    "figures": ("figure", Plugins.figures),
    "exporters": ("exporter", Plugins.exporters),
    "submissions": ("submission", Plugins.submissions),
    "commands": ("command", Plugins.commands),
}
"""What is listed, with the word of messages; tasks come from specs."""


@checked
def installed(kind: str) -> Mapping[str, Any]:
    """Return what is installed of a kind, by id; nothing of it is imported.

    Args:
        kind: ``models``, ``tasks``, ``metrics``, ...: what ``harness list`` takes.

    Returns:
        Descriptors; of ``tasks`` their specs, each checked when it is looked up. A file that cannot
        be read is left out with a warning.

    Raises:
        UserError: there is no such kind.
    """
    if kind == "tasks":
        from harness.config.tasks import installed_catalog

        catalog = installed_catalog()
        for name, error in catalog.broken.items():
            warnings.warn(f"left out: {name}: {error}", stacklevel=3)
        return catalog.tasks
    if kind not in KINDS:
        raise unknown("kind", kind, [*KINDS, "tasks"])
    return KINDS[kind][1](plugins())


@checked
def schema(
    kind: Literal["task", "group", "sample"] = "task", *, plain: bool = False
) -> Mapping[str, Any]:
    """Return a JSON Schema: of task specs, of groups of tasks, or of lines of ``samples.jsonl``.

    Args:
        kind: Which.
        plain: Allow any id in a task spec, not only those that are installed.
    """
    from harness.specs.schema import schema as schema_of

    return schema_of(kind, registry=None if plain or kind != "task" else plugins())
