"""What ``-o`` accepts, and the presets. Light: no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.descriptors import Option
from harness.engine.loading import ANSWERS, CHECKPOINT, LOADING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.descriptors import Json

OPTIONS: tuple[Option, ...] = (
    *CHECKPOINT,
    Option(
        name="format",
        default="auto",
        choices=("auto", "transformers", "original"),
        help="Layout of the checkpoint; auto: as its config says.",
    ),
    Option(
        name="vision_tower",
        help="Folder or hub id of an original checkpoint's tower; unset: as its config says.",
    ),
    Option(
        name="conversation",
        default="auto",
        choices=("auto", "template", "vicuna_v1", "plain"),
        help="How turns become text; auto: vicuna_v1 for the original format, else the chat "
        "template, or plain (USER: ... ASSISTANT:) where there is none.",
    ),
    Option(
        name="image_aspect",
        default="auto",
        choices=("auto", "pad", "crop"),
        help="LLaVA-1.5: pad images to squares, or crop; auto: as the checkpoint's own code",
    ),
    *ANSWERS,
    *LOADING,
)

_PATHS = {
    "demo": "package:harness_demo_world/weights/llava",
    "1.5-7b": "llava-hf/llava-1.5-7b-hf",
    "1.5-13b": "llava-hf/llava-1.5-13b-hf",
    "1.5-7b-original": "liuhaotian/llava-v1.5-7b",
    "1.5-13b-original": "liuhaotian/llava-v1.5-13b",
    "next-vicuna-7b": "llava-hf/llava-v1.6-vicuna-7b-hf",
    "next-mistral-7b": "llava-hf/llava-v1.6-mistral-7b-hf",
    "onevision-0.5b": "llava-hf/llava-onevision-qwen2-0.5b-ov-hf",
    "onevision-7b": "llava-hf/llava-onevision-qwen2-7b-ov-hf",
}
PRESETS: Mapping[str, Mapping[str, Json]] = {name: {"path": path} for name, path in _PATHS.items()}
PRESET_MARKS: Mapping[str, tuple[str, ...]] = {"demo": ("demo",)}
