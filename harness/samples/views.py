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

_SLACK = 0.1  # of a box's larger side; annotators mark an eye at the edge of a head in profile
_QUARTER = 5  # EXIF orientations from here on turn by a quarter
SCALED = "boxes scaled to images of another size than the release's"
BEYOND = "boxes that reach beyond their image"
MISSES = "boxes that miss the point they are said to hold (copies of another size, or odd marks)"
INVERTED = "boxes whose second corner is above or left of the first, sorted (x, y, width, height?)"
SAME = "samples in which two boxes are the same"
TURNED = "boxes on images that EXIF turned, annotated either way"


@dataclass(frozen=True, slots=True)
class View:
    """How an image is shown: ``View()`` is the full image, unmarked.

    Attributes:
        crop: Crop to the union of the sample's boxes.
        margin: Margin round the union, as a share of its larger side.
        colours: Colours of the boxes drawn on the image, in the order of the sample's boxes;
            empty draws none.
        line: Line width, as a share of the shown image's larger side; at least one pixel.
        perturbed: Kind and level of a perturbation, which comes first.
    """

    crop: bool = False
    margin: float = 0.2
    colours: tuple[str, ...] = ()
    line: float = 0.01
    perturbed: tuple[str, int] | None = None

    @property
    def is_full(self) -> bool:
        """Whether the image is shown as it is."""
        return not self.crop and not self.colours


def apply_view(image: LoadedImage, view: View, boxes: Sequence[Box]) -> LoadedImage:
    """Return the image as the view shows it; ``key`` then names bytes, view and boxes.

    ``notes`` count the boxes that were scaled to a copy of another size, that reach beyond the
    image, that miss the point they are said to hold, that are inverted or all the same, or whose
    image was turned by its EXIF orientation with nothing to tell whether the annotators saw it so.

    Raises:
        SampleError: when the view needs boxes that the sample lacks, that are empty, or that were
            marked on an image of another shape.
    """
    if view.is_full:
        return image
    if not boxes or len(boxes) < len(view.colours):
        raise SampleError("box_missing", "the view needs more boxes than the sample has")
    corners, notes = placed(image, boxes)
    pixels = image.pixels.copy()
    left, top = 0, 0
    if view.crop:
        left, top, right, bottom = _union(corners, view.margin, image.width, image.height)
        pixels = pixels.crop((left, top, right, bottom))
    if view.colours:
        from PIL import ImageColor, ImageDraw  # imported late: listing tasks loads this module

        width = max(1, round(view.line * max(pixels.size)))
        draw = ImageDraw.Draw(pixels)
        for (x1, y1, x2, y2), colour in zip(corners, view.colours, strict=False):
            outline = (round(x1) - left, round(y1) - top, round(x2) - left, round(y2) - top)
            draw.rectangle(outline, outline=ImageColor.getrgb(colour), width=width)
    view_key = json.dumps([view.crop, view.margin, view.colours, view.line, corners])
    key = hashlib.sha256(f"{image.sha256}|{view_key}".encode()).hexdigest()
    return replace(image, pixels=pixels, key=key, notes=notes)


def placed(image: LoadedImage, boxes: Sequence[Box]) -> tuple[list[Corners], dict[str, int]]:
    """Return where boxes lie on an image, in its pixels, and what is to be said of them.

    Raises:
        SampleError: a box that is empty or no larger than a pixel, or was marked on an image of
            another shape.
    """
    notes: dict[str, int] = {}
    corners = [_inside(box, image, notes) for box in boxes]
    if len(boxes) > len({(box.x1, box.y1, box.x2, box.y2) for box in boxes}):
        _note(notes, SAME)
    return corners, notes


def _inside(box: Box, image: LoadedImage, notes: dict[str, int]) -> Corners:
    """Return corners in pixels of the image at hand, sorted and clipped to it."""
    empty = SampleError("box_empty", f"box {box.name!r} is empty or outside the image")
    if not all(math.isfinite(value) for value in (box.x1, box.y1, box.x2, box.y2)):
        raise empty
    width, height = image.width, image.height
    if box.unit == "pixel" and max(abs(box.x2 - box.x1), abs(box.y2 - box.y1)) <= 1:
        reason = f"box {box.name!r} is no larger than a pixel; are its corners shares of the image?"
        raise SampleError("box_empty", reason)
    if box.x2 < box.x1 or box.y2 < box.y1:
        _note(notes, INVERTED)
    across, down = _scale(box, image, notes)
    x1, x2 = sorted((box.x1 * across, box.x2 * across))
    y1, y2 = sorted((box.y1 * down, box.y2 * down))
    # A pixel is what rounding may do.
    if min(x1, y1) < -1 or x2 > width + 1 or y2 > height + 1:
        _note(notes, BEYOND)
    if box.holds is not None and box.unit == "pixel":
        x, y = box.holds[0] * width, box.holds[1] * height
        slack = _SLACK * max(x2 - x1, y2 - y1)
        if not (x1 - slack <= x <= x2 + slack and y1 - slack <= y <= y2 + slack):
            _note(notes, MISSES)
    x1, x2 = max(0.0, min(x1, width - 1)), max(0.0, min(x2, width - 1))
    y1, y2 = max(0.0, min(y1, height - 1)), max(0.0, min(y2, height - 1))
    if not (x2 > x1 and y2 > y1):
        raise empty
    return x1, y1, x2, y2


def _scale(box: Box, image: LoadedImage, notes: dict[str, int]) -> tuple[float, float]:
    """Return what a box's corners are multiplied by, across and down.

    Raises:
        SampleError: the box was marked on an image of another shape.
    """
    size = image.width, image.height
    as_stored = size[::-1] if image.orientation >= _QUARTER else size
    orientation_known = False
    across, down = (float(size[0]), float(size[1])) if box.unit == "relative" else (1.0, 1.0)
    if box.unit == "pixel" and box.size is not None:
        if not _same_shape(box.size, size):
            unseen = image.orientation > 1 and _same_shape(box.size, as_stored)
            raise SampleError(
                "box_of_other_image",
                f"box {box.name!r} was marked on an image of {box.size[0]} x {box.size[1]}, this "
                f"one is {size[0]} x {size[1]}"
                + (": its EXIF orientation turns it, which the annotators did not see" * unseen),
            )
        across, down = size[0] / box.size[0], size[1] / box.size[1]
        if box.size != size:
            _note(notes, SCALED)
        orientation_known = not _same_shape(box.size, as_stored)
    if image.orientation > 1 and not orientation_known:
        _note(notes, TURNED)
    return across, down


def _same_shape(marked: tuple[int, int], image: tuple[int, int]) -> bool:
    """Whether one size is the other times some factor, each side off by a pixel at most."""
    if min(marked) < 1:
        return False
    (low_x, high_x), (low_y, high_y) = (
        ((side - 1) / whole, (side + 1) / whole) for side, whole in zip(image, marked, strict=True)
    )
    return low_x <= high_y and low_y <= high_x


def _note(notes: dict[str, int], note: str) -> None:
    notes[note] = notes.get(note, 0) + 1


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
