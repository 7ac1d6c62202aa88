"""Training: what a recipe asks for, done: pools, epochs, losses, checkpoints, validation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.descriptors import CommandDescriptor
from harness.plugins import hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["harness_commands"]


@hookimpl
def harness_commands() -> Sequence[CommandDescriptor]:
    """Offer ``harness train``; torch is imported when a training begins."""
    return [
        CommandDescriptor(
            id="train",
            target="harness_training.command:train",
            summary="Train a model by a recipe.",
            section="Train",
            functions={
                "open_trained": "harness_training.checkpoint:open_trained",
                "plan_training": "harness_training.api:plan_training",
                "train": "harness_training.api:train",
            },
        )
    ]
