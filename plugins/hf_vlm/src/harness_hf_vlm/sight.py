"""The vision tower inside a transformers model, run on images and no further."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from harness.errors import UserError
from harness.requests import Turn
from harness.samples.images import LoadedImage
from torch import nn

from harness_hf_vlm.chats import to_device
from harness_hf_vlm.loading import Loaded

NAMES = ("vision_tower", "vision_model", "visual", "vision_encoder")
"""What transformers' families call their tower."""

Run = Callable[[Sequence[LoadedImage]], object]


class _Seen(Exception):
    """The tower has said all there is to hear."""


def tower(loaded: Loaded) -> tuple[nn.Module, Run]:
    """Return a model's tower, and what runs it on images, each with an empty question.

    Raises:
        UserError: the model has no module under one of :data:`NAMES`.
    """
    vision_module = next(
        (
            module
            for name, module in loaded.model.named_modules()
            if name.rpartition(".")[2] in NAMES
        ),
        None,
    )
    if vision_module is None:
        raise UserError(
            f"{type(loaded.model).__name__} has no vision tower that the plugin can find"
        )

    def stop(*_: object) -> None:
        raise _Seen

    def run(images: Sequence[LoadedImage]) -> None:
        for image in images:
            text = loaded.chats.render((Turn("user", "", (image,)),))
            inputs = to_device(loaded.chats.inputs(text, [image]), loaded.model)
            handle = vision_module.register_forward_hook(stop)
            try:
                loaded.model(**inputs)
            except _Seen:
                pass
            finally:
                handle.remove()

    return vision_module, run
