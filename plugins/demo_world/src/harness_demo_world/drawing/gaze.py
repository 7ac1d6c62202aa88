"""A large head that turns, with eyes that look at one of the things around it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness_demo_world.chance import between
from harness_demo_world.drawing.canvas import (
    INK,
    WHITE,
    Canvas,
    Point,
    backdrop,
    grain,
    only_painted,
    shade,
    veil,
)
from harness_demo_world.drawing.figure import hair_before, hair_behind
from harness_demo_world.drawing.things import THINGS, thing

if TYPE_CHECKING:
    import random

    from PIL import Image

    from harness_demo_world.people import Person

SIZE = 96
_APART = 32.0
_NOISE = 0.25
_STEP = 0.05
_REACH = (25.0, 62.0)


@dataclass(frozen=True, slots=True)
class GazeScene:
    """An image, and who looks where: points in shares of the image, boxes in pixels."""

    image: Image.Image
    eye: Point
    target: Point
    thing: str
    head_box: tuple[float, float, float, float]
    body_box: tuple[float, float, float, float]
    things: tuple[tuple[str, float, float], ...]


def _grid(rng: random.Random) -> Point:
    """Return a place for a thing.

    Places lie on a grid of 0.05, half a hundredth above it, so that both cutting and rounding
    to whole hundredths give a multiple of five.
    """
    low, high = 2, 18
    return (between(rng, low, high) * _STEP + 0.005, between(rng, low, high) * _STEP + 0.005)


def _between(a: float, b: float) -> float:
    """Return the angle between two directions, in degrees."""
    return abs((a - b + 180) % 360 - 180)


def _direction(start: Point, end: Point) -> float:
    return math.degrees(math.atan2(end[1] - start[1], end[0] - start[0]))


def _place(rng: random.Random) -> tuple[Point, float, Point]:
    """Return the head's centre (pixels), its radius, and the target (shares)."""
    while True:
        r = rng.uniform(14.0, 17.0)
        centre = (rng.uniform(r + 3, SIZE - r - 3), rng.uniform(r + 3, SIZE - r - 16))
        target = _grid(rng)
        distance = math.dist(centre, (target[0] * SIZE, target[1] * SIZE))
        if r + 11 <= distance and _REACH[0] <= distance <= _REACH[1]:
            return centre, r, target


def draw_gaze(who: Person, rng: random.Random, paint: bool = True) -> GazeScene:
    """Draw `who` looking at a thing, among one to three other things off the line of sight."""
    canvas = Canvas(SIZE, SIZE, paint)
    backdrop(canvas, rng)
    centre, r, target = _place(rng)
    aim = (target[0] * SIZE, target[1] * SIZE)
    way = _direction(centre, aim)
    names = rng.sample(THINGS, 4)
    others: list[Point] = []
    for _ in range(rng.randint(1, 3)):
        for _attempt in range(20):
            spot = tuple(v * SIZE for v in _grid(rng))
            point = (spot[0], spot[1])
            if (
                math.dist(point, centre) > r + 10
                and _between(_direction(centre, point), way) > _APART
                and all(math.dist(point, q) > 15 for q in (*others, aim))
            ):
                others.append(point)
                break
    wide = 1.35 * r
    canvas.box(
        centre[0] - wide, centre[1] + 1.15 * r, centre[0] + wide, SIZE + 20, who.shirt, INK, r
    )
    look = (math.cos(math.radians(way)), math.sin(math.radians(way)))
    _head(canvas, who, centre, r, look)
    for name, point in zip(names[1:], others, strict=False):
        thing(canvas, name, point, 6.0)
    thing(canvas, names[0], aim, 6.5)
    x, y = centre
    head_box = (x - 1.2 * r, y - 1.25 * r, x + 1.2 * r, y + 1.2 * r)
    body_box = (x - wide, y - 1.25 * r, 2 * wide, SIZE - (y - 1.25 * r))
    eye = ((x + 0.25 * look[0] * r) / SIZE, (y + 0.2 * look[1] * r) / SIZE)
    objects = [(names[0], *target)]
    objects += [(n, p[0] / SIZE, p[1] / SIZE) for n, p in zip(names[1:], others, strict=False)]
    veil(canvas, rng, 0.2)
    picture = grain(canvas.image(), rng, _NOISE)
    return GazeScene(picture, eye, target, names[0], head_box, body_box, tuple(objects))


@only_painted
def _head(canvas: Canvas, who: Person, centre: Point, r: float, look: Point) -> None:
    """Draw the head with its features moved towards `look`, a unit vector."""
    x, y = centre
    hair_behind(canvas, who, centre, r)
    for side in (-1, 1):
        ear = (x + side * r * (0.98 - 0.25 * side * look[0]), y + 0.05 * r)
        canvas.ellipse(ear, 0.2 * r, 0.26 * r, who.skin, INK)
    canvas.ellipse(centre, r, 1.05 * r, who.skin, INK, 1.0)
    hair_before(canvas, who, (x, y - 0.12 * r), r, look[0])
    fx, fy = x + 0.2 * r * look[0], y + 0.05 * r + 0.15 * r * look[1]
    for side in (-1, 1):
        eye = (fx + side * 0.36 * r, fy)
        canvas.ellipse(eye, 0.32 * r, 0.3 * r, WHITE, INK, 0.8)
        pupil = (eye[0] + 0.17 * r * look[0], eye[1] + 0.15 * r * look[1])
        canvas.ellipse(pupil, 0.17 * r, 0.17 * r, INK)
    root = (fx, fy + 0.28 * r)
    tip = (root[0] + 0.42 * r * look[0], root[1] + 0.34 * r * look[1])
    across = (-look[1] * 0.17 * r, look[0] * 0.17 * r)
    wings = [(root[0] + s * across[0], root[1] + s * across[1]) for s in (1, -1)]
    canvas.polygon([wings[0], tip, wings[1]], shade(who.skin, 0.8), INK)
    mouth = (fx, fy + 0.62 * r)
    canvas.line([(mouth[0] - 0.22 * r, mouth[1]), (mouth[0] + 0.22 * r, mouth[1])], 1.2, INK)
