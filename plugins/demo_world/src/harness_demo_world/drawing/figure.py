"""Heads and bodies: the parts that every image of a person shares."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from harness_demo_world.drawing.canvas import INK, WHITE, Canvas, Colour, Point, only_painted, shade

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness_demo_world.people import Person


@only_painted
def hair_behind(canvas: Canvas, who: Person, centre: Point, r: float) -> None:
    """Draw the hair that lies behind the head of radius `r`."""
    x, y = centre
    edge = shade(who.hair, 0.6)
    if who.hair_style == "long":
        canvas.box(x - 1.12 * r, y - 0.7 * r, x + 1.12 * r, y + 1.5 * r, who.hair, edge, 0.6 * r)
    elif who.hair_style == "bob":
        canvas.box(x - 1.15 * r, y - 0.7 * r, x + 1.15 * r, y + 0.75 * r, who.hair, edge, 0.5 * r)
    elif who.hair_style == "bun":
        canvas.ellipse((x, y - 1.25 * r), 0.42 * r, 0.4 * r, who.hair, edge)
    elif who.hair_style == "curly":
        for step in range(7):
            turn = math.pi * (1.05 + 0.15 * step)
            spot = (x + 0.95 * r * math.cos(turn), y - 0.1 * r + 0.95 * r * math.sin(turn))
            canvas.ellipse(spot, 0.38 * r, 0.38 * r, who.hair)


@only_painted
def hair_before(canvas: Canvas, who: Person, centre: Point, r: float, lean: float = 0.0) -> None:
    """Draw the fringe; `lean` in -1..1 moves it with a head that turns."""
    x, y = centre[0] + 0.12 * r * lean, centre[1]
    depth = {"crop": 205.0, "short": 197.0, "curly": 200.0}.get(who.hair_style, 195.0)
    canvas.pie(
        (x - 0.12 * r * lean, y - 0.08 * r), 1.06 * r, 1.06 * r, depth, 540 - depth, who.hair
    )
    if who.hair_style in ("short", "long"):
        canvas.pie((x - 0.45 * r, y - 0.58 * r), 0.5 * r, 0.3 * r, 0, 180, who.hair)


@only_painted
def head(canvas: Canvas, who: Person, centre: Point, r: float, plain: bool = True) -> None:
    """Draw a head of radius `r`; with `plain`, also a small calm face."""
    x, y = centre
    hair_behind(canvas, who, centre, r)
    for side in (-1, 1):
        canvas.ellipse((x + side * 0.97 * r, y + 0.1 * r), 0.2 * r, 0.26 * r, who.skin, INK, 0.6)
    canvas.ellipse(centre, r, 1.06 * r, who.skin, INK, 0.8)
    hair_before(canvas, who, centre, r)
    if plain:
        for side in (-1, 1):
            canvas.ellipse((x + side * 0.38 * r, y + 0.02 * r), 0.13 * r, 0.15 * r, INK)
            if who.glasses:
                eye = (x + side * 0.38 * r, y + 0.02 * r)
                canvas.ellipse(eye, 0.3 * r, 0.28 * r, None, INK, 0.5)
        canvas.line([(x - 0.25 * r, y + 0.52 * r), (x + 0.25 * r, y + 0.52 * r)], 0.7, INK)


@only_painted
def marks(canvas: Canvas, who: Person, centre: Point, r: float) -> None:
    """Draw what age and tattoos leave on a head of radius `r`."""
    x, y = centre
    line = shade(who.skin, 0.68)
    for number in range(who.lines):
        level = y - (0.3 - 0.13 * (number % 2)) * r
        if number < 2:
            canvas.line([(x - 0.45 * r, level), (x + 0.45 * r, level)], 0.8, line)
        else:
            side = -1 if number == 2 else 1
            ends = [(x + side * 0.5 * r, y + 0.3 * r), (x + side * 0.62 * r, y + 0.62 * r)]
            canvas.line(ends, 0.9, line)
    if who.tattooed:
        ink: Colour = (40, 70, 110)
        for step in range(3):
            spot = (x - 0.62 * r + 0.1 * step * r, y + (0.2 + 0.2 * step) * r)
            canvas.ellipse(spot, 0.11 * r, 0.11 * r, ink)
        canvas.line([(x - 0.3 * r, y + 1.2 * r), (x + 0.3 * r, y + 1.45 * r)], 1.6, ink)


@dataclass(frozen=True, slots=True)
class Pose:
    """How a body stands: hands and feet in units of body height, x towards the right.

    `hands` and `feet` are offsets from the point on the ground below the hips, y upwards.
    `hips` is the height of the hips, `lean` moves the shoulders sideways.
    """

    hands: tuple[Point, Point] = ((-0.17, 0.42), (0.17, 0.42))
    feet: tuple[Point, Point] = ((-0.07, 0.0), (0.07, 0.0))
    knees: tuple[Point, Point] | None = None
    hips: float = 0.46
    lean: float = 0.0
    bend: tuple[float, float] = (-1.0, 1.0)
    tilt: float = 0.0


@dataclass(frozen=True, slots=True)
class Dress:
    """Clothes of a body: colours, and what kind of upper garment it is."""

    top: Colour
    legs: Colour
    kind: str = "shirt"
    accent: Colour = field(default=WHITE)


def _elbow(shoulder: Point, hand: Point, reach: float, bend: float) -> Point:
    """Return the joint of a two-bone limb whose bones are `reach` / 2 long."""
    dx, dy = hand[0] - shoulder[0], hand[1] - shoulder[1]
    distance = max(1e-6, math.hypot(dx, dy))
    rise = math.sqrt(max(0.0, (reach / 2) ** 2 - (distance / 2) ** 2))
    middle = ((shoulder[0] + hand[0]) / 2, (shoulder[1] + hand[1]) / 2)
    return (middle[0] - bend * dy / distance * rise, middle[1] + bend * dx / distance * rise)


@only_painted
def _torso(canvas: Canvas, dress: Dress, hips: Point, neck: Point, tall: float) -> None:
    """Draw the upper garment between hips and neck."""
    wide, low = 0.125 * tall, 0.105 * tall
    outline = [
        (neck[0] - wide, neck[1] + 0.05 * tall),
        (neck[0] - 0.05 * tall, neck[1]),
        (neck[0] + 0.05 * tall, neck[1]),
        (neck[0] + wide, neck[1] + 0.05 * tall),
        (hips[0] + low, hips[1] + 0.03 * tall),
        (hips[0] - low, hips[1] + 0.03 * tall),
    ]
    canvas.polygon(outline, dress.top, INK, 0.8)
    if dress.kind == "suit":
        opening = [(neck[0] - 0.05 * tall, neck[1]), (neck[0] + 0.05 * tall, neck[1]),
                   (neck[0], neck[1] + 0.2 * tall)]  # fmt: skip
        canvas.polygon(opening, WHITE)
        canvas.line([(neck[0], neck[1] + 0.02 * tall), (neck[0], neck[1] + 0.17 * tall)],
                    0.032 * tall, dress.accent)  # fmt: skip
    elif dress.kind == "apron":
        canvas.box(neck[0] - 0.075 * tall, neck[1] + 0.08 * tall, neck[0] + 0.075 * tall,
                   hips[1] + 0.06 * tall, dress.accent, INK, 0.02 * tall, 0.6)  # fmt: skip
    elif dress.kind == "print":
        middle = ((neck[0] + hips[0]) / 2, (neck[1] + hips[1]) / 2)
        canvas.ellipse(middle, 0.055 * tall, 0.055 * tall, dress.accent)


@only_painted
def _legs(
    canvas: Canvas, dress: Dress, hips: Point, paths: Sequence[Sequence[Point]], tall: float
) -> None:
    """Draw a leg along each path, from the knee or the foot on."""
    for sign, path in zip((-1, 1), paths, strict=True):
        start = (hips[0] + sign * 0.05 * tall, hips[1])
        canvas.limb([start, *path], 0.075 * tall, dress.legs)
        canvas.ellipse(path[-1], 0.055 * tall, 0.032 * tall, INK)


@only_painted
def _arms(
    canvas: Canvas, who: Person, dress: Dress, neck: Point, hands: Sequence[Point],
    bends: tuple[float, float], tall: float,
) -> None:  # fmt: skip
    """Draw an arm from each shoulder to its hand."""
    for sign, hand, bend in zip((-1, 1), hands, bends, strict=True):
        shoulder = (neck[0] + sign * 0.11 * tall, neck[1] + 0.05 * tall)
        elbow = _elbow(shoulder, hand, 0.4 * tall, bend)
        canvas.limb([shoulder, elbow, hand], 0.056 * tall, dress.top)
        canvas.ellipse(hand, 0.045 * tall, 0.045 * tall, who.skin, INK, 0.6)


def body(
    canvas: Canvas, who: Person, base: Point, tall: float, pose: Pose, dress: Dress | None = None
) -> tuple[float, float, float, float]:
    """Draw a person of height `tall` pixels standing on `base`; return the box (x1, y1, x2, y2)."""
    dress = dress or Dress(who.shirt, who.trousers)
    x, y = base

    def place(point: Point) -> Point:
        return (x + point[0] * tall, y - point[1] * tall)

    hips = place((0.0, pose.hips))
    neck = place((pose.lean, pose.hips + 0.36))
    hands, feet = [place(hand) for hand in pose.hands], [place(foot) for foot in pose.feet]
    radius = tall * (0.12 if who.child else 0.105)
    crown = (neck[0] + pose.tilt * tall, neck[1] - 0.95 * radius)
    knees = [[place(knee)] for knee in pose.knees] if pose.knees else [[], []]
    paths = [[*knee, foot] for knee, foot in zip(knees, feet, strict=True)]
    _legs(canvas, dress, hips, paths, tall)
    _torso(canvas, dress, hips, neck, tall)
    head(canvas, who, crown, radius)
    _arms(canvas, who, dress, neck, hands, pose.bend, tall)
    xs = [p[0] for p in (*feet, *hands, neck)] + [crown[0] - 1.2 * radius, crown[0] + 1.2 * radius]
    xs += [neck[0] - 0.15 * tall, neck[0] + 0.15 * tall]
    top = min(crown[1] - 1.35 * radius, *(hand[1] - 0.05 * tall for hand in hands))
    return (min(xs) - 0.04 * tall, top, max(xs) + 0.04 * tall, max(y, *(p[1] for p in feet)) + 2)
