"""Things of daily life that tell what two people are to each other or do together."""

from __future__ import annotations

from harness_demo_world.drawing.canvas import INK, WHITE, Canvas, Colour, Point


def bouquet(canvas: Canvas, at: Point, size: float) -> None:
    """Draw a bunch of flowers held at a point."""
    x, y = at
    canvas.polygon([(x, y + 0.5 * size), (x - 0.6 * size, y - 0.5 * size),
                    (x + 0.6 * size, y - 0.5 * size)], (70, 150, 70), INK)  # fmt: skip
    for dx, dy in ((-0.5, -0.6), (0.0, -0.9), (0.5, -0.6)):
        canvas.ellipse(
            (x + dx * size, y + dy * size), 0.4 * size, 0.4 * size, (240, 50, 110), INK, 0.7
        )


def heart(canvas: Canvas, at: Point, size: float) -> None:
    """Draw a heart."""
    x, y = at
    red: Colour = (230, 30, 70)
    canvas.polygon(
        [(x - size, y - 0.1 * size), (x + size, y - 0.1 * size), (x, y + 1.1 * size)], red
    )
    for side in (-1, 1):
        canvas.ellipse((x + side * 0.5 * size, y - 0.25 * size), 0.56 * size, 0.52 * size, red)


def case(canvas: Canvas, at: Point, size: float) -> None:
    """Draw a briefcase that hangs from a hand."""
    x, y = at
    canvas.arc((x, y + 0.25 * size), 0.4 * size, 0.4 * size, 180, 360, INK, 1.4)
    canvas.box(x - size, y + 0.25 * size, x + size, y + 1.5 * size, (110, 70, 40), INK, 1.0)


def bag(canvas: Canvas, at: Point, size: float) -> None:
    """Draw a paper bag that hangs from a hand."""
    x, y = at
    canvas.arc((x, y + 0.3 * size), 0.4 * size, 0.5 * size, 180, 360, INK, 1.2)
    canvas.box(x - 0.8 * size, y + 0.3 * size, x + 0.8 * size, y + 2.0 * size, (240, 190, 80), INK)
    canvas.ellipse((x, y + 1.1 * size), 0.3 * size, 0.3 * size, (200, 50, 50))


def cup(canvas: Canvas, at: Point, size: float, colour: Colour) -> None:
    """Draw a drink with a straw above a raised hand."""
    x, y = at
    canvas.line([(x, y - 0.8 * size), (x + 0.4 * size, y - 1.9 * size)], 1.0, INK)
    canvas.polygon([(x - 0.6 * size, y - 1.3 * size), (x + 0.6 * size, y - 1.3 * size),
                    (x + 0.4 * size, y + 0.4 * size), (x - 0.4 * size, y + 0.4 * size)],
                   colour, INK, 0.8)  # fmt: skip


def telephone(canvas: Canvas, at: Point, size: float) -> None:
    """Draw a small telephone in a hand."""
    x, y = at
    canvas.box(
        x - 0.4 * size, y - 0.9 * size, x + 0.4 * size, y + 0.4 * size, (30, 34, 44), WHITE, 1
    )


def counter(canvas: Canvas, x: float, ground: float, half: float, high: float) -> None:
    """Draw a shop counter with a till and a striped awning above it."""
    canvas.box(x - half, ground - high, x + half, ground, (176, 120, 70), INK, 1.0)
    canvas.box(x - half - 2, ground - high - 3, x + half + 2, ground - high + 1, (120, 76, 40), INK)
    canvas.box(x - 6, ground - high - 13, x + 6, ground - high - 3, (70, 76, 88), INK, 1.0)
    canvas.box(x - 4, ground - high - 11, x + 4, ground - high - 7, (140, 230, 150))


def awning(canvas: Canvas, left: float, right: float, top: float, high: float) -> None:
    """Draw a striped awning."""
    count = 6
    step = (right - left) / count
    for k in range(count):
        colour: Colour = (220, 60, 60) if k % 2 == 0 else WHITE
        canvas.box(left + k * step, top, left + (k + 1) * step, top + high, colour, INK, 0, 0.6)


def board(canvas: Canvas, left: float, top: float, wide: float, high: float) -> None:
    """Draw a whiteboard with a rising chart."""
    canvas.box(left, top, left + wide, top + high, WHITE, INK, 1.0)
    for k in range(4):
        bar = high * (0.2 + 0.18 * k)
        x = left + wide * (0.14 + 0.2 * k)
        canvas.box(x, top + high * 0.92 - bar, x + wide * 0.12, top + high * 0.92, (60, 110, 200))


def crate(canvas: Canvas, at: Point, half: float, high: float) -> None:
    """Draw a large box that two people carry, centred on a point."""
    x, y = at
    canvas.box(x - half, y - high, x + half, y + high, (190, 130, 70), INK, 1.0, 1.2)
    canvas.line([(x - half, y), (x + half, y)], 2.0, (236, 208, 150))
    canvas.line([(x, y - high), (x, y + high)], 2.0, (236, 208, 150))


def seat(canvas: Canvas, left: float, right: float, y: float, ground: float) -> None:
    """Draw a bench whose top is at height `y`."""
    for leg in (left + 4, right - 4):
        canvas.box(leg - 1.5, y, leg + 1.5, ground, (90, 60, 40), INK, 0, 0.6)
    canvas.box(left, y - 16, right, y - 9, (150, 96, 52), INK, 1.0)
    canvas.box(left, y, right, y + 5, (170, 110, 60), INK, 1.0)


def wheels(canvas: Canvas, x: float, ground: float, size: float, way: int) -> None:
    """Draw a bicycle whose pedals are at `x`."""
    left, right, y = x - 1.15 * size, x + 1.15 * size, ground - size
    steel: Colour = (40, 44, 60)
    for hub in (left, right):
        canvas.ellipse((hub, y), size, size, None, steel, 2.0)
        canvas.ellipse((hub, y), 0.18 * size, 0.18 * size, steel)
    canvas.line([(left, y), (x - 0.3 * size * way, y - size), (right, y)], 1.8, (220, 70, 40))
    front = right if way > 0 else left
    canvas.line([(front, y), (front - 0.25 * way * size, y - 1.7 * size),
                 (front - 0.6 * way * size, y - 1.75 * size)], 1.8, steel)  # fmt: skip
