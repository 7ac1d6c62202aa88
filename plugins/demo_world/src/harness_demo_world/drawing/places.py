"""Places behind a person: a few large shapes each, more to recognise than to look at."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness_demo_world.drawing import props
from harness_demo_world.drawing.canvas import INK, WHITE, Canvas, Colour, only_painted

if TYPE_CHECKING:
    import random

_ROWS: dict[str, tuple[Colour, tuple[Colour, ...]]] = {
    "shelves": ((206, 220, 226), ((90, 180, 200), (140, 210, 120), (230, 150, 90))),
    "bookcase": ((128, 84, 50), ((190, 60, 60), (60, 90, 170), (220, 180, 70))),
    "lockers": ((120, 140, 168), ((96, 116, 150), (96, 116, 150), (96, 116, 150))),
    "tools": ((186, 160, 120), ((70, 74, 84), (200, 60, 40), (70, 74, 84))),
    "stove": ((226, 224, 216), ((60, 62, 68), (200, 80, 50), (60, 62, 68))),
}
"""Walls with rows of small boxes: the wall's colour, the boxes' colours."""


def place(canvas: Canvas, name: str, rng: random.Random) -> None:
    """Draw a place over the whole image; draws from `rng` do not depend on the name."""
    shift, spin = rng.uniform(-4, 4), rng.randrange(3)
    if name in _ROWS:
        _wall(canvas, name, shift, spin)
    elif name in {"sun", "clouds", "storm"}:
        _sky(canvas, name, shift)
    elif name in {"field", "flowers", "house"}:
        _outdoors(canvas, name, shift)
    else:
        _room(canvas, name, shift)


@only_painted
def _wall(canvas: Canvas, name: str, shift: float, spin: int) -> None:
    wall, tints = _ROWS[name]
    canvas.box(0, 0, canvas.width, 60, wall)
    for row in range(3):
        for column in range(int(canvas.width // 12)):
            x, y = column * 12 + shift + 3, row * 19 + 3
            canvas.box(x, y, x + 8, y + 13, tints[(row + column + spin) % 3], INK, 1.0, 0.5)


@only_painted
def _sky(canvas: Canvas, name: str, shift: float) -> None:
    sky: Colour = (90, 98, 116) if name == "storm" else (150, 206, 246)
    canvas.box(0, 0, canvas.width, canvas.height, sky)
    tint: Colour = (60, 64, 76) if name == "storm" else WHITE
    for step in range(0 if name == "sun" else 4):
        canvas.ellipse((10 + 27 * step + shift, 12 + 9 * (step % 2)), 14, 6, tint)
    if name == "sun":
        canvas.ellipse((16 + shift, 16), 11, 11, (255, 214, 60))
    elif name == "storm":
        canvas.line([(78, 22), (72, 34), (80, 36), (73, 52)], 2.0, (255, 236, 90))


@only_painted
def _outdoors(canvas: Canvas, name: str, shift: float) -> None:
    wide = canvas.width
    canvas.box(0, 0, wide, 44, (176, 218, 246))
    canvas.box(0, 40, wide, canvas.height, (128, 182, 92))
    if name == "field":
        for step in range(0, wide, 8):
            canvas.line([(step + shift, 64), (step + shift, 36)], 2.4, (220, 190, 80))
    elif name == "flowers":
        for step in range(4, wide, 13):
            canvas.ellipse((step + shift, 46 + step % 3 * 5), 4, 4, (236, 90, 150), WHITE, 0.8)
    else:
        canvas.box(58 + shift, 20, 92 + shift, 50, (222, 180, 140), INK)
        canvas.polygon([(54 + shift, 20), (96 + shift, 20), (75 + shift, 3)], (170, 60, 50), INK)


@only_painted
def _room(canvas: Canvas, name: str, shift: float) -> None:
    wide = canvas.width
    if name == "chart":
        props.board(canvas, 8 + shift, 4, wide - 20, 40)
    elif name == "blackboard":
        canvas.box(6 + shift, 4, wide - 6 + shift, 46, (34, 84, 62), (130, 90, 50), 1.0, 2.0)
        for row in range(3):
            canvas.line([(12, 12 + 10 * row), (40 + 14 * row, 12 + 10 * row)], 1.0, WHITE)
    elif name == "flag":
        canvas.line([(10 + shift, 4), (10 + shift, 70)], 2.0, (110, 80, 50))
        canvas.box(11 + shift, 6, 40 + shift, 16, (40, 90, 170))
        canvas.box(11 + shift, 16, 40 + shift, 26, (236, 190, 60))
    elif name == "target":
        for r, tint in ((17, (220, 50, 50)), (12, WHITE), (7, (220, 50, 50))):
            canvas.ellipse((76 + shift, 24), r, r, tint)
    elif name == "safe":
        canvas.box(58 + shift, 8, 94 + shift, 46, (110, 118, 130), INK, 2.0, 1.4)
        canvas.ellipse((76 + shift, 27), 8, 8, (180, 188, 200), INK)
    elif name == "pipes":
        canvas.line([(0, 14), (wide, 14)], 6.0, (150, 156, 166))
        canvas.line([(20 + shift, 14), (20 + shift, 80)], 6.0, (176, 110, 70))
    elif name == "bed":
        canvas.box(0, 44, wide, 60, (236, 242, 246), INK, 2.0)
        canvas.box(2, 34, 24, 48, (200, 224, 240), INK, 4.0)
    elif name == "easel":
        canvas.line([(80 + shift, 2), (66 + shift, 80)], 2.0, (150, 96, 52))
        canvas.line([(80 + shift, 2), (94 + shift, 80)], 2.0, (150, 96, 52))
        canvas.box(62 + shift, 8, 95 + shift, 40, WHITE, INK)
        canvas.ellipse((74 + shift, 24), 7, 7, (230, 90, 70))
    elif name == "spotlight":
        canvas.box(0, 0, wide, canvas.height, (50, 40, 70))
        canvas.polygon([(wide / 2, 0), (wide * 0.1, canvas.height), (wide * 0.9, canvas.height)],
                       (236, 224, 150))  # fmt: skip
