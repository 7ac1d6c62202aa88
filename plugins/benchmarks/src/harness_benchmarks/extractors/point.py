"""Find a point in a text: exactly two numbers, x and then y."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from harness.descriptors import Json
from harness.errors import UserError
from harness.requests.extractor import Extracted
from harness.requests.extractors.refusal import is_refusal

PIXELS = "pixels"
SCALES = ("100", "1", "1000", PIXELS)
# A minus that follows a digit joins two numbers, as in "35-60"; it makes none negative. Digits in a
# word are no number ("point_2d"), but those after a name are ("x35").
_NUMBER = re.compile(
    r"(?<![0-9._])(?P<number>(?:(?<![\w)])[-\u2010-\u2015\u2212])?"
    r"(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][-+]?[0-9]+)?)(?!\.?[0-9])"
    r"(?P<unit>\s?%|\s?per ?cent\b|\s?px\b)?(?!d\b|\s?[\u00b0\u00ba])"
)
_MINUS = re.compile(r"[\u2010-\u2015\u2212]")
_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}  # to plain ASCII
# Where an answer says which numbers are the point, others beside it (of a label) are none of it:
# Qwen's {"point_2d": [x, y], "label": ...} and Molmo's <point x="..." y="..." alt="...">.
_NAMED_POINTS = re.compile(
    r"""["'](?:point(?:_2d)?|coordinates?)["']\s*:\s*[\[(](?P<pair>[^\[\]()"']*)[\])]"""
    r"""|<point\s+x\s*=\s*(?P<xml>["'][^"']*["']\s+y\s*=\s*["'][^"']*["'])"""
)
# An axis beside its number: "y=60, x=35", "60% from the top", "top: 60, left: 35". A distance from
# the right or from below counts the other way round, so it is no coordinate here.
_AXIS = (
    r"(?:(?P<x>x|left|column|col|horizontal(?:ly)?|width|across)"
    r"|(?P<y>y|top|row|vertical(?:ly)?|height|down)"
    r"|(?P<other>right|bottom))"
)
_BEFORE = re.compile(
    rf"(?<![^\W\d_]){_AXIS}(?:[ _-]?(?:axis|coordinate|coord|position|value|pos))?"
    r"[\s:='\"(\[]*(?:is|at|of)?[\s:='\"(\[]*$",
    re.IGNORECASE,
)
_AFTER = re.compile(
    r"[\s)(\]'\"]*(?:(?:from|of|along|down|across|in|on) (?:the )?)?" + _AXIS + r"(?![^\W\d_])",
    re.IGNORECASE,
)
_REACH = 40
"""Characters before a number in which the name of its axis is looked for."""
_Y_FIRST = re.compile(r"[(\[<{]?\b(?:y\s*,\s*x|row\s*,\s*col(?:umn)?)\b", re.IGNORECASE)
# Before a point that is denied, or of which two numbers are a range.
_NO_POINT = re.compile(
    r"(?:\b(?:not|never|between)|n['\u2019]t)(?: \w+){0,2}[\s(\[]*$", re.IGNORECASE
)


class PointExtractor:
    """Return ``[x, y]`` as shares of width and height.

    A text with fewer or more than two numbers is unparsed: which of them are meant is not
    guessed, and neither is a scale. Where the text itself names one point (``"point_2d": [x, y]``,
    ``<point x="..." y="...">``), only its numbers count. A number that cannot be of the scale
    (below 0, above it) makes the point unparsed.

    On a scale of 100 or 1000 a whole number names a cell, 0 to ``scale - 1``, and becomes the
    middle of it, ``(value + 0.5) / scale``; a number with a fraction is a place, ``value / scale``,
    unless both are at most 1, which is how shares are written. On a scale of 1 numbers are shares.
    In pixels, of the image as it was shown, each side is a scale of its own, and shares are told
    in the same way. A percent sign says its own scale, and is read where the scale is 100 or 1;
    ``px`` where it is pixels. Where the text names the axes ("y=60, x=35", "60% from the top, 35%
    from the left"), their names say which number is which; with names that make no point ("x=3,
    x=4", "from the right") it is unparsed.

    Args:
        options: ``scale``, one of :data:`SCALES`.
    """

    def __init__(self, options: Mapping[str, Json], labels: Sequence[str]) -> None:
        del labels
        scale = options.get("scale")
        name = SCALES[0] if scale is None else str(scale).removesuffix(".0")
        if isinstance(scale, bool) or name not in SCALES:
            raise UserError(
                f"{scale!r} is not a scale of points",
                where="option 'scale'",
                fix=f"one of {', '.join(SCALES)}",
            )
        self._scale = None if name == PIXELS else float(name)

    @property
    def needs_image_size(self) -> bool:
        """Whether the size of the image must be known."""
        return self._scale is None

    def __call__(self, text: str, fields: Mapping[str, Json]) -> Extracted:
        """Return the point in a text.

        Raises:
            UserError: for points in pixels of an image whose size is not known.
        """
        if is_refusal(text):
            return Extracted(None, "refusal")
        text = text.translate(_FULL_WIDTH)
        named = list(_NAMED_POINTS.finditer(text))
        if len(named) == 1:
            text = named[0]["pair"] or named[0]["xml"]
        numbers = list(_NUMBER.finditer(text))
        if len(numbers) != 2:
            return Extracted(None, "unparsed")
        if _NO_POINT.search(text[max(0, numbers[0].start() - _REACH) : numbers[0].start()]):
            return Extracted(None, "unparsed")
        order = _order(text, numbers)
        if not order:
            return Extracted(None, "unparsed")
        numbers = [numbers[place] for place in order]
        sides = self._sides(fields)
        shares = [self._share(*pair) for pair in zip(numbers, sides, strict=True)]
        if None in shares or (self._scale != 1.0 and _as_shares(numbers)):
            return Extracted(None, "unparsed")
        return Extracted([*shares])

    def _sides(self, fields: Mapping[str, Json]) -> tuple[float, float]:
        """Return the scale along x and along y."""
        if self._scale is not None:
            return self._scale, self._scale
        size = fields.get("image_size")
        if not isinstance(size, list) or len(size) != 2:
            raise UserError(
                "points in pixels need the size of an image that was opened",
                where="option 'scale'",
            )
        width, height = (float(str(side)) for side in size)
        return width, height

    def _share(self, match: re.Match[str], side: float) -> float | None:
        """Return a number as a share of a side; ``None`` when it cannot be one."""
        unit = (match["unit"] or "").strip()
        unit = "%" if unit.startswith("per") else unit
        if unit == "%" and self._scale not in {1.0, 100.0}:
            return None
        if unit == "px" and self._scale is not None:
            return None
        value = _value(match)
        if unit == "%":
            return value / 100 if 0 <= value <= 100 else None
        if self._scale != 1 and not re.search(r"[.eE]", match["number"]):
            value += 0.5 if value >= 0 else 0.0
        return value / side if 0 <= value <= side else None


def _order(text: str, numbers: Sequence[re.Match[str]]) -> tuple[int, ...]:
    """Return the places of x and y among two numbers; nothing where their names make no point."""
    first, second = numbers
    ahead, between = text[max(0, first.start() - _REACH) : first.start()], text[first.end() :]
    between = between[: second.start() - first.end()]
    before = _BEFORE.search(ahead), _BEFORE.search(between[-_REACH:])
    after = _AFTER.match(between), _AFTER.match(text, second.end())
    names = _names(before)
    if "" in names and "" not in _names(after):
        names = _names(after)
    if not any(names) and _Y_FIRST.search(text):
        names = ("y", "x")
    if names == ("y", "x"):
        return (1, 0)
    return (0, 1) if names[0] in {"", "x"} and names[1] in {"", "y"} else ()


def _names(pair: Sequence[re.Match[str] | None]) -> tuple[str, ...]:
    """Return the axes of two numbers, or nothing: a word beside one number alone is prose."""
    words = ["" if match is None else match[str(match.lastgroup)].casefold() for match in pair]
    if not all(words):
        return tuple(word if word in {"x", "y"} else "" for word in words)
    return tuple(str(match.lastgroup) for match in pair if match is not None)


def _value(match: re.Match[str]) -> float:
    return float(_MINUS.sub("-", match["number"]))


def _as_shares(numbers: Sequence[re.Match[str]]) -> bool:
    """Whether a point is written as shares are: a number with a fraction, and both at most 1."""
    return any(re.search(r"[.eE]", match["number"]) for match in numbers) and all(
        _value(match) <= 1 and not match["unit"] for match in numbers
    )
