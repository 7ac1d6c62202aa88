"""The matrix kind of study: models x recipes x data x seeds x tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.descriptors import StudyDescriptor
from harness.plugins import hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["harness_studies"]


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
