"""Trackers of runs, and results on a hub."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from harness.plugins import hookimpl

if TYPE_CHECKING:
    from harness.descriptors import CommandDescriptor, TrackerDescriptor


@hookimpl
def harness_trackers() -> Sequence[TrackerDescriptor]:
    """Offer the trackers; none is imported."""
    from harness.descriptors import TrackerDescriptor

    return [
        TrackerDescriptor(
            id=name,
            target=f"harness_trackers.{module}:make",
            summary=summary,
            requires=requires,
            install=f"pip install 'social-harness-trackers[{name}]'",
        )
        for name, module, summary, requires in (
            ("wandb", "wandb_log", "Weights & Biases, also with WANDB_MODE=offline.", ("wandb",)),
            (
                "mlflow",
                "mlflow_log",
                "MLflow, on a server or in a local store.",
                ("mlflow", "sqlalchemy"),
            ),
            ("tensorboard", "tensorboard_log", "Event files of TensorBoard.", ("tensorboard",)),
        )
    ]


@hookimpl
def harness_commands() -> Sequence[CommandDescriptor]:
    """Offer `harness push`; it is not imported."""
    from harness.descriptors import CommandDescriptor

    return [
        CommandDescriptor(
            id="push",
            target="harness_trackers.push:push",
            summary="Send results to a repository of the hub.",
            section="Results",
            requires=("huggingface_hub",),
            install="pip install 'social-harness-trackers[hub]'",
        )
    ]
