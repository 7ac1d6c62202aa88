"""Find a label in a text: exactly one of the task's labels, as whole words."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence

from harness.descriptors import Json
from harness.errors import UserError
from harness.requests.extractor import Extracted
from harness.requests.extractors.refusal import is_refusal

# Blanks, underscores, every kind of hyphen and dash, and what only sets a word off: quotation marks
# and the stars of Markdown ("non-**intimate**").
_JOINTS = re.compile(r"[\s_\-\u2010-\u2015\u2212\ufe58\ufe63\uff0d*`\"\u201c\u201d]+")
_UNSEEN = re.compile(r"[\u00ad\u200b\u2060\ufeff]")
_EDGES = " .,;:!?'()[]"
_NEGATED = re.compile(
    r"(?:(?<!\w)(?:not|no|never|neither|nor|cannot|non|un|hardly|barely|far from|rather than"
    r"|instead of|without)|n['\u2019]t)"
    r"(?: (?:a|an|the|any|at all|be|been|being|really|very|so|exactly|particularly|longer))* $"
)

_REACH = 300
"""Characters before a label in which a negation is looked for: a text that repeats a label without
end is read in time in proportion to its length."""


class LabelReader:
    """The one reader of labels in words: of written answers, and of choices answered in words.

    Case does not matter; a blank, an underscore, every kind of hyphen, quotation marks and the
    stars of Markdown are alike. Where two labels start at one place the longer one counts ("stop
    inverted" is not "stop"), and a label inside a longer one is not named ("non-intimate" is not
    "intimate"); neither is one that a negation rules out ("not at all intimate", "far from
    intimate"). Where a label is another one with words after it, those words may stand before it as
    well ("inverted stop" is not "stop"). A text that is a label names it; any other names what
    stands in it as whole words. A text that names no label, or two different ones, is unparsed.

    Args:
        labels: In the form that texts are to name; what is read is their place.

    Raises:
        ValueError: labels that differ in no more than case, joints and marks at their ends, or one
            without anything else.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self._places = {_comparable(label): place for place, label in enumerate(labels)}
        if not labels or len(self._places) != len(labels) or "" in self._places:
            raise ValueError("labels that differ in no more than case and joints")
        self._places |= _turned(self._places)
        longest_first = sorted(self._places, key=len, reverse=True)
        names = "|".join(re.escape(name) for name in longest_first)
        self._pattern = re.compile(rf"(?<!\w)(?:{names})(?!\w)")

    def read(self, text: str) -> Extracted:
        """Return the place of the label that a text names, or why there is none."""
        if is_refusal(text):
            return Extracted(None, "refusal")
        plain = _comparable(text)
        if plain in self._places:
            return Extracted(self._places[plain])
        named = {
            self._places[match.group()]
            for match in self._pattern.finditer(plain)
            if not _NEGATED.search(plain, max(0, match.start() - _REACH), match.start())
        }
        return Extracted(named.pop()) if len(named) == 1 else Extracted(None, "unparsed")


class LabelExtractor:
    """Return the label that a text names; see :class:`LabelReader`."""

    def __init__(self, options: Mapping[str, Json], labels: Sequence[str]) -> None:
        del options
        if not labels:
            raise UserError(
                "the extractor 'label' needs labels, and a task that is no choice has none",
                where="ask.extractor",
                fix="ask with choose and its labels, or name another extractor, such as verbatim",
            )
        self._labels = list(labels)
        try:
            self._reader = LabelReader(labels)
        except ValueError:
            raise UserError(
                "the extractor 'label' needs labels that differ in more than case and joints",
                where="ask.extractor",
            ) from None

    def __call__(self, text: str, fields: Mapping[str, Json]) -> Extracted:
        """Return the label in a text."""
        del fields
        reading = self._reader.read(text)
        if not isinstance(reading.answer, int):
            return reading
        return Extracted(self._labels[reading.answer])


def _turned(places: Mapping[str, int]) -> dict[str, int]:
    """Return labels that are another one with words after it, with those words before it."""
    turned = {
        f"{label[len(shorter) + 1 :]} {shorter}": position
        for label, position in places.items()
        for shorter in places
        if label.startswith(f"{shorter} ")
    }
    return {name: position for name, position in turned.items() if name not in places}


def _comparable(text: str) -> str:
    visible = unicodedata.normalize("NFKC", _UNSEEN.sub("", text))
    return _JOINTS.sub(" ", visible).strip(_EDGES).casefold()
