"""Perturbations of one image and its boxes, at levels 1 to 5.

Those of ImageNet-C (Hendrycks and Dietterich 2019) have its parameters: noise, blur, JPEG,
brightness, contrast, pixels. The others are this project's. Each is a
:class:`harness.samples.perturbed.Perturbation`.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence

import numpy as np
from harness.samples.views import Corners
from PIL import Image, ImageDraw, ImageFilter, ImageOps

Shown = tuple[Image.Image, Sequence[Corners]]
Pixels = Callable[[Image.Image, int, np.random.Generator], Image.Image]
Perturbation = Callable[[Image.Image, Sequence[Corners], int, np.random.Generator], Shown]

NOISE = (0.08, 0.12, 0.18, 0.26, 0.38)
BLUR = (1, 2, 3, 4, 6)
JPEG = (25, 18, 15, 10, 7)
BRIGHTNESS = (0.1, 0.2, 0.3, 0.4, 0.5)
CONTRAST = (0.4, 0.3, 0.2, 0.1, 0.05)
PIXELATE = (0.6, 0.5, 0.4, 0.3, 0.25)
CROP = (0.9, 0.8, 0.7, 0.6, 0.5)
PATCHES = (2, 3, 4, 6, 8)
BACKGROUND_BLUR = (2, 4, 8, 16, 32)
_GREY = (127, 127, 127)


def in_place(change: Pixels) -> Perturbation:
    """Return a perturbation that leaves everything where it is."""

    def show(
        image: Image.Image, boxes: Sequence[Corners], level: int, random: np.random.Generator
    ) -> Shown:
        return change(image, level, random), boxes

    show.__doc__ = change.__doc__
    return show


@in_place
def noise(image: Image.Image, level: int, random: np.random.Generator) -> Image.Image:
    """Add normal noise to each value."""
    values = np.asarray(image, dtype=np.float64) / 255
    return _image(values + random.normal(scale=NOISE[level - 1], size=values.shape))


@in_place
def blur(image: Image.Image, level: int, random: np.random.Generator) -> Image.Image:
    """Blur by a Gaussian."""
    del random
    return image.filter(ImageFilter.GaussianBlur(BLUR[level - 1]))


@in_place
def jpeg(image: Image.Image, level: int, random: np.random.Generator) -> Image.Image:
    """Compress as JPEG, and open again."""
    del random
    encoded = io.BytesIO()
    image.save(encoded, "JPEG", quality=JPEG[level - 1])
    with Image.open(encoded) as opened:
        return opened.convert("RGB")


@in_place
def brightness(image: Image.Image, level: int, random: np.random.Generator) -> Image.Image:
    """Add to the value of HSV."""
    del random
    values = np.asarray(image, dtype=np.float64) / 255
    # Hue and saturation stay where every value grows as the greatest does.
    greatest = values.max(axis=-1, keepdims=True)
    raised = np.clip(greatest + BRIGHTNESS[level - 1], 0, 1)
    factor = np.divide(raised, greatest, out=np.zeros_like(raised), where=greatest > 0)
    return _image(np.where(greatest > 0, values * factor, raised))


@in_place
def contrast(image: Image.Image, level: int, random: np.random.Generator) -> Image.Image:
    """Draw each colour towards its mean."""
    del random
    values = np.asarray(image, dtype=np.float64) / 255
    middle = values.mean(axis=(0, 1), keepdims=True)
    return _image((values - middle) * CONTRAST[level - 1] + middle)


@in_place
def pixelate(image: Image.Image, level: int, random: np.random.Generator) -> Image.Image:
    """Make the image small by boxes, and large again."""
    del random
    share = PIXELATE[level - 1]
    small = max(1, int(image.width * share)), max(1, int(image.height * share))
    small_image = image.resize(small, Image.Resampling.BOX)
    return small_image.resize(image.size, Image.Resampling.NEAREST)


def crop(
    image: Image.Image, boxes: Sequence[Corners], level: int, random: np.random.Generator
) -> Shown:
    """Cut out a part at random, of the same shape; boxes move with it."""
    share = CROP[level - 1]
    width, height = max(1, round(image.width * share)), max(1, round(image.height * share))
    left = int(random.integers(0, image.width - width + 1))
    top = int(random.integers(0, image.height - height + 1))
    moved = [(x1 - left, y1 - top, x2 - left, y2 - top) for x1, y1, x2, y2 in boxes]
    return image.crop((left, top, left + width, top + height)), moved


def patches(
    image: Image.Image, boxes: Sequence[Corners], level: int, random: np.random.Generator
) -> Shown:
    """Put the patches of a grid in another order; what does not divide is left at the edge.

    Each box has a grid of its own, and the image has one where there is no box: what a box marks,
    or a view cuts out, keeps its pixels.
    """
    shuffled = image.copy()
    for left, top, right, bottom in _pixels(image, boxes) or [(0, 0, image.width, image.height)]:
        _shuffle(shuffled, (left, top, right, bottom), PATCHES[level - 1], random)
    return shuffled, boxes


def _shuffle(
    image: Image.Image, area: tuple[int, int, int, int], side: int, random: np.random.Generator
) -> None:
    """Put the patches of an area, ``side`` by ``side``, in another order."""
    left, top, right, bottom = area
    width, height = (right - left) // side, (bottom - top) // side
    if not width or not height:
        return
    cells = [
        (left + column * width, top + row * height) for row in range(side) for column in range(side)
    ]
    before = image.copy()
    for cell, source in zip(cells, random.permutation(len(cells)), strict=True):
        x, y = cells[int(source)]
        image.paste(before.crop((x, y, x + width, y + height)), cell)


@in_place
def grey(image: Image.Image, level: int, random: np.random.Generator) -> Image.Image:
    """Take the colour away (ITU-R 601-2)."""
    del level, random
    return image.convert("L").convert("RGB")


def flip(
    image: Image.Image, boxes: Sequence[Corners], level: int, random: np.random.Generator
) -> Shown:
    """Exchange left and right, of boxes too."""
    del level, random
    width = image.width
    # A corner on the last column stands for the image's edge, as in `_pixels`.
    moved = [
        (0.0 if x2 >= width - 1 else width - x2, y1, width - x1, y2) for x1, y1, x2, y2 in boxes
    ]
    return ImageOps.mirror(image), moved


def background_blur(
    image: Image.Image, boxes: Sequence[Corners], level: int, random: np.random.Generator
) -> Shown:
    """Blur what is outside the sample's boxes."""
    del random
    blurred = image.filter(ImageFilter.GaussianBlur(BACKGROUND_BLUR[level - 1]))
    return Image.composite(image, blurred, _inside(image, boxes)), boxes


def no_background(
    image: Image.Image, boxes: Sequence[Corners], level: int, random: np.random.Generator
) -> Shown:
    """Paint what is outside the sample's boxes grey."""
    del level, random
    paper = Image.new("RGB", image.size, _GREY)
    return Image.composite(image, paper, _inside(image, boxes)), boxes


def no_person(
    image: Image.Image, boxes: Sequence[Corners], level: int, random: np.random.Generator
) -> Shown:
    """Paint the sample's boxes grey: what remains is the background."""
    del level, random
    paper = Image.new("RGB", image.size, _GREY)
    return Image.composite(paper, image, _inside(image, boxes)), boxes


def _inside(image: Image.Image, boxes: Sequence[Corners]) -> Image.Image:
    """Return a mask that is white within boxes; a pixel that a box touches is within it."""
    mask = Image.new("L", image.size, 0)
    draw = ImageDraw.Draw(mask)
    for left, top, right, bottom in _pixels(image, boxes):
        draw.rectangle((left, top, right - 1, bottom - 1), fill=255)
    return mask


def _pixels(image: Image.Image, boxes: Sequence[Corners]) -> list[tuple[int, int, int, int]]:
    """Return the pixels that boxes touch: from the first corner up to the second.

    Corners come clipped to the last column and row; one there stands for the image's edge.
    """
    width, height = image.size
    return [
        (
            int(x1),
            int(y1),
            width if x2 >= width - 1 else int(np.ceil(x2)),
            height if y2 >= height - 1 else int(np.ceil(y2)),
        )
        for x1, y1, x2, y2 in boxes
    ]


def _image(values: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> Image.Image:
    """Return an image of values from 0 to 1; others are cut."""
    return Image.fromarray(np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8), "RGB")
