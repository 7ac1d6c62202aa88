"""Views: which part of an image a model is shown, and which boxes are drawn on it."""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness.errors import SampleError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.samples.images import LoadedImage
    from harness.samples.sample import Box

Corners = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class View:
    """How an image is shown: ``View()`` is the full image, unmarked.

    Attributes:
        crop: Crop to the union of the sample's boxes.
        margin: Margin round the union, as a share of its larger side.
        colours: Colours of the boxes drawn on the image, in the order of the sample's boxes;
            empty draws none.
        line: Line width, as a share of the shown image's larger side; at least one pixel.
    """

    crop: bool = False
    margin: float = 0.2
    colours: tuple[str, ...] = ()
    line: float = 0.01

    @property
    def is_full(self) -> bool:
        """Whether the image is shown as it is."""
        return not self.crop and not self.colours


def apply_view(image: LoadedImage, view: View, boxes: Sequence[Box]) -> LoadedImage:
    """Return the image as the view shows it; ``key`` then names bytes, view and boxes.

    Raises:
        SampleError: when the view needs boxes that the sample lacks or that are empty.
    """
    if view.is_full:
        return image
    if not boxes or len(boxes) < len(view.colours):
        raise SampleError("box_missing", "the view needs more boxes than the sample has")
    corners = [_inside(box, image.width, image.height) for box in boxes]
    pixels = image.pixels.copy()
    left, top = 0, 0
    if view.crop:
        left, top, right, bottom = _union(corners, view.margin, image.width, image.height)
        pixels = pixels.crop((left, top, right, bottom))
    if view.colours:
        from PIL import ImageColor, ImageDraw  # listing tasks loads this module, without pictures

        width = max(1, round(view.line * max(pixels.size)))
        draw = ImageDraw.Draw(pixels)
        for (x1, y1, x2, y2), colour in zip(corners, view.colours, strict=False):
            place = (round(x1) - left, round(y1) - top, round(x2) - left, round(y2) - top)
            draw.rectangle(place, outline=ImageColor.getrgb(colour), width=width)
    said = json.dumps([view.crop, view.margin, view.colours, view.line, corners])
    key = hashlib.sha256(f"{image.sha256}|{said}".encode()).hexdigest()
    return replace(image, pixels=pixels, key=key)


def _inside(box: Box, width: int, height: int) -> Corners:
    """Return corners in pixels, sorted and clipped to the image."""
    if not all(math.isfinite(value) for value in (box.x1, box.y1, box.x2, box.y2)):
        raise SampleError("box_empty", f"box {box.name!r} is empty or outside the image")
    across, down = (width, height) if box.unit == "relative" else (1, 1)
    x1, x2 = sorted((box.x1 * across, box.x2 * across))
    y1, y2 = sorted((box.y1 * down, box.y2 * down))
    x1, x2 = max(0.0, min(x1, width - 1)), max(0.0, min(x2, width - 1))
    y1, y2 = max(0.0, min(y1, height - 1)), max(0.0, min(y2, height - 1))
    if not (x2 > x1 and y2 > y1):
        raise SampleError("box_empty", f"box {box.name!r} is empty or outside the image")
    return x1, y1, x2, y2


def _union(
    corners: Sequence[Corners], margin: float, width: int, height: int
) -> tuple[int, int, int, int]:
    x1, y1 = min(c[0] for c in corners), min(c[1] for c in corners)
    x2, y2 = max(c[2] for c in corners), max(c[3] for c in corners)
    pad = margin * max(x2 - x1, y2 - y1)
    return (
        max(0, int(x1 - pad)),
        max(0, int(y1 - pad)),
        min(width, int(x2 + pad) + 1),
        min(height, int(y2 + pad) + 1),
    )
