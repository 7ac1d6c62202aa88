"""Words about people that several releases share."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from harness.errors import DataError, nearest, quoted

TEN = 10  # people answered each question of VQAv2 and TextVQA
NOT_TEN = "questions with fewer or more than ten answers"

# What spreadsheets make of ranges such as 3-9 and 10-19: a day and a month, or a whole date.
_DATE = re.compile(
    r"\d{1,2}[-/. ]+[^\W\d]{3,9}\.?"
    r"|[^\W\d]{3,9}\.?[-/. ]+\d{1,4}"
    r"|\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}.{0,12}"
    r"|\d{1,2}\.\d{1,2}\.?|[34]\d{4}"  # a day and a month, or the days since 1900
)
_SPREADSHEET = (
    "a spreadsheet made a date of a range (3-9 becomes 9-Mar, 10-19 becomes 19-Oct): take the file "
    "as the release has it"
)


def known(value: str, values: Mapping[str, str], owner: str, where: str) -> str:
    """Return the release's spelling of a label, whatever its case; see :func:`spellings`.

    Raises:
        DataError: for a label outside the list.
    """
    label = values.get(value.strip().lower())
    if label is None:
        raise DataError(
            f"{quoted(value)} is no {owner} of this release",
            where=where,
            fix=_SPREADSHEET
            if _DATE.fullmatch(value.strip())
            else nearest(value, dict.fromkeys(values.values())),
        )
    return label


def spellings(values: Sequence[str], **others: str) -> dict[str, str]:
    """Return lower-case spelling to the release's own; ``others`` adds spellings in use."""
    return {**{value.lower(): value for value in values}, **others}


def answer_notes(answers: Sequence[object] | None) -> dict[str, int]:
    """Return the notes of a question that people answered: none where they are ten."""
    return {} if answers is None or len(answers) == TEN else {NOT_TEN: 1}


def with_article(noun: str) -> str:
    """Return a noun with its article: a chef, an engineer."""
    return f"{'an' if noun[:1] in 'aeiou' else 'a'} {noun}"
