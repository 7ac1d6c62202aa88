"""Methods at answer time: calibration and contrast against an image-free pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.descriptors import AnswerMethodDescriptor, Option
from harness.plugins import hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["harness_answer_methods"]


@hookimpl
def harness_answer_methods() -> Sequence[AnswerMethodDescriptor]:
    """Offer the methods."""
    return [
        AnswerMethodDescriptor(
            id="posthoc",
            target="harness_answer_methods.image_free:PostHoc",
            summary="Option probabilities divided by those without the image (2403.05262).",
            treats={"choose": frozenset({"logprobs"})},
            options=(
                Option(
                    name="epsilon",
                    type="float",
                    default=1e-4,
                    help="Added to image-free probabilities, over 0; 1e-4 in the official code.",
                ),
            ),
        ),
        AnswerMethodDescriptor(
            id="vdd",
            target="harness_answer_methods.image_free:Debias",
            summary="Writing and scores contrasted with those without the image (2403.05262).",
            treats={"choose": frozenset({"logprobs"}), "generate": frozenset({"contrast"})},
            version=2,
            options=(
                Option(
                    name="alpha",
                    type="float",
                    default=1.0,
                    help="Strength of the contrast, from 0; 1 in the official scripts, 0.5 in the "
                    "official code where none is given.",
                ),
                Option(
                    name="cutoff",
                    type="float",
                    default=0.1,
                    help="Written answers: least probability of a token, as a share of the "
                    "likeliest one's, 0 to 1; 0.1 in the official code (cd_beta).",
                ),
            ),
        ),
    ]
