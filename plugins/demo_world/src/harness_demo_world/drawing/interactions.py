"""Pairs who do something together, side by side in a stitched frame as in JRDB-Social."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from harness_demo_world.drawing import props
from harness_demo_world.drawing.canvas import Canvas, Colour, backdrop, grain, veil
from harness_demo_world.drawing.figure import Pose, body
from harness_demo_world.people import Person

if TYPE_CHECKING:
    import random
    from collections.abc import Sequence

    from PIL import Image

INTERACTIONS = (
    "walking together",
    "sitting together",
    "cycling together",
    "shaking hand",
    "hugging",
    "holding sth together",
    "pointing at sth together",
    "waving hand together",
)
"""The drawn ones among JRDB-Social's names."""

HEIGHT = 128
CELL = 128
_NOISE = 0.3

Box = tuple[float, float, float, float]
Pair = tuple[Person, Person, str]


@dataclass(frozen=True, slots=True)
class StitchedScene:
    """A frame and, for each pair, the boxes (x1, y1, x2, y2) in pixels of its two people."""

    image: Image.Image
    boxes: tuple[tuple[Box, Box], ...]


def draw_frame(pairs: Sequence[Pair], rng: random.Random, paint: bool = True) -> StitchedScene:
    """Draw two to four pairs side by side, each in an own stretch of the panorama."""
    canvas = Canvas(CELL * len(pairs), HEIGHT, paint)
    boxes = []
    for column, (first, second, name) in enumerate(pairs):
        left = column * CELL
        backdrop(canvas, rng, left, left + CELL)
        floor: Colour = (rng.randint(120, 190), rng.randint(120, 180), rng.randint(110, 170))
        ground = rng.uniform(112, 120)
        canvas.box(left, ground - 9, left + CELL - 1, HEIGHT + 4, floor)
        boxes.append(_pair(canvas, first, second, name, (left + CELL / 2, ground), rng))
    for _ in pairs:
        veil(canvas, rng, 0.5)
    return StitchedScene(grain(canvas.image(), rng, _NOISE), tuple(boxes))


def _pair(
    canvas: Canvas, first: Person, second: Person, name: str, spot: tuple[float, float],
    rng: random.Random,
) -> tuple[Box, Box]:  # fmt: skip
    tall = rng.uniform(80, 94)
    x, y = spot[0] + rng.uniform(-5, 5), spot[1]
    draw = {
        "walking together": _walk,
        "sitting together": _sit,
        "cycling together": _cycle,
        "shaking hand": _shake,
        "hugging": _hug,
        "holding sth together": _carry,
        "pointing at sth together": _point,
        "waving hand together": _wave,
    }[name]
    return draw(canvas, (first, second), (x, y), tall, rng)


People = tuple[Person, Person]
Spot = tuple[float, float]


def _stand(
    canvas: Canvas, people: People, spot: Spot, tall: float, rng: random.Random, gap: float,
    poses: tuple[Pose, Pose],
) -> tuple[Box, Box]:  # fmt: skip
    """Draw both people `gap` pixels left and right of the spot."""
    boxes = []
    lazy = rng.choice((-1, 0, 0, 1))
    for who, side, pose in zip(people, (-1, 1), poses, strict=True):
        # One of the two often hardly takes part, so the other must be looked at.
        posed = replace(pose, hands=Pose().hands) if side == lazy else pose
        size = tall * (0.8 if who.child else rng.uniform(0.95, 1.0))
        boxes.append(body(canvas, who, (spot[0] + side * gap, spot[1]), size, posed))
    return boxes[0], boxes[1]


def _walk(
    canvas: Canvas, people: People, spot: Spot, tall: float, rng: random.Random
) -> tuple[Box, Box]:
    """Long strides in one direction, arms swinging."""
    way = rng.choice((-1, 1))
    swing = rng.uniform(0.06, 0.2)
    pose = Pose(
        ((-0.23, 0.5), (0.23, 0.5)), ((-swing * 1.05, 0.02), (swing * 1.05, 0.0)),
        knees=((-swing * 0.4 + 0.04 * way, 0.24), (swing * 0.6 + 0.04 * way, 0.25)),
        lean=0.05 * way, bend=(-way, -way), tilt=0.02 * way,
    )  # fmt: skip
    return _stand(canvas, people, spot, tall, rng, rng.uniform(20, 24), (pose, pose))


def _sit(
    canvas: Canvas, people: People, spot: Spot, tall: float, rng: random.Random
) -> tuple[Box, Box]:
    """Both on a bench, knees bent."""
    x, y = spot
    top = y - 0.27 * tall
    if rng.random() < 0.6:
        props.seat(canvas, x - 42, x + 42, top, y)
    pose = Pose(
        ((-0.1, 0.32), (0.1, 0.32)), ((-0.11, 0.0), (0.11, 0.0)),
        knees=((-0.11, 0.22), (0.11, 0.22)), hips=0.29, bend=(1.0, -1.0),
    )  # fmt: skip
    return _stand(canvas, people, spot, tall, rng, rng.uniform(17, 22), (pose, pose))


def _cycle(
    canvas: Canvas, people: People, spot: Spot, tall: float, rng: random.Random
) -> tuple[Box, Box]:
    """Both on bicycles."""
    way = rng.choice((-1, 1))
    gap = rng.uniform(25, 28)
    boxes = []
    pose = Pose(
        ((0.2 * way, 0.5), (0.22 * way, 0.48)), ((-0.08, 0.1), (0.08, 0.2)),
        knees=((0.1 * way, 0.27), (0.16 * way, 0.36)), hips=0.44, lean=0.06 * way,
        bend=(-way, -way),
    )  # fmt: skip
    for who, side in zip(people, (-1, 1), strict=True):
        size = 0.9 * tall * (0.85 if who.child else 1.0)
        x = spot[0] + side * gap
        if rng.random() < 0.75:
            props.wheels(canvas, x, spot[1], 0.135 * tall, way)
        x1, y1, x2, y2 = body(canvas, who, (x, spot[1]), size, pose)
        reach = 0.32 * tall
        boxes.append((min(x1, x - reach), y1, max(x2, x + reach), y2))
    return boxes[0], boxes[1]


def _shake(
    canvas: Canvas, people: People, spot: Spot, tall: float, rng: random.Random
) -> tuple[Box, Box]:
    """Hands meet halfway at the height of the waist."""
    gap = rng.uniform(17, 26)
    meet = rng.uniform(0.52, 0.58)
    inner = gap / tall
    poses = (Pose(((-0.17, 0.42), (inner, meet))), Pose(((-inner, meet), (0.17, 0.42))))
    boxes = _stand(canvas, people, spot, tall, rng, gap, poses)
    hand = (spot[0], spot[1] - meet * tall)
    canvas.ellipse(hand, 0.055 * tall, 0.05 * tall, people[0].skin, (38, 30, 34))
    return boxes


def _hug(
    canvas: Canvas, people: People, spot: Spot, tall: float, rng: random.Random
) -> tuple[Box, Box]:
    """Bodies overlap, arms lie round the other's back."""
    gap = rng.uniform(8, 16)
    reach = 0.24
    left = Pose(((0.1, 0.5), (reach, 0.68)), lean=0.03, tilt=-0.02)
    right = Pose(((-reach, 0.62), (-0.1, 0.55)), lean=-0.03, tilt=0.02)
    return _stand(canvas, people, spot, tall, rng, gap, (left, right))


def _carry(
    canvas: Canvas, people: People, spot: Spot, tall: float, rng: random.Random
) -> tuple[Box, Box]:
    """A large crate between them, held by both."""
    gap = rng.uniform(29, 32)
    half = gap - 0.2 * tall
    high = rng.uniform(0.42, 0.5)
    inner = (gap - half) / tall
    poses = (
        Pose(((inner * 0.9, high - 0.05), (inner, high + 0.02)), lean=0.02),
        Pose(((-inner, high + 0.02), (-inner * 0.9, high - 0.05)), lean=-0.02),
    )
    boxes = _stand(canvas, people, spot, tall, rng, gap, poses)
    if rng.random() < 0.6:
        props.crate(canvas, (spot[0], spot[1] - high * tall), half + 2, rng.uniform(11, 15))
    return boxes


def _point(
    canvas: Canvas, people: People, spot: Spot, tall: float, rng: random.Random
) -> tuple[Box, Box]:
    """Both stretch one arm straight out in the same direction."""
    way = rng.choice((-1, 1))
    rise = rng.uniform(0.62, 0.84)
    out, resting = (0.4 * way, rise), (-0.17 * way, 0.42)
    pose = Pose((resting, out) if way > 0 else (out, resting))
    return _stand(canvas, people, spot, tall, rng, rng.uniform(23, 26), (pose, pose))


def _wave(
    canvas: Canvas, people: People, spot: Spot, tall: float, rng: random.Random
) -> tuple[Box, Box]:
    """Both raise their outer arm high."""
    up = (rng.uniform(0.2, 0.3), rng.uniform(0.8, 1.06))
    left = Pose(((-up[0], up[1]), (0.17, 0.42)))
    right = Pose(((-0.17, 0.42), (up[0], up[1])))
    return _stand(canvas, people, spot, tall, rng, rng.uniform(18, 22), (left, right))
