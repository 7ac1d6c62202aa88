"""What the harness itself adds, through the same hooks as any plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.plugins import hookimpl

if TYPE_CHECKING:
    from harness.descriptors import (
        CommandDescriptor,
        ExecutorDescriptor,
        ExtractorDescriptor,
        FormatDescriptor,
        MetricDescriptor,
        ModelDescriptor,
        SpecFolder,
    )


@hookimpl
def harness_models() -> list[ModelDescriptor]:
    """Baselines."""
    from harness.models.descriptors import BASELINES

    return list(BASELINES)


@hookimpl
def harness_metrics() -> list[MetricDescriptor]:
    """Metrics."""
    from harness.metrics import metrics_in

    return metrics_in("harness.metrics")


@hookimpl
def harness_extractors() -> list[ExtractorDescriptor]:
    """Extractors."""
    from harness.requests.descriptors import EXTRACTORS

    return list(EXTRACTORS)


@hookimpl
def harness_executors() -> list[ExecutorDescriptor]:
    """Processes of this machine."""
    from harness.workers.descriptors import EXECUTORS

    return list(EXECUTORS)


@hookimpl
def harness_leaderboard_formats() -> list[FormatDescriptor]:
    """Leaderboard formats."""
    from harness.tables.descriptors import FORMATS

    return list(FORMATS)


@hookimpl
def harness_commands() -> list[CommandDescriptor]:
    """Sub-commands."""
    from harness.cli.descriptors import COMMANDS

    return list(COMMANDS)


@hookimpl
def harness_task_specs() -> list[SpecFolder]:
    """The task specs that travel with the harness."""
    from harness.descriptors import SpecFolder
    from harness.resources import data_folder

    return [SpecFolder(path=data_folder("task_specs"))]
