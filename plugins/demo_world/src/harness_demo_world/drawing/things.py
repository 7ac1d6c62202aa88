"""Small bright things that people look at, hold and carry."""

from __future__ import annotations

import math

from harness_demo_world.drawing.canvas import INK, WHITE, Canvas, Colour, Point, only_painted

THINGS = ("ball", "cup", "book", "star", "apple", "box", "flower", "lamp")

_COLOURS: dict[str, Colour] = {
    "ball": (232, 52, 52),
    "cup": (44, 110, 226),
    "book": (40, 160, 72),
    "star": (250, 196, 24),
    "apple": (206, 34, 84),
    "box": (160, 100, 44),
    "flower": (226, 70, 196),
    "lamp": (250, 140, 20),
}


TINTS: dict[str, Colour] = {
    "red": (226, 44, 44), "blue": (44, 96, 226), "green": (44, 164, 70),
    "yellow": (248, 208, 40), "purple": (146, 64, 196), "white": (246, 246, 244),
}  # fmt: skip
"""Colours of things that are asked about, by name."""


@only_painted
def thing(canvas: Canvas, name: str, centre: Point, r: float, colour: Colour | None = None) -> None:
    """Draw one of THINGS with radius `r`, in its own colour unless another is given."""
    x, y = centre
    colour = colour or _COLOURS[name]
    if name == "ball":
        canvas.ellipse(centre, r, r, colour, INK)
        canvas.arc(centre, 0.55 * r, r, 90, 270, WHITE, 1.2)
    elif name == "cup":
        canvas.arc((x + 0.7 * r, y), 0.5 * r, 0.5 * r, 0, 360, INK, 1.4)
        canvas.polygon([(x - 0.85 * r, y - r), (x + 0.85 * r, y - r), (x + 0.6 * r, y + r),
                        (x - 0.6 * r, y + r)], colour, INK)  # fmt: skip
    elif name == "book":
        canvas.box(x - 1.05 * r, y - 0.8 * r, x + 1.05 * r, y + 0.8 * r, colour, INK)
        canvas.line([(x, y - 0.8 * r), (x, y + 0.8 * r)], 1.2, WHITE)
    elif name == "star":
        points = []
        for k in range(10):
            size, turn = (1.15 * r if k % 2 == 0 else 0.5 * r), math.pi * (k / 5 - 0.5)
            points.append((x + size * math.cos(turn), y + size * math.sin(turn)))
        canvas.polygon(points, colour, INK)
    elif name == "apple":
        canvas.ellipse((x, y + 0.1 * r), 0.95 * r, 0.85 * r, colour, INK)
        canvas.line([(x, y - 0.7 * r), (x + 0.3 * r, y - 1.1 * r)], 1.5, (40, 110, 40))
    elif name == "box":
        canvas.box(x - 0.9 * r, y - 0.9 * r, x + 0.9 * r, y + 0.9 * r, colour, INK)
        canvas.line([(x - 0.9 * r, y - 0.1 * r), (x + 0.9 * r, y - 0.1 * r)], 1.6, (236, 208, 150))
    elif name == "flower":
        for k in range(5):
            turn = 2 * math.pi * k / 5
            petal = (x + 0.6 * r * math.cos(turn), y + 0.6 * r * math.sin(turn))
            canvas.ellipse(petal, 0.48 * r, 0.48 * r, colour, INK, 0.6)
        canvas.ellipse(centre, 0.38 * r, 0.38 * r, (250, 226, 60))
    else:
        canvas.polygon([(x - 0.45 * r, y - r), (x + 0.45 * r, y - r), (x + r, y + 0.2 * r),
                        (x - r, y + 0.2 * r)], colour, INK)  # fmt: skip
        canvas.line([(x, y + 0.2 * r), (x, y + r)], 1.8, INK)
