"""Counterfactual image sets: made from a YAML of concepts, filtered, documented."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.plugins import hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.descriptors import CommandDescriptor, StudyDescriptor

__all__ = ["harness_commands", "harness_studies"]


@hookimpl
def harness_commands() -> Sequence[CommandDescriptor]:
    """Offer `harness make` and `harness quality`; neither is imported."""
    from harness.descriptors import CommandDescriptor

    return [
        CommandDescriptor(
            id="make",
            target="harness_counterfactuals.command:make",
            summary="Make data: images of counterfactual sets.",
            section="Data",
        ),
        CommandDescriptor(
            id="quality",
            target="harness_counterfactuals.quality.command:quality",
            summary="Measure image sets: FID, KID, diversity, balance, consistency.",
            section="Data",
        ),
    ]


@hookimpl
def harness_studies() -> Sequence[StudyDescriptor]:
    """Offer the kind of study that compares image sets with real images."""
    from harness.descriptors import StudyDescriptor

    return [
        StudyDescriptor(
            id="image_quality",
            target="harness_counterfactuals.quality.study:load",
            summary="Compare several image sets with real images: FID, KID, consistency.",
        )
    ]
