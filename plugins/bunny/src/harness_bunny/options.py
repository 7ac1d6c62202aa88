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
    Option(name="vision_tower", help="Folder or hub id of the tower; unset: as the config says."),
    Option(
        name="image_aspect",
        default="auto",
        choices=("auto", "pad", "resize"),
        help="Pad images to squares, or resize them out of shape; auto: as the config says.",
    ),
    *ANSWERS,
    *LOADING,
)

PRESETS: Mapping[str, Mapping[str, Json]] = {
    "v1.0-3b": {"path": "BAAI/Bunny-v1_0-3B"},
    "v1.0-llama-3-8b": {"path": "BAAI/Bunny-Llama-3-8B-V"},
    "v1.1-llama-3-8b": {"path": "BAAI/Bunny-v1_1-Llama-3-8B-V"},
}
