"""A person who makes a hand gesture in front of the camera."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness_demo_world.drawing.canvas import (
    INK,
    Canvas,
    Frame,
    Point,
    backdrop,
    grain,
    only_painted,
    veil,
)
from harness_demo_world.drawing.figure import hair_behind, head
from harness_demo_world.drawing.hands import GESTURES, TWO_HANDED, Shape, hand, two_hands

if TYPE_CHECKING:
    import random

    from PIL import Image

    from harness_demo_world.people import Person

SIZE = 96
_NOISE = 0.2

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class GestureScene:
    """An image and its hand boxes, (x, y, width, height) in pixels."""

    image: Image.Image
    boxes: tuple[Box, ...]
    labels: tuple[str, ...]
    united: Box | None


def _box(centre: Point, half_width: float, half_height: float) -> Box:
    x1, y1 = max(0.0, centre[0] - half_width), max(0.0, centre[1] - half_height)
    x2, y2 = min(SIZE, centre[0] + half_width), min(SIZE, centre[1] + half_height)
    return (x1, y1, x2 - x1, y2 - y1)


def _seen(canvas: Canvas, rng: random.Random) -> Image.Image:
    """Return the finished image behind noise and, sometimes, something that hides a part."""
    veil(canvas, rng)
    return grain(canvas.image(), rng, _NOISE)


@only_painted
def _shoulders(canvas: Canvas, who: Person, x: float, y: float, r: float) -> None:
    """Draw the upper body below a head of radius `r` at (x, y)."""
    canvas.box(x - 0.4 * r, y + 0.7 * r, x + 0.4 * r, y + 1.6 * r, who.skin, INK, 0.2 * r, 0.8)
    canvas.box(x - 1.75 * r, y + 1.35 * r, x + 1.75 * r, SIZE + 20, who.shirt, INK, 0.8 * r, 0.8)


def draw_gesture(who: Person, gesture: str, rng: random.Random, paint: bool = True) -> GestureScene:
    """Draw `who` making the gesture; hands are of a size that lets fingers be counted with care."""
    canvas = Canvas(SIZE, SIZE, paint)
    backdrop(canvas, rng)
    if gesture == "mute":
        return _mute(canvas, who, rng)
    if gesture == "no_gesture":
        return _idle(canvas, who, rng)
    if gesture in TWO_HANDED:
        return _both(canvas, who, gesture, rng)
    side = rng.choice((-1, 1))
    x, r = 48 - side * rng.uniform(12, 24), rng.uniform(10, 14)
    y = rng.uniform(16, 34)
    _shoulders(canvas, who, x, y, r)
    head(canvas, who, (x, y), r)
    shape = GESTURES[gesture]
    unit = rng.uniform(9.6, 12.4)
    centre = (48 + side * rng.uniform(8, 20), rng.uniform(50, 64))
    turn = shape.turn
    if turn == 180.0:
        centre = (centre[0], centre[1] - 10)
    mirror = side < 0
    if turn == 90.0:
        # The hand points across the image, so that fingers and thumb stay inside it.
        mirror = rng.random() < 0.5
        turn = -90.0 if mirror else 90.0
        centre = (48 + (-1 if not mirror else 1) * rng.uniform(4, 12), centre[1])
    if shape.special == "side":
        # The thumb points along the local x axis: turn it up (like) or down (dislike).
        turn = (90.0 if not mirror else -90.0) * (1 if shape.turn == 0 else -1)
        centre = (centre[0], min(62.0, max(36.0, centre[1])))
    frame = Frame(centre, unit, turn + rng.uniform(-16, 16), mirror)
    hand(canvas, frame, shape, who.skin, who.shirt, 6.0)
    middle = frame.at(0, 0.8)
    box = _box(middle, 2.1 * unit, 2.1 * unit)
    return GestureScene(_seen(canvas, rng), (box,), (gesture,), None)


def _mute(canvas: Canvas, who: Person, rng: random.Random) -> GestureScene:
    """Draw a finger laid on the lips."""
    x, y, r = rng.uniform(36, 60), rng.uniform(28, 38), rng.uniform(19, 23)
    _shoulders(canvas, who, x, y, r)
    head(canvas, who, (x, y), r)
    unit = rng.uniform(8.8, 10.8)
    frame = Frame((x + 0.4 * unit, y + 0.5 * r + 2.1 * unit), unit, rng.uniform(-9, 9))
    hand(canvas, frame, Shape("i", "fold"), who.skin, who.shirt, 5.0)
    box = _box(frame.at(0, 0.6), 1.4 * unit, 2.0 * unit)
    return GestureScene(_seen(canvas, rng), (box,), ("mute",), None)


def _idle(canvas: Canvas, who: Person, rng: random.Random) -> GestureScene:
    """Draw a person whose arms hang down."""
    x, y, r = rng.uniform(34, 62), rng.uniform(20, 32), rng.uniform(11, 15)
    _shoulders(canvas, who, x, y, r)
    hair_behind(canvas, who, (x, y), r)
    head(canvas, who, (x, y), r)
    boxes: list[Box] = []
    for side in (-1, 1):
        wrist = (x + side * 2.0 * r, rng.uniform(78, 88))
        canvas.limb([(x + side * 1.6 * r, y + 1.9 * r), wrist], 0.62 * r, who.shirt)
        canvas.ellipse((wrist[0], wrist[1] + 3), 0.36 * r, 0.46 * r, who.skin, INK, 0.8)
        boxes.append(_box(wrist, 6, 8))
    return GestureScene(_seen(canvas, rng), tuple(boxes), ("no_gesture", "no_gesture"), None)


def _both(canvas: Canvas, who: Person, gesture: str, rng: random.Random) -> GestureScene:
    x, y, r = rng.uniform(38, 58), rng.uniform(12, 20), rng.uniform(9, 12)
    _shoulders(canvas, who, x, y, r)
    head(canvas, who, (x, y), r)
    unit = rng.uniform(9.4, 12.0)
    centre = (rng.uniform(43, 53), rng.uniform(55, 64))
    two_hands(canvas, gesture, centre, unit, who.skin, who.shirt)
    halves = tuple(
        _box((centre[0] + s * 1.3 * unit, centre[1]), 1.6 * unit, 2.6 * unit) for s in (-1, 1)
    )
    united = _box(centre, 2.9 * unit, 2.6 * unit)
    return GestureScene(_seen(canvas, rng), halves, (gesture, gesture), united)
