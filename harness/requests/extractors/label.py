"""Find a label in a text: exactly one of the task's labels, as whole words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from harness.descriptors import Json
from harness.errors import UserError
from harness.requests.extractor import Extracted
from harness.requests.extractors.refusal import is_refusal

_JOINTS = re.compile(r"[\s_-]+")


class LabelExtractor:
    """Return the label that a text names.

    Case does not matter, and a blank, an underscore and a hyphen are alike. Where two labels start
    at one place the longer one counts ("stop inverted" is not "stop"), and a label inside a longer
    one is not named ("non-intimate" is not "intimate"). A text that names no label, or two
    different ones, is unparsed.
    """

    def __init__(self, options: Mapping[str, Json], labels: Sequence[str]) -> None:
        del options
        if not labels:
            raise UserError(
                "the extractor 'label' needs labels, and a task that is no choice has none",
                where="ask.extractor",
                fix="ask with choose and its labels, or name another extractor, such as verbatim",
            )
        self._labels = {_plain(label): label for label in labels}
        if len(self._labels) != len(labels) or "" in self._labels:
            raise UserError(
                "the extractor 'label' needs labels that differ in more than case and joints",
                where="ask.extractor",
            )
        longest_first = sorted(self._labels, key=len, reverse=True)
        names = "|".join(re.escape(name) for name in longest_first)
        self._pattern = re.compile(rf"(?<!\w)(?:{names})(?!\w)")

    def __call__(self, text: str, fields: Mapping[str, Json]) -> Extracted:
        """Return the label in a text."""
        del fields
        if is_refusal(text):
            return Extracted(None, "refusal")
        named = {found.group() for found in self._pattern.finditer(_plain(text))}
        if len(named) != 1:
            return Extracted(None, "unparsed")
        return Extracted(self._labels[named.pop()])


def _plain(text: str) -> str:
    return _JOINTS.sub(" ", text).strip().casefold()
