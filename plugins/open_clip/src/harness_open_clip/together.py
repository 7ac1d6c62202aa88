"""Checks, when a model is loaded, whether a batch changes what it says of an image or a text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import torch
from harness.engine.self_check import TOLERANCE
from harness.samples.images import LoadedImage
from PIL import Image
from torch import Tensor

if TYPE_CHECKING:
    from harness_open_clip.encoders import LoadedEncoder

TEXTS = ("a person", "a photo of two people who talk", "one photo")
"""Texts of different lengths, so that all but one are padded in a batch."""
_SHAPES = ((48, 64), (60, 40), (50, 50))  # of the images of noise

Item = TypeVar("Item")


def noise(height: int, width: int) -> LoadedImage:
    """Return an image of noise, the same at each call."""
    values = torch.rand((height, width, 3), generator=torch.Generator().manual_seed(0)) * 255
    pixels = Image.fromarray(values.byte().numpy())
    return LoadedImage(pixels, "", "", width, height)


def difference(encode: Callable[[Sequence[Any]], Tensor], items: Sequence[Item]) -> float:
    """Return by how much a number (N, D) of N items differs, read together and one by one."""
    apart = torch.cat([encode([item]) for item in items])
    return float((encode(items) - apart).abs().max())


def tolerance(dtype: str) -> float:
    """Return the difference that rounding explains."""
    return TOLERANCE.get(dtype, max(TOLERANCE.values()))


@torch.inference_mode()
def vectors_differ(encoder: LoadedEncoder) -> dict[str, float]:
    """Return of ``images`` and ``texts`` those whose vectors a batch changes, and by how much.

    A difference that rounding explains is none.

    Args:
        encoder: The encoder, on its device.
    """
    normalize = torch.nn.functional.normalize
    texts = [text for text in TEXTS if not encoder.excess(text)]
    pixels = [encoder.prepare(noise(*shape).pixels) for shape in _SHAPES]
    differences = {
        "images": difference(lambda some: normalize(encoder.images(some).float(), dim=-1), pixels),
    }
    if texts:
        differences["texts"] = difference(
            lambda some: normalize(encoder.texts(some).float(), dim=-1), texts
        )
    # Negated, so that NaN counts as a difference.
    allowed = tolerance(encoder.dtype)
    return {side: value for side, value in differences.items() if not value <= allowed}
