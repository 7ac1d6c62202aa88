"""Studies of trainings and evaluations, and two models compared, over seeds too."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.descriptors import CommandDescriptor, StudyDescriptor
from harness.plugins import hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["harness_commands", "harness_studies"]


@hookimpl
def harness_studies() -> Sequence[StudyDescriptor]:
    """Offer the matrix; nothing of it is imported."""
    return [
        StudyDescriptor(
            id="matrix",
            target="harness_studies.matrix:load",
            worker="harness_studies.trial_worker:TrialWorker",
            summary="Models x recipes x data x seeds x tasks, trained, evaluated, tabulated.",
        )
    ]


@hookimpl
def harness_commands() -> Sequence[CommandDescriptor]:
    """Offer ``harness study`` and ``harness compare``."""
    return [
        CommandDescriptor(
            id="compare",
            target="harness_studies.command_compare:compare",
            summary="Compare two runs sample by sample.",
            section="Evaluate",
            functions={
                "compare": "harness_studies.comparisons:compare",
                "intersected": "harness_studies.intersect:intersected",
                "robustness_table": "harness_studies.robustness:robustness_table",
            },
        ),
        CommandDescriptor(
            id="study",
            target="harness_studies.command:study",
            summary="Train and evaluate a matrix, and make its table.",
            section="Train",
            functions={
                "plan_study": "harness_studies.api:plan_study",
                "study": "harness_studies.api:study",
            },
        ),
    ]
