"""Recipes of training: FT, ASD, single-task and joint, and variants of the loss and the draw."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from harness.descriptors import Option, RecipeDescriptor
from harness.plugins import hookimpl

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["harness_recipes"]

_REDUCTION = Option(
    name="reduction",
    default="sample",
    choices=("sample", "token"),
    help="Take the mean or the sum of the loss over an answer's tokens.",
)
_INSTALL = "pip install social-harness-recipes"


def _recipe(
    name: str,
    target: str,
    summary: str,
    *options: Option,
    transfer: Literal["", "alone", "together"] = "",
    reduction: bool = True,
) -> RecipeDescriptor:
    return RecipeDescriptor(
        id=name,
        target=f"harness_recipes.{target}",
        summary=summary,
        requires=("torch", "accelerate", "peft"),
        install=_INSTALL,
        options=(*options, _REDUCTION) if reduction else options,
        transfer=transfer,
    )


def _asd() -> RecipeDescriptor:
    return _recipe(
        "asd",
        "asd:AntiStereotypeDebiasing",
        "ASD (arXiv 2408.06569): bias-aware resampling and SFLoss.",
        Option(name="resample", type="bool", default=True, help="Drop and copy samples by skew."),
        Option(name="sfloss", type="bool", default=True, help="Weight losses by exp(-skew)."),
        Option(
            name="tau1",
            type="float",
            default=1.0,
            help="Constant of the chance that a sample is dropped: skew/(skew + tau1).",
        ),
        Option(
            name="tau2",
            type="float",
            default=1.0,
            help="Accumulated skew that one copy of a sample uses up.",
        ),
        Option(
            name="accumulator",
            default="global",
            choices=("global", "pair"),
            help="Keep one sum of under-attended skew, or one for each concept and attribute "
            "value.",
        ),
        Option(
            name="order",
            default="shuffled",
            choices=("shuffled", "pool"),
            help="Order in which samples are dropped, kept and copied.",
        ),
        Option(
            name="renormalise",
            default="none",
            choices=("none", "mean"),
            help="Use weights as they are, or divided by their mean over the epoch.",
        ),
        Option(name="max_weight", type="float", help="Largest weight; unset: unbounded."),
        Option(
            name="keep_yes_rate",
            type="bool",
            default=False,
            help="Weight each concept's answers so that yes and no keep their shares (not in the "
            "paper).",
        ),
    )


def _losses() -> list[RecipeDescriptor]:
    """Return the recipes whose loss reads more than log-probabilities."""
    return [
        _recipe(
            "smoothing",
            "smoothing:Smoothing",
            "Label smoothing: a token's target shares epsilon with the whole vocabulary.",
            Option(
                name="epsilon",
                type="float",
                default=0.1,
                least=0.0,
                most=1.0,
                help="Share of a token's target that is spread over the whole vocabulary.",
            ),
        ),
        _recipe(
            "dpo",
            "dpo:DirectPreference",
            "DPO (arXiv 2305.18290): the right answer preferred to a wrong one, alike for the "
            "people of a counterfactual pair.",
            Option(
                name="beta",
                type="float",
                default=0.1,
                help="How strongly the model is held to its starting point; larger is stronger.",
            ),
            Option(
                name="pairs",
                default="one_trait",
                choices=("one_trait", "set", "none"),
                help="Images that teach one preference: two of a set that differ in one trait, "
                "all of a set, or each by itself.",
            ),
            reduction=False,
        ),
    ]


def _of_encoders() -> list[RecipeDescriptor]:
    """Return the recipes of dual encoders."""
    contrast = (
        Option(
            name="sets",
            default="together",
            choices=("together", "apart"),
            help="Keep the images of a counterfactual set next to each other in an epoch, or "
            "apart.",
        ),
        Option(
            name="side",
            default="both",
            choices=("both", "image", "text"),
            help="Side of the dual encoder whose weights or adapters train.",
        ),
    )
    return [
        _recipe(
            "contrastive",
            "contrastive:Contrastive",
            "Dual encoders: images and texts that belong together, against all others of a step.",
            *contrast,
            reduction=False,
        ),
        _recipe(
            "prompt_array",
            "prompt_array:PromptArray",
            "Dual encoders: learned vectors before texts, against an adversary (2203.11933).",
            Option(
                name="tokens", type="int", default=2, least=1, help="Number of learned vectors."
            ),
            Option(name="attribute", default="gender", help="Group that the adversary guesses."),
            Option(
                name="queries",
                help="Texts between bars that the adversary sees images compared with; by default "
                "the answers of the data.",
            ),
            Option(
                name="strength",
                type="float",
                default=1.0,
                least=0.0,
                help="Factor of the adversary's reversed gradient.",
            ),
            Option(
                name="contrast",
                type="float",
                default=1.0,
                least=0.0,
                help="Weight of the contrast of images and texts beside the adversary's loss.",
            ),
            Option(
                name="hidden",
                type="int",
                default=32,
                least=1,
                help="Width of the adversary's two hidden layers.",
            ),
            *contrast,
            reduction=False,
        ),
    ]


@hookimpl
def harness_recipes() -> Sequence[RecipeDescriptor]:
    """Offer the recipes; nothing heavy is imported."""
    return [
        _recipe("ft", "plain:FineTune", "Plain fine-tuning: every sample once an epoch."),
        _asd(),
        _recipe(
            "single",
            "mixing:Single",
            "One task, every sample once an epoch.",
            transfer="alone",
        ),
        _recipe(
            "joint",
            "mixing:Joint",
            "Several tasks at once, mixed by a declared rule.",
            Option(
                name="mixing",
                default="proportional",
                choices=("proportional", "uniform", "temperature"),
                help="Share of each task: by its size, equal, or size to the power 1/temperature.",
            ),
            Option(
                name="temperature",
                type="float",
                default=2.0,
                help="Temperature of mixing=temperature.",
            ),
            transfer="together",
        ),
        _recipe(
            "focal",
            "focal:Focal",
            "Focal loss: tokens of which the model is sure count less.",
            Option(
                name="gamma",
                type="float",
                default=2.0,
                help="Exponent of 1 - p, the factor of a token's loss.",
            ),
        ),
        *_losses(),
        *_of_encoders(),
        _recipe("balanced", "balanced:Balanced", "Draw every answer of a task equally often."),
    ]
