"""What ``-o`` accepts, and the presets. Light: no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.descriptors import Option
from harness.requests import Choose

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.descriptors import Json

FORMATS = ("open_clip", "transformers")

TEMPLATES = Option(
    name="templates",
    default="a photo of {}",
    help="Sentences around an option, separated by |, or imagenet for the 80 of CLIP; their "
    "unit vectors are averaged.",
)
TEMPLATE = Option(
    name="template",
    default="a photo of {}",
    help="Sentence around an option of a choice; whole texts of a matching task need none.",
)
OPTIONS: tuple[Option, ...] = (
    Option(
        name="path",
        type="path",
        help="A folder, a hub id, open_clip's NAME:TAG, or package:NAME/folder.",
    ),
    Option(name="revision", help="Branch, tag or commit on the hub."),
    Option(
        name="format",
        default="auto",
        choices=("auto", *FORMATS),
        help="Layout of the checkpoint; auto: open_clip's where open_clip_config.json is.",
    ),
    TEMPLATES,
)

_HUB = {
    "clip-b-32": "openai/clip-vit-base-patch32",
    "clip-l-14": "openai/clip-vit-large-patch14",
    "clip-l-14-336": "openai/clip-vit-large-patch14-336",
    "laion-h-14": "laion/CLIP-ViT-H-14-laion2B-s32B-b79K",
    "siglip-so400m": "google/siglip-so400m-patch14-384",
    "siglip2-so400m": "google/siglip2-so400m-patch14-384",
}
FAMILIES = (
    "align", "altclip", "chinese_clip", "clip", "clipseg", "flava", "groupvit",
    "metaclip_2", "siglip", "siglip2", "vision-text-dual-encoder",
)  # fmt: skip
"""Model types of transformers that are read."""

PRESETS: Mapping[str, Mapping[str, Json]] = {
    "demo": {"path": "package:harness_demo_world/weights/encoder"},
    **{name: {"path": path} for name, path in _HUB.items()},
}
LEARNING_RATES: Mapping[str, float] = {"encoder": 1e-5}
"""Peak learning rates of parts for which the general default is too high (this project's)."""
PRESET_MARKS: Mapping[str, tuple[str, ...]] = {"demo": ("demo",)}

MATCHING_OPTIONS: tuple[Option, ...] = (
    Option(name="path", type="path", help="A folder or a hub id, in transformers' format."),
    Option(name="revision", help="Branch, tag or commit on the hub."),
    TEMPLATE,
)
MATCHING_PRESETS: Mapping[str, Mapping[str, Json]] = {
    "blip-itm-base": {"path": "Salesforce/blip-itm-base-coco"},
    "blip-itm-large": {"path": "Salesforce/blip-itm-large-coco"},
    "blip2-itm": {"path": "Salesforce/blip2-itm-vit-g"},
    "vilt-coco": {"path": "dandelin/vilt-b32-finetuned-coco"},
}


def unused_templates(want: object, option: Option, value: Json) -> list[str]:
    """Return the option of sentences around options where it is given and none is used.

    Args:
        want: What a task asks for.
        option: The one of the sentences.
        value: What it was given; its default counts as nothing.
    """
    if value == option.default or (isinstance(want, Choose) and not want.match):
        return []
    return [f"{option.name} (texts are taken whole)"]
