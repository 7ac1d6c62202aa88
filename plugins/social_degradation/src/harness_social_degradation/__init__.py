"""The study kind ``degradation``: what training takes from a vision tower (arXiv 2512.01148)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.descriptors import StudyDescriptor
from harness.plugins import hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["harness_studies"]


@hookimpl
def harness_studies() -> Sequence[StudyDescriptor]:
    """Offer the kind of study."""
    return [
        StudyDescriptor(
            id="degradation",
            target="harness_social_degradation.kind:load",
            summary="Probes, transfer and gradient conflict before and after training a tower.",
            view="harness_social_degradation.kind:VIEW",
        )
    ]
