"""Inference-time methods: against an image-free pass, on vectors, and by a declared text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.descriptors import AnswerMethodDescriptor, Option
from harness.plugins import hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.descriptors import Capability, Offer

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
            version=2,
            options=(
                Option(
                    name="epsilon",
                    type="float",
                    default=1e-4,
                    help="Number above 0 that is added to the probabilities without the image; "
                    "1e-4 in the official code.",
                ),
            ),
        ),
        AnswerMethodDescriptor(
            id="vdd",
            target="harness_answer_methods.image_free:Debias",
            summary="Generated text and scores contrasted with those without the image "
            "(2403.05262).",
            treats={"choose": frozenset({"logprobs"}), "generate": frozenset({"contrast"})},
            version=3,
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
        *_projections(),
        *_pooled(),
        _by_prompt(),
    ]


def _treats_vectors() -> dict[Capability, frozenset[Offer]]:
    vectors: frozenset[Offer] = frozenset({"vectors"})
    return {"embed": vectors, "choose": vectors}


def _projections() -> list[AnswerMethodDescriptor]:
    projected = (
        Option(
            name="prompts",
            default="a photo of a male|a photo of a man|a photo of a female|a photo of a woman",
            help="Texts that name the attribute's values, separated by bars; their span is "
            "removed.",
        ),
    )
    return [
        AnswerMethodDescriptor(
            id="projection",
            target="harness_answer_methods.projection:Projection",
            summary="Text vectors without the span of an attribute's prompts (2302.00070).",
            treats=_treats_vectors(),
            options=projected,
        ),
        AnswerMethodDescriptor(
            id="calibrated_projection",
            target="harness_answer_methods.projection:CalibratedProjection",
            summary="The projection, which also brings pairs of texts together (2302.00070).",
            treats=_treats_vectors(),
            options=(
                *projected,
                Option(
                    name="sentence",
                    default="a photo of a VALUE SUBJECT",
                    help="Sentence that both texts of a pair fill in.",
                ),
                Option(
                    name="values",
                    default="male|female",
                    help="Values in which the two texts of a pair differ.",
                ),
                Option(
                    name="subjects",
                    default="person|doctor|nurse|teacher|pilot|chef|farmer|musician|criminal|"
                    "leader",
                    help="Subjects that the two texts of a pair share, separated by bars.",
                ),
                Option(
                    name="strength",
                    type="float",
                    default=1000.0,
                    help="Lambda, above 0; 1000 in the official code for classification.",
                ),
            ),
        ),
    ]


def _pooled() -> list[AnswerMethodDescriptor]:
    pooled = (
        Option(
            name="pool",
            type="path",
            help="Finished evaluation whose records keep vectors, such as one of fairface_vectors "
            "by the same model.",
        ),
        Option(name="attribute", default="gender", help="Group of the pool's images."),
    )
    return [
        AnswerMethodDescriptor(
            id="clip_clip",
            target="harness_answer_methods.feature_clip:FeatureClip",
            summary="Vectors without the dimensions that say most about an attribute (EMNLP 2021).",
            treats=_treats_vectors(),
            requires=("numpy", "sklearn"),
            install="pip install scikit-learn",
            options=(
                *pooled,
                Option(
                    name="drop",
                    type="int",
                    default=100,
                    help="Number of dimensions to drop, from 1.",
                ),
            ),
        ),
        AnswerMethodDescriptor(
            id="bend",
            target="harness_answer_methods.bend:Bend",
            summary="Text vectors that are equally near to each group of a pool (BendVLM, "
            "NeurIPS 2024).",
            treats=_treats_vectors(),
            options=(
                *pooled,
                Option(
                    name="values",
                    default="male|female",
                    help="Words to put before a text's last word, one for each value.",
                ),
                Option(
                    name="neighbours",
                    type="int",
                    default=100,
                    help="Nearest images of each group whose mean counts, from 1.",
                ),
            ),
        ),
    ]


def _by_prompt() -> AnswerMethodDescriptor:
    return AnswerMethodDescriptor(
        id="prompt_debias",
        target="harness_answer_methods.prompt_debias:PromptDebias",
        summary="A declared text before the question, which asks not to answer by group.",
        treats={"choose": frozenset({"logprobs"}), "generate": frozenset()},
        options=(
            Option(
                name="text",
                default="fair",
                choices=("fair", "unsure", "blind"),
                help="Id of the declared text.",
            ),
            Option(name="own_text", default="", help="Your own text in its place."),
            Option(
                name="turn",
                default="user",
                choices=("user", "system"),
                help="Place of the text: before the question, or as a system turn where the "
                "model's template has one.",
            ),
            Option(
                name="think",
                type="bool",
                default=False,
                help="Ask for reasoning first; written answers alone.",
            ),
            Option(
                name="think_tokens",
                type="int",
                default=256,
                help="Tokens that the reasoning may take.",
            ),
        ),
    )
