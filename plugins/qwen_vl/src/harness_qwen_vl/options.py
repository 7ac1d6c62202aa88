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
        name="prompt_format",
        default="auto",
        choices=("auto", "raw", "chatml"),
        help="First Qwen-VL: how turns become text; auto: as generation_config.json says.",
    ),
    Option(
        name="picture_space",
        type="bool",
        default=True,
        help="First Qwen-VL-Chat: a space in 'Picture 1: <img>'; the first releases had none.",
    ),
    Option(
        name="min_pixels", type="int", least=1, help="Qwen2-VL and later: least pixels of an image"
    ),
    Option(
        name="max_pixels", type="int", least=1, help="Qwen2-VL and later: most pixels of an image"
    ),
    *ANSWERS,
    *LOADING,
)

_HUB = {
    "base": "Qwen/Qwen-VL",
    "chat": "Qwen/Qwen-VL-Chat",
    "2-2b": "Qwen/Qwen2-VL-2B-Instruct",
    "2-7b": "Qwen/Qwen2-VL-7B-Instruct",
    "2.5-3b": "Qwen/Qwen2.5-VL-3B-Instruct",
    "2.5-7b": "Qwen/Qwen2.5-VL-7B-Instruct",
    "3-2b": "Qwen/Qwen3-VL-2B-Instruct",
    "3-4b": "Qwen/Qwen3-VL-4B-Instruct",
    "3-8b": "Qwen/Qwen3-VL-8B-Instruct",
}
PRESETS: Mapping[str, Mapping[str, Json]] = {name: {"path": path} for name, path in _HUB.items()}
