"""Options that the commands of analyses share."""

from __future__ import annotations

from typing import Any

from harness import commands

analysis_options = commands.together(
    commands.task_options,
    commands.data,
    commands.profile,
    commands.results,
    commands.device,
    commands.dtype("auto"),
    commands.seed,
    commands.as_json,
)


def analysis_arguments(flags: dict[str, Any]) -> dict[str, Any]:
    """Return what :data:`analysis_options` say, as the functions of analyses take it."""
    return {
        "spec_options": commands.pairs(flags["spec_options"], "--task-option"),
        "data": commands.data_paths(flags["data"]),
        "profile": flags["profile"],
        "results": flags["results"],
        "device": flags["device"],
        "dtype": flags["dtype"],
        "say": commands.tell,
    }
