"""What several models do to a picture before their processor."""

from __future__ import annotations

from PIL import Image

_LONGEST, _RATIO = 20_000, 200


def check_shape(image: Image.Image) -> None:
    """Refuse a picture so long or so thin that a square or a resize of it would fill the memory.

    Raises:
        ValueError: saying which limit it passes.
    """
    longer, shorter = max(image.size), min(image.size)
    if longer > _LONGEST:
        raise ValueError(f"a side is over {_LONGEST} pixels")
    if longer > _RATIO * shorter:
        raise ValueError(f"one side is over {_RATIO} times the other")


def pad_to_square(image: Image.Image, colour: tuple[int, ...]) -> Image.Image:
    """Return a picture in the middle of a square canvas of its longer side.

    An odd rest goes to the right or the bottom (``llava/mm_utils.py`` ``expand2square``).
    """
    side = max(image.size)
    if image.size == (side, side):
        return image
    canvas = Image.new(image.mode, (side, side), colour)
    canvas.paste(image, ((side - image.width) // 2, (side - image.height) // 2))
    return canvas
