"""A drawing surface in output pixels that is drawn at twice the size and then reduced."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, TypeVar, cast

from PIL import Image, ImageDraw

from harness_demo_world.chance import between

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

Colour = tuple[int, int, int]
Point = tuple[float, float]

INK: Colour = (38, 30, 34)
WHITE: Colour = (250, 250, 248)
_SCALE = 2
_GRAIN = 48
_NOTHING = Image.new("RGB", (1, 1), WHITE)
_NO_PEN = ImageDraw.Draw(_NOTHING)
"""What every unpainted canvas has in place of an image, and of what draws on it."""


def shade(colour: Colour, factor: float) -> Colour:
    """Return `colour` made darker (factor < 1) or lighter (factor > 1)."""
    if factor <= 1:
        return (round(colour[0] * factor), round(colour[1] * factor), round(colour[2] * factor))
    t = min(1.0, factor - 1)
    return mix(colour, (255, 255, 255), t)


def mix(first: Colour, second: Colour, t: float) -> Colour:
    """Return the colour a share `t` of the way from `first` to `second`."""
    a, b, c = (round(x + (y - x) * t) for x, y in zip(first, second, strict=True))
    return (a, b, c)


class Canvas:
    """An RGB surface of `width` x `height` output pixels; coordinates may be fractions.

    With `paint` off nothing is drawn: code that only needs positions goes through
    the same code, so annotations agree with images.
    """

    def __init__(self, width: int, height: int, paint: bool = True) -> None:
        self.width, self.height, self.paint = width, height, paint
        self._image, self._draw = _NOTHING, _NO_PEN
        if paint:
            self._image = Image.new("RGB", (width * _SCALE, height * _SCALE), WHITE)
            self._draw = ImageDraw.Draw(self._image)

    def image(self) -> Image.Image:
        """Return the image at output size (one pixel when nothing was painted)."""
        return self._image.reduce(_SCALE) if self.paint else self._image

    def gradient(self, top: Colour, bottom: Colour, left: float = 0, right: float = -1) -> None:
        """Fill the columns from `left` to `right` with a vertical gradient."""
        if not self.paint:
            return
        right = self.width if right < 0 else right
        column = Image.new("RGB", (1, 2))
        column.putpixel((0, 0), top)
        column.putpixel((0, 1), bottom)
        wide, high = round((right - left) * _SCALE), self._image.height
        # All columns are alike, so that one is blended and the others are its copies.
        blended = column.resize((1, high), Image.Resampling.BILINEAR)
        patch = blended.resize((wide, high), Image.Resampling.NEAREST)
        self._image.paste(patch, (round(left * _SCALE), 0))

    def ellipse(
        self,
        centre: Point,
        rx: float,
        ry: float,
        fill: Colour | None,
        outline: Colour | None = None,
        width: float = 1.0,
    ) -> None:
        """Draw an upright ellipse."""
        if not self.paint:
            return
        x, y = centre[0] * _SCALE, centre[1] * _SCALE
        a, b = rx * _SCALE, ry * _SCALE
        if a > 0 and b > 0:
            pen = max(1, round(width * _SCALE))
            self._draw.ellipse((x - a, y - b, x + a, y + b), fill, outline, pen)

    def arc(
        self, centre: Point, rx: float, ry: float, start: float, end: float,
        colour: Colour, width: float = 1.0,
    ) -> None:  # fmt: skip
        """Draw an arc from `start` to `end` degrees, clockwise from three o'clock."""
        if not self.paint:
            return
        x, y = centre[0] * _SCALE, centre[1] * _SCALE
        a, b = rx * _SCALE, ry * _SCALE
        self._draw.arc((x - a, y - b, x + a, y + b), start, end, colour, round(width * _SCALE))

    def pie(
        self, centre: Point, rx: float, ry: float, start: float, end: float, fill: Colour
    ) -> None:
        """Draw the part of an ellipse that a chord cuts off, from `start` to `end` degrees."""
        if not self.paint:
            return
        x, y = centre[0] * _SCALE, centre[1] * _SCALE
        a, b = rx * _SCALE, ry * _SCALE
        self._draw.chord((x - a, y - b, x + a, y + b), start, end, fill)

    def polygon(
        self, points: Sequence[Point], fill: Colour | None, outline: Colour | None = None,
        width: float = 1.0,
    ) -> None:  # fmt: skip
        """Draw a closed polygon."""
        if not self.paint:
            return
        scaled = [(x * _SCALE, y * _SCALE) for x, y in points]
        self._draw.polygon(scaled, fill, outline, max(1, round(width * _SCALE)))

    def box(
        self, left: float, top: float, right: float, bottom: float, fill: Colour | None,
        outline: Colour | None = None, radius: float = 0.0, width: float = 1.0,
    ) -> None:  # fmt: skip
        """Draw an upright rectangle with rounded corners."""
        if not self.paint:
            return
        corners = tuple(v * _SCALE for v in (left, top, right, bottom))
        pen = max(1, round(width * _SCALE))
        self._draw.rounded_rectangle(corners, radius * _SCALE, fill, outline, pen)

    def line(self, points: Sequence[Point], width: float, colour: Colour) -> None:
        """Draw a line with round ends and joints."""
        if not self.paint:
            return
        scaled = [(x * _SCALE, y * _SCALE) for x, y in points]
        pen = max(1, round(width * _SCALE))
        self._draw.line(scaled, colour, pen)
        radius = pen / 2
        if pen > 2:
            for x, y in scaled:
                self._draw.ellipse((x - radius, y - radius, x + radius, y + radius), colour)

    def limb(
        self, points: Sequence[Point], width: float, colour: Colour, edge: Colour = INK,
        rim: float = 0.9,
    ) -> None:  # fmt: skip
        """Draw a line with an outline."""
        self.line(points, width + 2 * rim, edge)
        self.line(points, width, colour)


Drawing = TypeVar("Drawing", bound="Callable[..., None]")


def only_painted(draw: Drawing) -> Drawing:
    """Return a function that draws, and computes nothing where the canvas is not painted.

    It must leave nothing to chance: what is drawn by chance later must not depend on the paint.
    """

    @wraps(draw)
    def drawn(canvas: Canvas, *arguments: object, **named: object) -> None:
        if canvas.paint:
            draw(canvas, *arguments, **named)

    return cast("Drawing", drawn)


@dataclass(frozen=True, slots=True)
class Frame:
    """A local coordinate system: y points up the limb, one unit is `scale` pixels."""

    centre: Point
    scale: float
    angle: float = 0.0
    mirror: bool = False

    def at(self, x: float, y: float) -> Point:
        """Return the image position of the local point (x to the right, y upwards)."""
        if self.mirror:
            x = -x
        turn = math.radians(self.angle)
        u = x * math.cos(turn) + y * math.sin(turn)
        v = x * math.sin(turn) - y * math.cos(turn)
        return (self.centre[0] + self.scale * u, self.centre[1] + self.scale * v)

    def ray(self, start: Point, degrees: float, length: float) -> Point:
        """Return the local point `length` away from `start`, `degrees` clockwise from up."""
        turn = math.radians(degrees)
        return (start[0] + length * math.sin(turn), start[1] + length * math.cos(turn))


def tint_between(rng: random.Random, low: int, high: int) -> Colour:
    """Return a colour by chance, each part of it from `low` to `high`."""
    return (between(rng, low, high), between(rng, low, high), between(rng, low, high))


def backdrop(canvas: Canvas, rng: random.Random, left: float = 0, right: float = -1) -> None:
    """Fill a span of the image with a pale wall and a few things that mean nothing."""
    right = canvas.width if right < 0 else right
    top, bottom = tint_between(rng, 165, 240), tint_between(rng, 165, 240)
    canvas.gradient(top, bottom, left, right)
    span, height = right - left, canvas.height
    for _ in range(between(rng, 0, 3)):
        tint = mix(top, tint_between(rng, 90, 255), 0.35)
        x, y = left + rng.random() * span, rng.random() * height
        w, h = span * rng.uniform(0.08, 0.3), height * rng.uniform(0.08, 0.3)
        shape = rng.randrange(3)
        x0, x1 = max(left, x - w / 2), min(right - 1, x + w / 2)
        if x1 - x0 < 3:
            continue
        if shape == 0:
            canvas.box(x0, y - h / 2, x1, y + h / 2, tint)
        elif shape == 1:
            canvas.ellipse(((x0 + x1) / 2, y), (x1 - x0) / 2, h / 2, tint)
        else:
            canvas.polygon([(x0, y + h / 2), (x1, y + h / 2), ((x0 + x1) / 2, y - h / 2)], tint)


def grain(image: Image.Image, rng: random.Random, most: float = 0.12) -> Image.Image:
    """Return the image with a share (up to `most`) of coarse noise mixed in."""
    share = rng.uniform(0.0, most)
    size = 3 * _GRAIN * _GRAIN
    noise = rng.getrandbits(8 * size)
    if image is _NOTHING:
        return image
    specks = Image.frombytes("RGB", (_GRAIN, _GRAIN), noise.to_bytes(size, "little"))
    return Image.blend(image, specks.resize(image.size, Image.Resampling.BILINEAR), share)


def veil(canvas: Canvas, rng: random.Random, chance: float = 0.3) -> None:
    """Draw, with some chance, a blurred thing before the camera that hides a part."""
    is_drawn, size = rng.random() < chance, min(canvas.width, canvas.height)
    x, y = rng.uniform(0, canvas.width), rng.uniform(0.2, 1.0) * canvas.height
    tint = tint_between(rng, 90, 220)
    r = rng.uniform(0.09, 0.17) * size
    if is_drawn:
        canvas.ellipse((x, y), r, 0.8 * r, tint)
