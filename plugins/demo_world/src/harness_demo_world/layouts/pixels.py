"""Images as JPEG bytes, written the same way everywhere."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

QUALITY = 92


def jpeg(image: Image.Image) -> bytes:
    """Return an image as JPEG bytes, colours at full resolution."""
    memory = io.BytesIO()
    image.save(memory, "JPEG", quality=QUALITY, subsampling=0)
    return memory.getvalue()
