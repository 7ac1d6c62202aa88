"""Faces with one of RAF-DB's seven expressions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from harness_demo_world.drawing.canvas import (
    INK,
    WHITE,
    Canvas,
    Frame,
    Point,
    backdrop,
    grain,
    mix,
    only_painted,
    shade,
    veil,
)
from harness_demo_world.drawing.figure import hair_before, hair_behind, marks

if TYPE_CHECKING:
    import random

    from PIL import Image

    from harness_demo_world.people import Person

EXPRESSIONS = ("surprise", "fear", "disgust", "happiness", "sadness", "anger", "neutral")
"""In the order of the release's codes 1..7."""

SIZE = 96
_NOISE = 0.25
_EYE = (0.38, 0.12)


@dataclass(frozen=True, slots=True)
class FaceScene:
    """An image and five landmarks (eyes, nose, mouth corners) in pixels."""

    image: Image.Image
    landmarks: tuple[Point, ...]


@dataclass(frozen=True, slots=True)
class _Face:
    """Numbers of a face in units of its radius; brow heights are above the eyes."""

    inner: float = 0.34
    outer: float = 0.34
    opening: float = 0.15
    pupil: float = 0.1


_FACES = {
    "surprise": _Face(0.52, 0.5, 0.24, 0.09),
    "fear": _Face(0.55, 0.3, 0.25, 0.06),
    "disgust": _Face(0.17, 0.24, 0.07, 0.09),
    "happiness": _Face(0.36, 0.34, 0.12, 0.1),
    "sadness": _Face(0.5, 0.2, 0.1, 0.1),
    "anger": _Face(0.1, 0.42, 0.13, 0.09),
    "neutral": _Face(),
}


def draw_face(who: Person, expression: str, rng: random.Random, paint: bool = True) -> FaceScene:
    """Draw the face of `who`; strength and pose vary, and the mouth follows the expression."""
    canvas = Canvas(SIZE, SIZE, paint)
    backdrop(canvas, rng)
    r = rng.uniform(30, 37)
    centre = (rng.uniform(43, 53), rng.uniform(46, 53))
    canvas.box(
        centre[0] - 0.4 * r, centre[1] + 0.7 * r, centre[0] + 0.4 * r, SIZE + 9, who.skin, INK
    )
    canvas.ellipse((centre[0], centre[1] + 1.95 * r), 1.35 * r, 0.7 * r, who.shirt, INK)
    hair_behind(canvas, who, centre, r)
    for side in (-1, 1):
        ear = (centre[0] + side * 0.98 * r, centre[1] + 0.08 * r)
        canvas.ellipse(ear, 0.16 * r, 0.22 * r, who.skin, INK)
    canvas.ellipse(centre, r, 1.08 * r, who.skin, INK, 1.2)
    hair_before(canvas, who, centre, r)
    f = Frame(centre, r, rng.uniform(-7, 7))
    strength = rng.uniform(0.12, 0.8)
    tint = {"anger": (222, 60, 50), "disgust": (120, 170, 70), "happiness": (240, 120, 120)}
    if expression in tint:
        blush = mix(who.skin, tint[expression], 0.14 * strength)
        for side in (-1, 1):
            canvas.ellipse(f.at(0.58 * side, -0.25), 0.2 * r, 0.15 * r, blush)
    _eyes(canvas, f, who, expression, strength, rng.uniform(-0.06, 0.06))
    _nose(canvas, f, who, expression)
    mouth = _mouth(canvas, f, expression, strength, rng)
    marks(canvas, who, centre, r)
    veil(canvas, rng)
    landmarks = (f.at(-_EYE[0], _EYE[1]), f.at(*_EYE), f.at(0, -0.12), *mouth)
    return FaceScene(grain(canvas.image(), rng, _NOISE), landmarks)


@only_painted
def _eyes(
    canvas: Canvas, f: Frame, who: Person, expression: str, strength: float, shift: float
) -> None:
    face, calm, r = _FACES[expression], _Face(), f.scale

    def blend(name: str) -> float:
        start: float = getattr(calm, name)
        end: float = getattr(face, name)
        return start + (end - start) * strength

    for side in (-1, 1):
        eye = f.at(_EYE[0] * side, _EYE[1])
        canvas.ellipse(eye, 0.21 * r, blend("opening") * r, WHITE, INK)
        pupil = min(blend("pupil"), blend("opening") * 0.95) * r
        canvas.ellipse((eye[0] + shift * r, eye[1]), pupil, pupil, INK)
        if who.glasses:
            canvas.ellipse(eye, 0.3 * r, 0.27 * r, None, INK)
        inner, outer = blend("inner"), blend("outer")
        middle = f.at(_EYE[0] * side, 0.16 + 0.52 * (inner + outer))
        brow = [f.at(0.14 * side, 0.12 + inner), middle, f.at(0.62 * side, 0.12 + outer)]
        canvas.line(brow, 0.1 * r, shade(who.hair, 0.7))
    if expression == "sadness" and strength > 0.75:
        drop = f.at(0.46, -0.22)
        canvas.ellipse(drop, 0.08 * r, 0.14 * r, (90, 160, 240), (40, 90, 190), 0.7)


@only_painted
def _nose(canvas: Canvas, f: Frame, who: Person, expression: str) -> None:
    line = shade(who.skin, 0.6)
    canvas.line([f.at(0.02, 0.1), f.at(0.12, -0.16), f.at(-0.06, -0.19)], 1.3, line)
    if expression == "disgust":
        for side in (-1, 1):
            for step in (0.0, 0.11):
                ends = [f.at(0.08 * side, 0.06 - step), f.at(0.22 * side, 0.12 - step)]
                canvas.line(ends, 1.2, line)


def _curve(f: Frame, half: float, level: float, sag: float) -> list[Point]:
    """Return points of a bowed line; a positive `sag` lowers the middle."""
    steps = [-1 + i / 4 for i in range(9)]
    return [f.at(half * s, level - sag * (1 - s * s)) for s in steps]


def _mouth(
    canvas: Canvas, f: Frame, expression: str, strength: float, rng: random.Random
) -> tuple[Point, Point]:
    r, level, half = f.scale, -0.5, 0.3
    dark, lip = (110, 24, 34), (150, 50, 56)
    if expression == "surprise":
        size = 0.06 + 0.2 * strength
        canvas.ellipse(f.at(0, level - 0.03), 0.75 * size * r, size * r, dark, INK)
    elif expression == "fear":
        half = 0.36
        top = _curve(f, half, level + 0.1, -0.08 * strength)
        low = _curve(f, half + 0.05, level + 0.04 - 0.24 * strength, -0.1 * strength)
        canvas.polygon([*top, *reversed(low)], WHITE, INK)
        for s in (-0.5, -0.17, 0.17, 0.5):
            ends = [f.at(half * s, level + 0.1), f.at(half * s, level + 0.06 - 0.22 * strength)]
            canvas.line(ends, 0.7, INK)
    elif expression == "disgust":
        canvas.line(_curve(f, half, level + 0.04, -0.16 * strength), 2.0, INK)
        if strength > 0.55:
            tongue = f.at(0.06, level - 0.1)
            canvas.ellipse(tongue, 0.14 * r, (0.12 + 0.1 * strength) * r, (236, 96, 120), INK)
    elif expression == "happiness":
        half = 0.42
        sag = 0.06 + 0.32 * strength
        rim = _curve(f, half, level + 0.14, sag)
        if rng.random() < strength:
            canvas.polygon([*rim, f.at(-half, level + 0.14)], WHITE, INK)
        canvas.line(rim, 2.0, INK)
    elif expression == "sadness":
        canvas.line(_curve(f, half, level - 0.16 * strength, -0.26 * strength), 2.2, INK)
    elif expression == "anger":
        half = 0.34
        high = 0.02 + 0.09 * strength
        corners = [f.at(-half, level + high), f.at(half, level + high),
                   f.at(half, level - high), f.at(-half, level - high)]  # fmt: skip
        canvas.polygon(corners, WHITE, INK, 1.4)
        canvas.line([f.at(-half, level), f.at(half, level)], 1.0, INK)
    else:
        canvas.line([f.at(-half, level), f.at(half, level)], 2.0, lip)
    return f.at(-half, level), f.at(half, level)
