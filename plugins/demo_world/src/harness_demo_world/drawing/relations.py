"""Two people whose clothes, props, distance and ages tell one of PISC's six relations."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness_demo_world.drawing import props
from harness_demo_world.drawing.canvas import INK, Canvas, Colour, backdrop, grain, shade, veil
from harness_demo_world.drawing.figure import Dress, Pose, body
from harness_demo_world.people import Person, adult

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from PIL import Image

RELATIONS = ("friends", "family", "couple", "professional", "commercial", "no_relation")
"""In the order of the release's codes 1..6."""

SIZE = 96
_NOISE = 0.25

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class PairScene:
    """An image and the boxes (x1, y1, x2, y2) in pixels of its two people."""

    image: Image.Image
    boxes: tuple[Box, Box]


def cast(relation: str) -> tuple[Callable[[Person], bool], Callable[[Person], bool]]:
    """Return who may play the first and the second person of a relation."""
    if relation == "family":
        return (lambda p: p.age >= 20), (lambda p: p.child)
    if relation == "no_relation":
        return (lambda p: not p.child), (lambda p: not p.child)
    return adult, adult


def draw_relation(
    first: Person, second: Person, relation: str, rng: random.Random, paint: bool = True
) -> PairScene:
    """Draw the pair; either person may stand on the left."""
    canvas = Canvas(SIZE, SIZE, paint)
    backdrop(canvas, rng)
    ground = rng.uniform(86, 92)
    floor: Colour = (rng.randint(120, 190), rng.randint(120, 180), rng.randint(110, 170))
    canvas.box(0, ground - 6, SIZE, SIZE + 4, floor)
    swap = rng.random() < 0.5
    left, right = (second, first) if swap else (first, second)
    tall = rng.uniform(64, 73)
    middle = rng.uniform(44, 52)
    draw = {
        "friends": _friends,
        "family": _family,
        "couple": _couple,
        "professional": _professional,
        "commercial": _commercial,
        "no_relation": _strangers,
    }[relation]
    boxes = draw(canvas, left, right, (middle, ground), tall, rng)
    veil(canvas, rng)
    picture = grain(canvas.image(), rng, _NOISE)
    return PairScene(picture, (boxes[1], boxes[0]) if swap else boxes)


Spot = tuple[float, float]


def _friends(
    canvas: Canvas, left: Person, right: Person, spot: Spot, tall: float, rng: random.Random
) -> tuple[Box, Box]:
    """Printed shirts, raised drinks, an arm round the other's shoulder."""
    x, y = spot
    gap = rng.uniform(11, 18)
    boxes = []
    for who, side in ((left, -1), (right, 1)):
        up, hug = (side * 0.27, 0.86), (-side * 0.2, 0.76)
        if rng.random() < 0.45:
            up, hug = (side * 0.19, 0.5), (-side * 0.17, 0.42)
        hands = (up, hug) if side < 0 else (hug, up)
        printed = "print" if rng.random() < 0.35 else "shirt"
        dress = Dress(who.shirt, who.trousers, printed, (255, 240, 90))
        size = tall * rng.uniform(0.96, 1.0)
        base = (x + side * gap, y)
        boxes.append(body(canvas, who, base, size, Pose(hands, bend=(1.0, -1.0)), dress))
        drink = (base[0] + up[0] * size, y - up[1] * size)
        if rng.random() < 0.35:
            props.cup(canvas, drink, 5.0, (250, 150, 40))
    return boxes[0], boxes[1]


def _family(
    canvas: Canvas, left: Person, right: Person, spot: Spot, tall: float, rng: random.Random
) -> tuple[Box, Box]:
    """A grown-up and a child hand in hand."""
    x, y = spot
    gap = rng.uniform(11, 16)
    boxes = []
    small = rng.uniform(0.52, 0.62)
    joint = (x, y - 0.36 * tall)
    for who, side in ((left, -1), (right, 1)):
        size = tall * (small if who.child else 1.05)
        base = (x + side * gap, y)
        holding = ((joint[0] - base[0]) / size, (y - joint[1]) / size)
        resting = (side * 0.19, 0.42)
        hands = (resting, holding) if side < 0 else (holding, resting)
        boxes.append(body(canvas, who, base, size, Pose(hands)))
        if who.child and rng.random() < 0.5:
            balloon = (base[0] + side * 0.3 * size, y - 1.25 * size)
            hand = (base[0] + resting[0] * size, y - resting[1] * size)
            canvas.line([hand, balloon], 0.8, INK)
            canvas.ellipse(balloon, 5.5, 6.5, (240, 80, 70), INK)
    return boxes[0], boxes[1]


def _couple(
    canvas: Canvas, left: Person, right: Person, spot: Spot, tall: float, rng: random.Random
) -> tuple[Box, Box]:
    """Two people close together, heads leaning, one with flowers, a heart above."""
    x, y = spot
    gap = rng.uniform(8.5, 14)
    boxes = []
    giver = rng.choice((-1, 1))
    for who, side in ((left, -1), (right, 1)):
        size = tall * rng.uniform(0.94, 1.0)
        base = (x + side * gap, y)
        outer = (side * 0.2, 0.6) if side == giver else (side * 0.17, 0.42)
        inner = (-side * gap / size, 0.44) if rng.random() < 0.6 else (-side * 0.17, 0.42)
        hands = (outer, inner) if side < 0 else (inner, outer)
        pose = Pose(hands, tilt=-side * 0.03)
        boxes.append(body(canvas, who, base, size, pose))
        if side == giver and rng.random() < 0.35:
            props.bouquet(canvas, (base[0] + outer[0] * size, y - outer[1] * size), 7.0)
    if rng.random() < 0.35:
        props.heart(canvas, (x, max(7.0, y - 1.02 * tall - 6)), rng.uniform(5, 6.5))
    return boxes[0], boxes[1]


def _professional(
    canvas: Canvas, left: Person, right: Person, spot: Spot, tall: float, rng: random.Random
) -> tuple[Box, Box]:
    """Dark suits with ties, briefcases, a chart on the wall."""
    x, y = spot
    if rng.random() < 0.35:
        props.board(canvas, x - rng.uniform(14, 18), rng.uniform(4, 9), 32, 22)
    gap = rng.uniform(14, 22)
    boxes = []
    for who, side in ((left, -1), (right, 1)):
        grey = rng.choice(((44, 48, 62), (34, 44, 78), (70, 70, 74), (52, 40, 44)))
        tie: Colour = rng.choice(((196, 40, 50), (40, 90, 190)))
        dress = Dress(grey, shade(grey, 0.85), "suit", tie)
        if rng.random() < 0.5:
            dress = Dress(who.shirt, grey)
        size = tall * rng.uniform(0.95, 1.02)
        base = (x + side * gap, y)
        outer, inner = (side * 0.17, 0.4), (-side * 0.16, 0.56)
        hands = (outer, inner) if side < 0 else (inner, outer)
        boxes.append(body(canvas, who, base, size, Pose(hands), dress))
        if rng.random() < 0.4:
            props.case(canvas, (base[0] + outer[0] * size, y - outer[1] * size), 6.5)
    return boxes[0], boxes[1]


def _commercial(
    canvas: Canvas, left: Person, right: Person, spot: Spot, tall: float, rng: random.Random
) -> tuple[Box, Box]:
    """A seller in an apron behind a counter, a buyer with a bag before it."""
    x, y = spot
    seller = rng.choice((-1, 1))
    if rng.random() < 0.4:
        start = x + seller * 20
        props.awning(canvas, start - 26, start + 26, rng.uniform(1, 5), 10)
    gap = rng.uniform(15, 22)
    boxes = []
    for who, side in ((left, -1), (right, 1)):
        size = tall * rng.uniform(0.95, 1.0)
        base = (x + side * gap, y)
        inner, outer = (-side * 0.2, 0.55), (side * 0.17, 0.42)
        hands = (outer, inner) if side < 0 else (inner, outer)
        dress = Dress(who.shirt, who.trousers)
        if side == seller and rng.random() < 0.6:
            dress = Dress(who.shirt, who.trousers, "apron", (250, 250, 244))
        boxes.append(body(canvas, who, base, size, Pose(hands), dress))
        if side != seller and rng.random() < 0.5:
            props.bag(canvas, (base[0] + outer[0] * size, y - outer[1] * size), 6.0)
    if rng.random() < 0.4:
        props.counter(canvas, x + seller * 4, y, 11, 0.38 * tall)
    return boxes[0], boxes[1]


def _strangers(
    canvas: Canvas, left: Person, right: Person, spot: Spot, tall: float, rng: random.Random
) -> tuple[Box, Box]:
    """Two people far apart, each busy with a telephone, a street lamp between them."""
    x, y = spot
    pole = x + rng.uniform(-5, 5)
    if rng.random() < 0.35:
        canvas.limb([(pole, y + 2), (pole, rng.uniform(12, 24))], 2.2, (110, 116, 124))
    boxes = []
    for who, side in ((left, -1), (right, 1)):
        size = tall * rng.uniform(0.8, 1.02)
        base = (x + side * rng.uniform(17, 30), y + rng.uniform(-4, 1))
        phone = (side * 0.14, rng.choice((0.68, 0.45)))
        resting = (-side * 0.17, 0.42)
        hands = (phone, resting) if side < 0 else (resting, phone)
        pose = Pose(hands, feet=((-0.12, 0.0), (0.12, 0.02)))
        boxes.append(body(canvas, who, base, size, pose))
        if rng.random() < 0.35:
            props.telephone(canvas, (base[0] + phone[0] * size, base[1] - phone[1] * size), 5.0)
    return boxes[0], boxes[1]
