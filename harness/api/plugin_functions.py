"""Functions of commands that are plugins: :func:`harness.probe`, :func:`harness.build_site`, ...

The names stand here, so that they are known without any plugin; each is the function that the
installed plugin's :class:`harness.descriptors.CommandDescriptor` names.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from harness.packages import command_with
from harness.plugins import missing, plugins
from harness.targets import load_target

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from harness.analysis.results import Analysis

    build_site: Callable[..., Path]
    compare: Callable[..., Any]
    data_check: Callable[..., Any]
    export: Callable[..., list[Path]]
    gradients: Callable[..., Analysis]
    mir: Callable[..., Analysis]
    plan_study: Callable[..., Any]
    plan_training: Callable[..., Any]
    plot: Callable[..., Path]
    probe: Callable[..., Analysis]
    study: Callable[..., Any]
    submission: Callable[..., Any]
    train: Callable[..., Any]
    transfer: Callable[..., Analysis]
    validate: Callable[..., Any]

__all__ = [
    "build_site", "compare", "data_check", "export", "gradients", "mir", "plan_study",
    "plan_training", "plot", "probe", "study", "submission", "train", "transfer", "validate",
]  # fmt: skip


def function(name: str) -> Any:
    """Return a function that a command of an installed plugin brings.

    Raises:
        PluginError: its plugin failed, is blocked or is not installed.
    """
    commands = plugins().commands()
    for command in commands.values():
        if name in command.functions:
            return load_target(replace(command, target=command.functions[name]))
    raise missing("command", command_with(name), commands)


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return function(name)
