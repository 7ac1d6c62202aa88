"""Take a text as it is: for scorers that read free text themselves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from harness.descriptors import Json
from harness.requests.extractor import Extracted


class VerbatimExtractor:
    """Return the text without blanks at its ends; never unparsed, and a refusal is a text too.

    An empty text stays an answer: official VQA scorers compare it like any other ("the" and ""
    are equal to them).
    """

    def __init__(self, options: Mapping[str, Json], labels: Sequence[str]) -> None:
        del options, labels

    def __call__(self, text: str, fields: Mapping[str, Json]) -> Extracted:
        """Return the text."""
        del fields
        return Extracted(text.strip())
