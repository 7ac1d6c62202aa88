"""Find the letter of an option in a text by rules, as multiple-choice benchmarks do; no judge.

Sources: ``can_infer`` of open-compass/VLMEvalKit at three times (aca64dbb, 590f052a, e8e78f05) and
of EvolvingLMMs-Lab/lmms-eval (75571cfe), both with no judge model behind them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from harness.descriptors import Json
from harness.errors import UserError, unknown
from harness.requests.extractor import Extracted
from harness.requests.extractors.refusal import is_refusal

_REFUSED = "Z"
_FAILED = "Failed to obtain answer via API"
_REFUSALS = (
    "Sorry, I can't help with images of people yet.",
    "I can't process this file.",
    "I'm sorry, but without the image provided",
    "Cannot determine the answer",
)
_JOINTS = str.maketrans(dict.fromkeys(".()[],:;!*#{}", " "))
_ANSWER_IS = re.compile(r"answer\s+is\s+\**([A-D])", re.IGNORECASE)
_ANSWER_IS_BOUNDED = re.compile(r"answer\s+is\s+\**([A-D])(?!\w)", re.IGNORECASE)
_LMMS_LETTERS = "ABCDE"
_LMMS_SHAPES = (
    "{}.", "{},", "{}:", "{})", "{}).", "({})", "({}).", ":{}", ":{},", ":{}.", ":{})", ":{}).",
)  # fmt: skip

Choices = Mapping[str, str]
Rule = Callable[[str, Choices], str]


@dataclass(frozen=True, slots=True)
class _Steps:
    """What VLMEvalKit's versions differ in.

    Attributes:
        at_end: A letter counts only if it first stands among the last four words.
        answer_is: What finds a letter behind "answer is", when that step is there.
        bounded_text: Options are not looked for in a text over twice as long as all of them.
    """

    at_end: bool
    answer_is: re.Pattern[str] | None
    bounded_text: bool


def _vlmevalkit(steps: _Steps, text: str, choices: Choices) -> str:
    letter = "" if _FAILED in text else _letter(steps, text, choices)
    if letter:
        return letter
    if steps.bounded_text and len(text) > 2 * sum(map(len, choices.values())):
        return ""
    return _by_text(text, choices)


def _letter(steps: _Steps, text: str, choices: Choices) -> str:
    if any(sentence in text for sentence in _REFUSALS):
        return _REFUSED
    words = text.translate(_JOINTS).split()
    named = [letter for letter in choices if letter in words]
    if len(named) == 1:
        if not steps.at_end or words.index(named[0]) > len(words) - 5:
            return named[0]
    elif not named and _REFUSED in words:
        return _REFUSED
    found = steps.answer_is.search(text) if steps.answer_is else None
    letter = found.group(1).upper() if found else ""
    return letter if letter in choices else ""


def _by_text(text: str, choices: Choices) -> str:
    """Return the letter of the one option whose text stands in the answer."""
    text = text.lower()
    named = [letter for letter, option in choices.items() if option.lower() in text]
    return named[0] if len(named) == 1 else ""


def _lmms_eval(text: str, choices: Choices) -> str:
    # It knows five letters in the first steps and four in the last, whatever the options are.
    first_four = {letter: option for letter, option in choices.items() if letter in "ABCD"}
    if _FAILED in text:
        return _by_text(text, first_four)
    words = text.split()
    named = [letter for letter in _LMMS_LETTERS if letter in words]
    an_article = "A" in words and len(words) > 3
    if len(named) == 1 and not an_article:
        return named[0]
    for shape in _LMMS_SHAPES:
        named = [letter for letter in _LMMS_LETTERS if shape.format(letter) in words]
        if len(named) == 1:
            return named[0]
    return _by_text(text, first_four)


RULES: dict[str, Rule] = {
    "vlmevalkit_bounded": partial(_vlmevalkit, _Steps(True, _ANSWER_IS_BOUNDED, True)),
    "vlmevalkit_2026_08": partial(_vlmevalkit, _Steps(True, _ANSWER_IS, True)),
    "vlmevalkit_2026_02": partial(_vlmevalkit, _Steps(True, None, True)),
    "vlmevalkit_2025_04": partial(_vlmevalkit, _Steps(False, None, False)),
    "lmms_eval": _lmms_eval,
}
"""The rules by name, the default first; dates are those of the versions read.

``vlmevalkit_bounded`` is this project's: as of 2026-08, with a word boundary behind the letter, so
that "answer is Bird" is not B. Later changes there get a name of their own here.
"""


class OptionLetterExtractor:
    """Return the letter of the option that a text names.

    The options are the sample's fields of one capital letter; an empty one is not there. A text
    in which no rule finds a letter is unparsed; one that the rule or its beginning shows to be a
    refusal is a refusal. Both are wrong answers.

    Args:
        options: ``rule``, one of :data:`RULES`.
    """

    def __init__(self, options: Mapping[str, Json], labels: Sequence[str]) -> None:
        del labels
        name = str(options.get("rule") or next(iter(RULES)))
        if name not in RULES:
            raise unknown("value", name, RULES, where="option 'rule'")
        self._rule = RULES[name]

    def __call__(self, text: str, fields: Mapping[str, Json]) -> Extracted:
        """Return the letter in a text."""
        choices = {
            name: str(option)
            for name, option in sorted(fields.items())
            if len(name) == 1 and "A" <= name <= "Z" and option not in (None, "")
        }
        if not choices:
            raise UserError(
                "the extractor 'option_letter' needs samples with the fields A, B, ...",
                where="ask.extractor",
            )
        letter = self._rule(text, choices)
        if letter == _REFUSED or (not letter and is_refusal(text)):
            return Extracted(None, "refusal")
        return Extracted(letter) if letter else Extracted(None, "unparsed")
