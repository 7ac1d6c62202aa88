"""Perturbed images as variants of a task, and how far numbers hold under them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.descriptors import CommandDescriptor, PerturbationDescriptor
from harness.plugins import hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["harness_commands", "harness_perturbations"]

_SUMMARIES = {
    "noise": "Gaussian noise, as in ImageNet-C.",
    "blur": "Gaussian blur, with ImageNet-C's widths.",
    "jpeg": "JPEG at the quality of ImageNet-C.",
    "brightness": "More brightness, as in ImageNet-C.",
    "contrast": "Less contrast, as in ImageNet-C.",
    "pixelate": "Fewer pixels, as in ImageNet-C.",
    "crop": "A random part of the image; boxes move with it.",
    "patches": "Patches of a grid in another order; within each box that the question marks.",
    "grey": "Greyscale.",
    "flip": "Left and right exchanged; boxes move with the image.",
    "background_blur": "Blur outside the sample's boxes.",
    "no_background": "Grey outside the sample's boxes.",
    "no_person": "Grey within the sample's boxes: what remains?",
}
_MOVES = frozenset({"crop", "patches", "flip"})
_OF_BOXES = frozenset({"background_blur", "no_background", "no_person"})
_ONE_LEVEL = frozenset({"grey", "flip", "no_background", "no_person"})


@hookimpl
def harness_perturbations() -> Sequence[PerturbationDescriptor]:
    """Offer the perturbations; neither numpy nor Pillow is imported."""
    return [
        PerturbationDescriptor(
            id=kind,
            target=f"harness_perturbations.images:{kind}",
            summary=summary,
            levels=1 if kind in _ONE_LEVEL else 5,
            moves=kind in _MOVES,
            needs_boxes=kind in _OF_BOXES,
        )
        for kind, summary in _SUMMARIES.items()
    ]


@hookimpl
def harness_commands() -> Sequence[CommandDescriptor]:
    """Offer `harness robustness`; it is not imported."""
    return [
        CommandDescriptor(
            id="robustness",
            target="harness_perturbations.command:robustness",
            summary="Say how far numbers hold on perturbed images, by level.",
            section="Claims",
        )
    ]
