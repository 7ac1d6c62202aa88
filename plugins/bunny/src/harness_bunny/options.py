"""What ``-o`` accepts, and the presets. Light: no torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.descriptors import Option
from harness.engine.loading import LOADING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from harness.descriptors import Json

OPTIONS: tuple[Option, ...] = (
    Option(name="path", help="a checkpoint: a folder or a hub id"),
    Option(name="revision", help="branch, tag or commit on the hub"),
    Option(name="vision_tower", help="folder or hub id of the tower; unset: as the config says"),
    Option(
        name="image_aspect",
        default="auto",
        choices=("auto", "pad", "resize"),
        help="pad pictures to squares, or resize them out of shape; auto: as the config says",
    ),
    Option(
        name="context",
        type="int",
        help="positions of prompt and answer; unset: as the checkpoint says",
    ),
    Option(name="score_eos", type="bool", default=True, help="an option ends with end-of-sequence"),
    *LOADING,
)

PRESETS: Mapping[str, Mapping[str, Json]] = {
    "v1.0-3b": {"path": "BAAI/Bunny-v1_0-3B"},
    "v1.0-llama-3-8b": {"path": "BAAI/Bunny-Llama-3-8B-V"},
    "v1.1-llama-3-8b": {"path": "BAAI/Bunny-v1_1-Llama-3-8B-V"},
}
