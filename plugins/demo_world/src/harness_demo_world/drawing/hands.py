"""Hands that make HaGRIDv2's gestures, drawn as plain glove-like shapes."""

from __future__ import annotations

from dataclasses import dataclass

from harness_demo_world.drawing.canvas import INK, Canvas, Colour, Frame, Point, only_painted, shade

_ROOTS: tuple[Point, ...] = ((-0.66, 0.72), (-0.22, 0.92), (0.24, 0.9), (0.66, 0.66))
_LENGTHS = (1.42, 1.62, 1.5, 1.12)
_SPREAD = (-20.0, -6.0, 8.0, 23.0)
_CLOSED = (-2.0, -0.5, 1.0, 2.5)
_WIDTH = 0.4


@dataclass(frozen=True, slots=True)
class Shape:
    """One hand: which of the four fingers are stretched, the thumb, the side that is seen.

    `fingers` names stretched fingers by i, m, r, l; `thumb` is one of out, up, fold, ring, none;
    `turn` is in degrees clockwise.
    """

    fingers: str = ""
    thumb: str = "fold"
    back: bool = False
    together: bool = False
    turn: float = 0.0
    special: str = ""


GESTURES: dict[str, Shape] = {
    "call": Shape("l", "out"),
    "dislike": Shape("", "up", turn=180.0, special="side"),
    "fist": Shape(""),
    "four": Shape("imrl"),
    "grabbing": Shape("imrl", "claw", special="claw"),
    "grip": Shape("", "none", special="grip"),
    "like": Shape("", "up", special="side"),
    "little_finger": Shape("l"),
    "middle_finger": Shape("m"),
    "mute": Shape("i", back=True, special="mute"),
    "ok": Shape("mrl", "ring"),
    "one": Shape("i"),
    "palm": Shape("imrl", "out"),
    "peace": Shape("im"),
    "peace_inverted": Shape("im", back=True),
    "point": Shape("i", turn=90.0),
    "rock": Shape("il"),
    "stop": Shape("imrl", "close", together=True),
    "stop_inverted": Shape("imrl", "close", back=True, together=True),
    "three": Shape("imr"),
    "three2": Shape("im", "out"),
    "three3": Shape("mrl", "fold"),
    "three_gun": Shape("im", "up", together=True, turn=90.0),
    "thumb_index": Shape("i", "out"),
    "two_up": Shape("im", together=True),
    "two_up_inverted": Shape("im", back=True, together=True),
}
"""One-handed gestures."""

TWO_HANDED = (
    "hand_heart", "hand_heart2", "thumb_index2", "timeout", "holy", "take_picture", "xsign",
)  # fmt: skip

CLASSES = (
    "grabbing", "grip", "holy", "point", "call", "three3", "timeout", "xsign", "hand_heart",
    "hand_heart2", "little_finger", "middle_finger", "take_picture", "dislike", "fist", "four",
    "like", "mute", "ok", "one", "palm", "peace", "peace_inverted", "rock", "stop",
    "stop_inverted", "three", "three2", "two_up", "two_up_inverted", "three_gun", "thumb_index",
    "thumb_index2", "no_gesture",
)  # fmt: skip
"""The 34 labels in the release's own order."""


def _finger(
    canvas: Canvas, f: Frame, path: list[Point], skin: Colour, width: float = _WIDTH
) -> None:
    canvas.limb([f.at(*p) for p in path], width * f.scale, skin)


def _nail(canvas: Canvas, f: Frame, tip: Point) -> None:
    """Draw a bright nail: it tells the back of a hand from the palm."""
    canvas.ellipse(f.at(*tip), 0.2 * f.scale, 0.22 * f.scale, (255, 92, 120), (255, 240, 240), 0.6)


def _palm(canvas: Canvas, f: Frame, skin: Colour) -> None:
    outline = [(-0.7, -0.95), (-0.92, -0.2), (-0.88, 0.72), (-0.4, 0.98), (0.3, 0.98),
               (0.86, 0.7), (0.86, -0.2), (0.6, -0.95)]  # fmt: skip
    canvas.polygon([f.at(*p) for p in outline], skin, INK, 0.9)


def _forearm(canvas: Canvas, f: Frame, skin: Colour, sleeve: Colour, length: float) -> None:
    canvas.limb([f.at(0, -0.6), f.at(0, -1.6)], 1.0 * f.scale, skin)
    if length > 0:
        canvas.limb([f.at(0, -1.7), f.at(0, -1.7 - length)], 1.35 * f.scale, sleeve)


def _claw(canvas: Canvas, f: Frame, skin: Colour) -> None:
    """Draw fingers bent over like claws."""
    _palm(canvas, f, skin)
    for root, angle in zip(_ROOTS, (-26.0, -9.0, 9.0, 27.0), strict=True):
        middle = f.ray(root, angle, 0.85)
        tip = (middle[0] + (0.3 if root[0] < 0 else -0.3), middle[1] - 0.75)
        _finger(canvas, f, [root, middle, tip], skin, 0.36)
    _finger(canvas, f, [(-0.8, -0.2), (-1.45, 0.15), (-1.1, 0.7)], skin, 0.38)


def _grip(canvas: Canvas, f: Frame, skin: Colour) -> None:
    """Draw a hand that closes round an unseen rod: a thick ring with a gap."""
    path = [(0.2, -0.8), (-0.75, -0.35), (-0.95, 0.5), (-0.35, 1.15), (0.55, 1.0), (0.9, 0.45)]
    _finger(canvas, f, path, skin, 0.66)
    _finger(canvas, f, [(0.2, -0.8), (0.85, -0.4), (1.0, -0.1)], skin, 0.5)
    for x, y in ((-0.75, 0.95), (0.1, 1.25)):
        canvas.line([f.at(x, y), f.at(x * 0.7, y * 0.65)], 0.7, shade(skin, 0.55))


def _thumb(canvas: Canvas, f: Frame, kind: str, skin: Colour) -> None:
    if kind == "out":
        _finger(canvas, f, [(-0.7, -0.35), (-1.25, 0.1), (-1.85, 0.35)], skin, 0.46)
    elif kind == "close":
        _finger(canvas, f, [(-0.75, -0.4), (-1.08, 0.1), (-1.05, 0.65)], skin, 0.4)
    elif kind == "up":
        _finger(canvas, f, [(-0.7, -0.1), (-1.5, 0.0), (-2.1, -0.05)], skin, 0.5)
    elif kind == "fold":
        _finger(canvas, f, [(-0.75, -0.3), (-0.35, 0.18), (0.3, 0.22)], skin, 0.42)


def _folded(canvas: Canvas, f: Frame, root: Point, skin: Colour, back: bool) -> None:
    """Draw a finger that is curled in: a knuckle on the back, a short stub on the palm side."""
    if back:
        canvas.ellipse(
            f.at(root[0], root[1] + 0.02), 0.24 * f.scale, 0.24 * f.scale, skin, INK, 0.7
        )
    else:
        _finger(canvas, f, [(root[0], root[1] + 0.05), (root[0], root[1] - 0.42)], skin, 0.38)


@only_painted
def hand(
    canvas: Canvas, f: Frame, shape: Shape, skin: Colour, sleeve: Colour, arm: float = 2.0
) -> None:
    """Draw one hand in the frame `f`; `arm` is the length of the sleeve in palm units."""
    _forearm(canvas, f, skin, sleeve, arm)
    if shape.special == "claw":
        _claw(canvas, f, skin)
    elif shape.special == "grip":
        _grip(canvas, f, skin)
    else:
        _open_hand(canvas, f, shape, skin)


def _open_hand(canvas: Canvas, f: Frame, shape: Shape, skin: Colour) -> None:
    """Draw stretched fingers, palm, curled fingers and thumb, from back to front."""
    if shape.thumb in ("out", "up"):
        _thumb(canvas, f, shape.thumb, skin)
    angles = _CLOSED if shape.together else _SPREAD
    tips: list[Point] = []
    for name, root, length, angle in zip("imrl", _ROOTS, _LENGTHS, angles, strict=True):
        if name in shape.fingers:
            tip = f.ray(root, angle, length)
            _finger(canvas, f, [(root[0], root[1] - 0.3), tip], skin)
            tips.append(f.ray(root, angle, length - 0.02))
    _palm(canvas, f, skin)
    for name, root in zip("imrl", _ROOTS, strict=True):
        if name not in shape.fingers and not (name == "i" and shape.thumb == "ring"):
            _folded(canvas, f, root, skin, shape.back)
    if shape.thumb == "ring":
        _finger(canvas, f, [(-0.66, 0.72), (-1.15, 1.25), (-1.75, 1.05)], skin, 0.36)
        _finger(canvas, f, [(-0.75, -0.2), (-1.5, 0.1), (-1.8, 0.9)], skin, 0.38)
    if shape.back:
        for tip in tips:
            _nail(canvas, f, tip)
        return
    if shape.thumb in ("fold", "close"):
        _thumb(canvas, f, shape.thumb, skin)
    if len(shape.fingers) >= 3 and shape.thumb in ("out", "close"):
        crease = shade(skin, 0.68)
        canvas.line([f.at(-0.5, 0.35), f.at(0.1, 0.15), f.at(0.6, 0.3)], 0.9, crease)
        canvas.line([f.at(-0.45, 0.0), f.at(0.05, -0.3), f.at(0.1, -0.7)], 0.9, crease)


@only_painted
def two_hands(
    canvas: Canvas, gesture: str, centre: Point, unit: float, skin: Colour, sleeve: Colour
) -> None:
    """Draw a gesture that needs both hands, centred on `centre`."""
    x, y = centre
    frame = Frame(centre, unit)
    if gesture == "holy":
        for side in (1, -1):
            f = Frame((x + side * 0.42 * unit, y), unit, -8.0 * side, side < 0)
            _forearm(canvas, Frame(f.centre, unit, -34.0 * side), skin, sleeve, 2.0)
            canvas.polygon([f.at(*p) for p in ((-0.45, -1), (-0.45, 2.3), (0.0, 2.2), (0.45, 1.0),
                                               (0.5, -0.9))], skin, INK, 0.9)  # fmt: skip
            _finger(canvas, f, [(0.1, -0.2), (0.2, 0.9)], skin, 0.3)
    elif gesture == "timeout":
        upright = Frame((x, y + 1.3 * unit), unit * 0.95)
        hand(canvas, upright, Shape("imrl", "close", together=True), skin, sleeve)
        flat = Frame((x - 1.1 * unit, y - 1.55 * unit), unit * 0.9, 84.0)
        _forearm(canvas, flat, skin, sleeve, 1.2)
        outline = ((-0.42, -0.9), (-0.45, 2.3), (0.35, 2.4), (0.45, -0.9))
        canvas.polygon([flat.at(*p) for p in outline], skin, INK, 0.9)
    elif gesture == "xsign":
        for side in (1, -1):
            f = Frame((x + side * 1.15 * unit, y - 1.1 * unit), unit * 0.8, 42.0 * side)
            canvas.limb([f.at(0, -3.9), f.at(0, -0.9)], 1.15 * f.scale, sleeve)
            canvas.limb([f.at(0, -1.2), f.at(0, -0.2)], 0.95 * f.scale, skin)
            hand(canvas, Frame(f.centre, f.scale, f.angle, side < 0), Shape(""), skin, sleeve, 0)
    else:
        _framing(canvas, gesture, frame, skin, sleeve)


def _framing(canvas: Canvas, gesture: str, f: Frame, skin: Colour, sleeve: Colour) -> None:
    """Draw the two-handed gestures whose hands enclose a space."""
    u, (x, y) = f.scale, f.centre
    if gesture == "hand_heart":
        for side in (1, -1):
            g = Frame((x, y), u * 1.05, 0.0, side < 0)
            canvas.limb([g.at(2.4, -2.5), g.at(1.55, -0.7)], 1.1 * u, sleeve)
            path = [(0.0, -1.5), (0.9, -0.75), (1.55, 0.2), (1.4, 1.15), (0.7, 1.4), (0.05, 0.65)]
            _finger(canvas, g, path, skin, 0.58)
            _finger(canvas, g, [(1.55, -0.2), (1.5, 0.4)], skin, 0.85)
    elif gesture == "hand_heart2":
        for side in (1, -1):
            g = Frame((x, y), u * 1.1, 0.0, side < 0)
            canvas.limb([g.at(2.5, -2.3), g.at(1.6, 0.0)], 1.1 * u, sleeve)
            _finger(canvas, g, [(1.45, 0.1), (0.05, 1.45)], skin, 0.42)
            _finger(canvas, g, [(1.45, -0.1), (0.05, -1.45)], skin, 0.42)
            canvas.polygon([g.at(*p) for p in ((1.1, 0.6), (1.1, -0.6), (2.0, -0.75), (2.0, 0.7))],
                           skin, INK, 0.9)  # fmt: skip
    elif gesture == "thumb_index2":
        for side in (1, -1):
            g = Frame((x + side * 1.95 * u, y), u * 0.85, -12.0 * side, side < 0)
            hand(canvas, g, GESTURES["thumb_index"], skin, sleeve, 1.5)
    else:  # take_picture: one hand upright, the other upside down, a window between them
        left = Frame((x - 1.75 * u, y + 1.2 * u), u * 0.86, 0.0, True)
        hand(canvas, left, GESTURES["thumb_index"], skin, sleeve, 1.5)
        right = Frame((x + 1.75 * u, y - 1.0 * u), u * 0.86, 180.0, True)
        hand(canvas, right, GESTURES["thumb_index"], skin, sleeve, 0.8)
