"""How the official VQA evaluations make two answers comparable: normalised text, with its quirks.

Sources: ``vqaEval.py`` of the official VQA tools (GT-Vision-Lab/VQA, commit a013f004) and the
answer processor of the official TextVQA metric (facebookresearch/mmf, commit b0ffc7fb).
"""

from __future__ import annotations

import re
from functools import lru_cache

_MARKS = ';/[]"{}()=+\\_-><@`,?!'
# The official pattern's look-behind is misspelt, so what stands before a period does not matter.
_PERIOD = re.compile(r"\.(?![0-9])")
_PERIODS = 32  # a flag is handed over as the count of replacements
_DIGITS_COMMA = re.compile(r"[0-9],[0-9]")
_ANY_DIGITS_COMMA = re.compile(r"\d,+\d")
_ANY_PERIOD = re.compile(r"\.(?!\d)")
_NUMBERS = {
    word: str(number)
    for number, word in enumerate(
        ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    )
} | {"none": "0"}
_ARTICLES = frozenset(("a", "an", "the"))
_CONTRACTIONS = """
    ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've
    hasn't haven't he'd he'd've he's how'd how'll how's isn't it'd it'd've it'll ma'am mightn't
    mightn't've might've mustn't must've needn't not've o'clock oughtn't 'ow's'at shan't
    she'd've should've shouldn't shouldn't've somebody'd've somebody'll somebody's someone'd
    someone'd've someone'll someone's something'd something'd've something'll that's there'd
    there'd've there're there's they'd they'd've they'll they're they've 'twas wasn't we'd've
    we've weren't what'll what're what's what've when's where'd where's where've who'd who'd've
    who'll who's who've why'll why're why's won't would've wouldn't wouldn't've y'all y'all'll
    y'all'd've you'd you'd've you'll you're you've
"""


def _short_forms() -> dict[str, str]:
    """Return each contraction that lost one of its apostrophes, with the whole one.

    What the official table has beside that: "somebody'd" loses its apostrophe. What it lacks:
    "lets", "shes"; and its capitalised words ("Im") never match a lower-cased text.
    """
    short_forms = {"somebody'd": "somebodyd"}
    for contraction in _CONTRACTIONS.split():
        for position, char in enumerate(contraction):
            if char == "'":
                short_forms[contraction[:position] + contraction[position + 1 :]] = contraction
    return short_forms


_SHORT = _short_forms()


def stripped(text: str) -> str:
    """Return a text on one line without blanks at its ends (before anything is compared)."""
    return text.replace("\n", " ").replace("\t", " ").strip()


@lru_cache(maxsize=1 << 16)
def normalised(text: str) -> str:
    """Return a stripped text as the official VQA evaluation compares it; digits are ASCII."""
    text = _without_marks(text, _DIGITS_COMMA)
    return _words(_PERIOD.sub("", text, count=_PERIODS))


@lru_cache(maxsize=1 << 16)
def textvqa_normalised(text: str) -> str:
    """Return a text as the official TextVQA metric compares it; digits are of any script."""
    text = text.lower().replace(",", "").replace("?", "").replace("'s", " 's").strip()
    text = _without_marks(stripped(text), _ANY_DIGITS_COMMA)
    return _words(_ANY_PERIOD.sub("", text, count=_PERIODS))


def _without_marks(text: str, digits_comma: re.Pattern[str]) -> str:
    """Delete a mark that stands beside a blank anywhere; elsewhere put a blank in its place."""
    cleaned, everywhere = text, digits_comma.search(text) is not None
    for mark in _MARKS:
        if mark in text:
            beside = everywhere or f"{mark} " in text or f" {mark}" in text
            cleaned = cleaned.replace(mark, "" if beside else " ")
    return cleaned


def _words(text: str) -> str:
    words = (_NUMBERS.get(word, word) for word in text.lower().split())
    return " ".join(_SHORT.get(word, word) for word in words if word not in _ARTICLES)
