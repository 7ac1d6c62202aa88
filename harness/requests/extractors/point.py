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
    r"(?P<unit>\s?%|\s?px\b)?(?!d\b)"
)
_MINUS = re.compile(r"[\u2010-\u2015\u2212]")
_FULL_WIDTH = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}  # to plain ASCII
# Where an answer says which numbers are the point, others beside it (of a label) are none of it:
# Qwen's {"point_2d": [x, y], "label": ...} and Molmo's <point x="..." y="..." alt="...">.
_NAMED_POINTS = re.compile(
    r"""["'](?:point(?:_2d)?|coordinates?)["']\s*:\s*[\[(](?P<pair>[^\[\]()"']*)[\])]"""
    r"""|<point\s+x\s*=\s*(?P<xml>["'][^"']*["']\s+y\s*=\s*["'][^"']*["'])"""
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
    ``px`` where it is pixels.

    Args:
        options: ``scale``, one of :data:`SCALES`.
    """

    def __init__(self, options: Mapping[str, Json], labels: Sequence[str]) -> None:
        del labels
        scale = options.get("scale")
        name = SCALES[0] if scale is None else str(scale).removesuffix(".0")
        if isinstance(scale, bool) or name not in SCALES:
            raise UserError(
                f"{scale!r} is no scale of points",
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
                "points in pixels need the size of the image, and it was not opened",
                where="option 'scale'",
            )
        width, height = (float(str(side)) for side in size)
        return width, height

    def _share(self, match: re.Match[str], side: float) -> float | None:
        """Return a number as a share of a side; ``None`` when it cannot be one."""
        unit = (match["unit"] or "").strip()
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


def _value(match: re.Match[str]) -> float:
    return float(_MINUS.sub("-", match["number"]))


def _as_shares(numbers: Sequence[re.Match[str]]) -> bool:
    """Whether a point is written as shares are: a number with a fraction, and both at most 1."""
    return any(re.search(r"[.eE]", match["number"]) for match in numbers) and all(
        _value(match) <= 1 and not match["unit"] for match in numbers
    )
