"""What several models do to a picture before their processor."""

from __future__ import annotations

from PIL import Image


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
