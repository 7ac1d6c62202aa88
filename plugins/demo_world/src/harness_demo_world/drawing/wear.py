"""Hats, upper garments and things in a hand, as seen on a half-length person."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from harness_demo_world.drawing import props
from harness_demo_world.drawing.canvas import INK, WHITE, Canvas, Colour, Point, shade
from harness_demo_world.drawing.things import thing

if TYPE_CHECKING:
    from harness_demo_world.people import Person

_TOPS: dict[str, Colour] = {
    "suit": (46, 50, 66), "coat": (246, 248, 250), "overall": (62, 92, 150),
    "uniform": (40, 66, 110), "vest": (96, 104, 70), "robe": (60, 34, 84),
    "blazer": (128, 34, 44), "dark": (44, 42, 46), "pastel": (244, 208, 216),
    "apron": (238, 238, 232), "stripes": (240, 240, 236),
}  # fmt: skip
_GOLD: Colour = (236, 190, 60)
_STEEL: Colour = (168, 176, 188)
_WOOD: Colour = (150, 96, 52)


def garment(canvas: Canvas, who: Person, kind: str, at: Point, r: float) -> None:
    """Draw shoulders below a head of radius `r` at `at`, in the person's shirt or a garment."""
    x, y = at
    half, top, low = 1.75 * r * who.build, y + 1.35 * r, canvas.height + 20
    cover = kind in {"apron", "overall"}
    colour = who.shirt if not kind or cover else _TOPS[kind]
    canvas.box(x - half, top, x + half, low, colour, INK, 0.8 * r, 0.8)
    if kind in {"suit", "blazer", "uniform", "coat"}:
        collar = [(x - 0.5 * r, top), (x + 0.5 * r, top), (x, top + 1.3 * r)]
        canvas.polygon(collar, who.shirt if kind == "coat" else WHITE, INK, 0.7)
        if kind != "coat":
            canvas.line([(x, top + 0.2 * r), (x, top + 1.1 * r)], 0.25 * r, (190, 40, 50))
    if kind == "uniform":
        for side in (-1, 1):
            canvas.box(x + side * 1.3 * r - 3, top, x + side * 1.3 * r + 3, top + 3, _GOLD, INK)
    elif cover:
        canvas.box(x - 0.9 * r, top + 0.7 * r, x + 0.9 * r, low, _TOPS[kind], INK, 2.0, 0.8)
        for side in (-1, 1):
            canvas.line([(x + side * 0.8 * r, top + 0.8 * r), (x + side * 0.6 * r, top)], 2.0,
                        _TOPS[kind])  # fmt: skip
    elif kind == "stripes":
        for step in range(5):
            level = top + (0.4 + 0.6 * step) * r
            canvas.line([(x - half + 2, level), (x + half - 2, level)], 2.2, (60, 110, 180))
    elif kind == "vest":
        for side in (-1, 1):
            edge = x + side * 0.9 * r
            canvas.line([(edge, top), (edge, low)], 2.4, (40, 44, 30))


def hat(canvas: Canvas, kind: str, at: Point, r: float) -> None:
    """Draw what is worn on a head of radius `r`."""
    x, y = at
    brow = y - 0.62 * r
    if kind == "toque":
        for dx in (-0.55, 0.0, 0.55):
            canvas.ellipse((x + dx * r, brow - 0.95 * r), 0.55 * r, 0.5 * r, WHITE, INK, 0.8)
        canvas.box(x - 0.85 * r, brow - 0.8 * r, x + 0.85 * r, brow, WHITE, INK, 0, 0.8)
    elif kind in {"cap", "peaked"}:
        tint: Colour = (206, 60, 50) if kind == "cap" else (36, 58, 100)
        canvas.pie((x, brow + 0.1 * r), 1.05 * r, 0.9 * r, 180, 360, tint)
        reach = 1.5 * r if kind == "cap" else 1.1 * r
        canvas.box(x - 1.05 * r, brow - 2, x + reach, brow + 2, shade(tint, 0.6), INK, 1.0, 0.6)
        if kind == "peaked":
            canvas.ellipse((x, brow - 0.4 * r), 0.2 * r, 0.2 * r, _GOLD, INK, 0.6)
    elif kind == "helmet":
        canvas.pie((x, brow + 0.15 * r), 1.15 * r, 1.1 * r, 180, 360, (250, 200, 40))
        canvas.line([(x - 1.2 * r, brow + 1), (x + 1.2 * r, brow + 1)], 2.0, (190, 140, 20))
    elif kind == "beret":
        canvas.ellipse((x + 0.3 * r, brow - 0.25 * r), 1.15 * r, 0.45 * r, (110, 40, 90), INK, 0.8)
    elif kind == "straw":
        canvas.ellipse((x, brow), 1.8 * r, 0.32 * r, (228, 196, 110), INK, 0.8)
        canvas.box(x - 0.8 * r, brow - 0.8 * r, x + 0.8 * r, brow, (228, 196, 110), INK, 3.0, 0.8)
    elif kind == "mortarboard":
        plate = [(x - 1.5 * r, brow - 0.3 * r), (x, brow - 0.75 * r), (x + 1.5 * r, brow - 0.3 * r),
                 (x, brow + 0.12 * r)]  # fmt: skip
        canvas.polygon(plate, (34, 30, 44), INK)
        canvas.line([(x + 1.3 * r, brow - 0.3 * r), (x + 1.3 * r, brow + 0.5 * r)], 1.5, _GOLD)
    elif kind == "hood":
        canvas.arc((x, y), 1.25 * r, 1.35 * r, 150, 390, (56, 54, 60), 0.42 * r)
    elif kind == "band":
        canvas.box(x - 1.0 * r, brow - 1, x + 1.0 * r, brow + 0.28 * r, (200, 30, 40), INK, 0, 0.6)


def held(canvas: Canvas, name: str, at: Point, size: float) -> None:
    """Draw a thing above a raised hand."""
    x, y = at
    if name in {"flower", "ball", "star", "book"}:
        thing(canvas, name, at, 1.1 * size)
    elif name == "heart":
        props.heart(canvas, at, 1.1 * size)
    elif name == "balloon":
        canvas.line([(x, y + size), (x, y - size)], 0.8, INK)
        canvas.ellipse((x, y - 1.6 * size), 1.0 * size, 1.2 * size, (240, 80, 70), INK)
    elif name == "case":
        props.case(canvas, (x, y - 0.2 * size), 1.2 * size)
    elif name in {"hammer", "wrench", "sword", "fork", "microphone"}:
        _shaft(canvas, name, at, size)
    elif name == "pan":
        canvas.line([(x, y + size), (x, y)], 2.5, INK)
        canvas.ellipse((x, y - 0.6 * size), 1.3 * size, 0.7 * size, (60, 62, 68), INK)
        canvas.ellipse((x, y - 0.7 * size), 0.6 * size, 0.3 * size, (250, 220, 90))
    elif name == "palette":
        canvas.ellipse(at, 1.4 * size, size, _WOOD, INK)
        for dx, tint in ((-0.7, (220, 40, 40)), (0.0, (50, 90, 220)), (0.7, (60, 170, 70))):
            canvas.ellipse((x + dx * size, y - 0.3 * size), 0.3 * size, 0.3 * size, tint)
    elif name == "flask":
        sides = [(x - 0.3 * size, y - 1.4 * size), (x + 0.3 * size, y - 1.4 * size),
                 (x + 0.3 * size, y - 0.5 * size), (x + size, y + 0.8 * size),
                 (x - size, y + 0.8 * size), (x - 0.3 * size, y - 0.5 * size)]  # fmt: skip
        canvas.polygon(sides, (120, 230, 170), INK)
    elif name == "coins":
        for dx, dy in ((-0.6, 0.4), (0.6, 0.4), (0.0, -0.4)):
            spot = (x + dx * size, y + dy * size)
            canvas.ellipse(spot, 0.6 * size, 0.6 * size, _GOLD, (150, 110, 20))
    else:
        _flat(canvas, name, at, size)


def _shaft(canvas: Canvas, name: str, at: Point, size: float) -> None:
    """Draw a thing with a handle."""
    x, y = at
    top = (x, y - 1.3 * size)
    canvas.line([(x, y + size), top], 2.4, _STEEL if name in {"wrench", "sword"} else _WOOD)
    if name == "hammer":
        canvas.box(x - size, top[1] - 3, x + size, top[1] + 3, (80, 84, 92), INK, 1.0)
    elif name == "wrench":
        canvas.arc(top, 0.7 * size, 0.7 * size, 320, 580, _STEEL, 3.0)
    elif name == "sword":
        canvas.line([(x, y), (x, y - 2.6 * size)], 3.2, _STEEL)
        canvas.line([(x - 0.8 * size, y), (x + 0.8 * size, y)], 2.4, (90, 60, 30))
    elif name == "fork":
        for dx in (-0.6, 0.0, 0.6):
            canvas.line([(x + dx * size, top[1]), (x + dx * size, top[1] - size)], 1.5, _STEEL)
        canvas.line([(x - 0.6 * size, top[1]), (x + 0.6 * size, top[1])], 1.5, _STEEL)
    else:
        canvas.ellipse(top, 0.6 * size, 0.7 * size, (50, 52, 60), WHITE, 1.0)


def _flat(canvas: Canvas, name: str, at: Point, size: float) -> None:
    """Draw a badge, a paper or another flat thing."""
    x, y = at
    if name == "badge":
        points = [(x + size * math.cos(k * math.pi / 3), y + size * math.sin(k * math.pi / 3))
                  for k in range(6)]  # fmt: skip
        canvas.polygon(points, _GOLD, INK)
    elif name == "books":
        for step, tint in enumerate(((200, 60, 60), (60, 110, 200), (70, 160, 90))):
            low = y + (0.9 - 0.6 * step) * size
            canvas.box(x - 1.2 * size, low - 0.55 * size, x + 1.2 * size, low, tint, INK, 0, 0.7)
    elif name == "scroll":
        canvas.box(x - 0.45 * size, y - 1.3 * size, x + 0.45 * size, y + size, WHITE, INK, 3.0)
        canvas.line([(x - 0.5 * size, y), (x + 0.5 * size, y)], 2.0, (200, 40, 50))
    elif name == "cloud":
        for dx, dy in ((-0.8, 0.1), (0.8, 0.1), (0.0, -0.4)):
            spot = (x + dx * size, y - 0.5 * size + dy * size)
            canvas.ellipse(spot, 0.8 * size, 0.55 * size, (96, 100, 112), INK, 0.6)
    elif name == "fist":
        canvas.ellipse(at, 0.9 * size, 0.8 * size, (214, 60, 50), INK)
        for dx in (-0.4, 0.0, 0.4):
            canvas.line([(x + dx * size, y - 0.6 * size), (x + dx * size, y)], 1.0, INK)
    elif name == "plane":
        canvas.polygon([(x - 1.6 * size, y + 0.3 * size), (x + 1.6 * size, y - 0.3 * size),
                        (x + 0.2 * size, y + 0.5 * size)], (210, 220, 236), INK)  # fmt: skip
        canvas.polygon([(x - 0.2 * size, y), (x - 0.8 * size, y - 1.1 * size),
                        (x + 0.4 * size, y - 0.1 * size)], (120, 150, 200), INK)  # fmt: skip
    else:  # a paper with a cross or a plus
        canvas.box(x - 0.9 * size, y - 1.1 * size, x + 0.9 * size, y + 0.9 * size, WHITE, INK, 0)
        tint = (210, 30, 40)
        u = 0.5 * size
        if name == "cross":
            canvas.line([(x - u, y - u), (x + u, y + u)], 2.2, tint)
            canvas.line([(x - u, y + u), (x + u, y - u)], 2.2, tint)
        else:
            canvas.line([(x - u, y), (x + u, y)], 3.0, tint)
            canvas.line([(x, y - u), (x, y + u)], 3.0, tint)
