"""Find a point in a text: exactly two numbers, x and then y."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence

from harness.descriptors import Json
from harness.errors import UserError
from harness.requests.extractor import Extracted
from harness.requests.extractors.refusal import is_refusal

# A minus that follows a digit joins two numbers, as in "35-60"; it makes none negative.
_NUMBER = re.compile(r"(?<![0-9.])(?:(?<![\w)])-)?(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)")


class PointExtractor:
    """Return ``[x, y]`` as shares of width and height.

    A text with fewer or more than two numbers is unparsed: which of them are meant is not
    guessed. With a ``scale`` above 1 a whole number names a cell, 0 to ``scale - 1``, and becomes
    the middle of it, ``(value + 0.5) / scale``; a number with a fraction is a place,
    ``value / scale``. With a ``scale`` of 1 numbers are shares already. Shares are clipped to 0
    and 1.
    """

    def __init__(self, options: Mapping[str, Json], labels: Sequence[str]) -> None:
        del labels
        scale = options.get("scale")
        scale = 100.0 if scale is None else scale
        if isinstance(scale, bool) or not isinstance(scale, int | float) or not scale > 0:
            raise UserError(f"{scale!r} is not a number above 0", where="option 'scale'")
        self._scale = float(scale)

    def __call__(self, text: str, fields: Mapping[str, Json]) -> Extracted:
        """Return the point in a text."""
        del fields
        if is_refusal(text):
            return Extracted(None, "refusal")
        found = _NUMBER.findall(text)
        if len(found) != 2:
            return Extracted(None, "unparsed")
        x, y = (self._share(number) for number in found)
        return Extracted([x, y])

    def _share(self, number: str) -> float:
        value = float(number)
        if self._scale > 1 and "." not in number:
            value += 0.5
        share = value / self._scale
        return min(max(share, 0.0), 1.0) if math.isfinite(share) else 1.0
