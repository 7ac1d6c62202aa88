"""A method at answer time that shows the model a perturbed image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.descriptors import AnswerMethodDescriptor, Option
from harness.plugins import hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["KINDS", "harness_answer_methods"]

KINDS = (
    "noise", "blur", "jpeg", "brightness", "contrast", "pixelate", "crop", "shuffle", "grey", "flip"
)  # fmt: skip


@hookimpl
def harness_answer_methods() -> Sequence[AnswerMethodDescriptor]:
    """Offer the method; neither numpy nor Pillow is imported."""
    return [
        AnswerMethodDescriptor(
            id="perturb",
            target="harness_perturbations.method:Perturb",
            summary="The model sees each image perturbed: noise, blur, JPEG, crops and others.",
            treats={kind: frozenset() for kind in ("choose", "generate", "embed")},
            options=(
                Option(name="kind", default="blur", choices=KINDS, help="What is done to images."),
                Option(
                    name="level",
                    type="int",
                    default=3,
                    least=1,
                    most=5,
                    help="How much, 1 to 5, as in ImageNet-C; grey and flip have no levels.",
                ),
            ),
        )
    ]
