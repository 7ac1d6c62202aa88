"""Half-length portraits: people with the cues of a concept, all attributes in plain sight."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness_demo_world.drawing.canvas import (
    INK,
    WHITE,
    Canvas,
    Colour,
    Point,
    backdrop,
    grain,
    only_painted,
    veil,
)
from harness_demo_world.drawing.figure import head, marks
from harness_demo_world.drawing.places import place
from harness_demo_world.drawing.wear import garment, hat, held

if TYPE_CHECKING:
    import random

    from PIL import Image

    from harness_demo_world.drawing.cues import Cues
    from harness_demo_world.people import Person

SIZE = 96


@dataclass(frozen=True, slots=True)
class Stand:
    """Where a portrait stands: the head's centre and radius, and the side of the raised hand."""

    at: Point
    r: float
    side: int


def stand(rng: random.Random, middle: float = SIZE / 2) -> Stand:
    """Return a stand by chance, near the column `middle`."""
    side = rng.choice((-1, 1))
    r = rng.uniform(12.5, 15.5)
    return Stand((middle - side * rng.uniform(3, 9), rng.uniform(29, 36)), r, side)


@only_painted
def figure(canvas: Canvas, who: Person, cues: Cues, spot: Stand) -> None:
    """Draw one half-length person; nothing here is left to chance."""
    (x, y), r = spot.at, spot.r
    canvas.box(x - 0.4 * r, y + 0.7 * r, x + 0.4 * r, y + 1.7 * r, who.skin, INK, 0.2 * r, 0.8)
    garment(canvas, who, cues.garment, (x, y), r)
    head(canvas, who, (x, y), r)
    marks(canvas, who, (x, y), r)
    hat(canvas, cues.hat, (x, y), r)
    if cues.prop:
        hand = (x + spot.side * 2.15 * r, y + 2.25 * r)
        elbow = (x + spot.side * 2.1 * r * who.build, y + 3.9 * r)
        canvas.limb([elbow, hand], 0.62 * r, who.shirt)
        held(canvas, cues.prop, (hand[0], hand[1] - 0.75 * r), 0.85 * r)
        canvas.ellipse(hand, 0.38 * r, 0.38 * r, who.skin, INK, 0.8)


def draw_portrait(who: Person, cues: Cues, rng: random.Random, paint: bool = True) -> Image.Image:
    """Draw one person; what chance decides does not depend on who it is."""
    canvas = Canvas(SIZE, SIZE, paint)
    backdrop(canvas, rng)
    place(canvas, cues.place, rng)
    figure(canvas, who, cues, stand(rng))
    veil(canvas, rng, 0.25)
    return grain(canvas.image(), rng)


def draw_two(
    people: tuple[Person, Person], cues: tuple[Cues, Cues], rng: random.Random, paint: bool = True
) -> Image.Image:
    """Draw two people side by side, half as wide each; the first one's cues set the place."""
    canvas = Canvas(2 * SIZE, SIZE, paint)
    backdrop(canvas, rng)
    place(canvas, cues[0].place, rng)
    order = (0, 1) if rng.random() < 0.5 else (1, 0)
    for slot, number in enumerate(order):
        figure(canvas, people[number], cues[number], stand(rng, 46 + 100 * slot))
    return grain(canvas.image(), rng)


@only_painted
def sign(canvas: Canvas, box: tuple[float, float, float, float], tint: Colour) -> None:
    """Draw an empty sign with a rim."""
    canvas.box(*box, tint, INK, 3.0, 1.2)
    canvas.box(box[0] + 2, box[1] + 2, box[2] - 2, box[3] - 2, None, WHITE, 2.0, 0.7)
