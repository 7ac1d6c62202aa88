"""What several models do to an image before their image processor."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from PIL import Image

from harness.engine.contract import PromptError
from harness.samples.images import LoadedImage

_LONGEST, _RATIO = 20_000, 200


def check_shape(image: Image.Image) -> None:
    """Refuse an image so long or so thin that a square or a resize of it would fill the memory.

    Raises:
        ValueError: saying which limit it passes.
    """
    longer, shorter = max(image.size), min(image.size)
    if longer > _LONGEST:
        raise ValueError(f"a side is over {_LONGEST} pixels")
    if longer > _RATIO * shorter:
        raise ValueError(f"one side is over {_RATIO} times the other")


@contextmanager
def shown(image: LoadedImage) -> Iterator[Image.Image]:
    """Lend an image's pixels to a preprocessing.

    Raises:
        PromptError: when its shape, or the preprocessing, rejects it.
    """
    try:
        check_shape(image.pixels)
        yield image.pixels
    except (ValueError, ZeroDivisionError, OSError) as error:
        size = f"{image.pixels.width} x {image.pixels.height}"
        raise PromptError(
            "image_rejected", f"the preprocessing rejects an image of {size}: {error}"
        ) from None


def pad_to_square(image: Image.Image, colour: tuple[int, ...]) -> Image.Image:
    """Return an image in the middle of a square canvas of its longer side.

    An odd rest goes to the right or the bottom (``llava/mm_utils.py`` ``expand2square``).
    """
    side = max(image.size)
    if image.size == (side, side):
        return image
    canvas = Image.new(image.mode, (side, side), colour)
    canvas.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return canvas
