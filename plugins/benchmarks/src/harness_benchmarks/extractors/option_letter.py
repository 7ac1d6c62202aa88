"""Find the letter of an option in a text by rules, as multiple-choice benchmarks do; no judge.

Sources: ``can_infer`` of open-compass/VLMEvalKit at three times (aca64dbb, 590f052a, e8e78f05) and
of EvolvingLMMs-Lab/lmms-eval (75571cfe), both without a judge model.
"""

from __future__ import annotations

import re
import unicodedata
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
# The official rule knows four letters; this project's takes any that is an option.
_ANSWER_IS_BOUNDED = re.compile(r"answer\s+is\s+\**([A-Z])(?!\w)", re.IGNORECASE)
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
        answer_is: Pattern that finds a letter after "answer is", where the version has that step.
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
    if steps.answer_is is None:
        return ""
    letters = [letter.upper() for letter in steps.answer_is.findall(text)]
    if steps.answer_is is _ANSWER_IS:
        letters = letters[:1]  # the official code looks once
    return next((letter for letter in letters if letter in choices), "")


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


_CHINESE = re.compile(r"[\u2e80-\u303f\u31c0-\u9fff\uf900-\ufaff\uff00-\uffef\u2018-\u201d]")
# Traditional characters of the words that the patterns have, as simplified ones.
_SIMPLIFIED = str.maketrans("選擇應項為爲並錯誤對會確沒還們", "选择应项为为并错误对会确没还们")
_CHINESE_QUESTION = re.compile(r"[^。.!;\n?]*\?")
_DENIAL = (
    "(?:不(?:应该?|能|会|要)?选择?|没有?选择?|不(?:会|可能|能|应该?)?是"
    "|不像|并非|而非|排除|除了)了?"
)
_CHINESE_NOT = re.compile(
    rf"(?:{_DENIAL}(?:选项|答案)?\W{{0,3}}|维生素|血型|等级)"
    r"[A-Z](?:\s*(?:[、,和与及或]|还是)\s*[A-Z])*(?![A-Za-z])"
    # What is said of a letter after it: that it is wrong, or it is only asked whether.
    r"|[A-Z](?:\s*[、,和与及或]\s*[A-Z])*(?![A-Za-z])\W{0,3}(?:选项|答案)?(?:是|都|也|并|肯定|显然)*"
    r"(?:错|不对|不正确|不准确|不合适|不符|不是|不能|不行|有误|吗)"
)
_CHINESE_LETTER = (
    r"(?:应该?)?(?:是|为|选)?(?:选项)?[\s:*(\[\"“「【】]*([A-Z])"
    r"(?![A-Za-z]|\s*(?:或者?|还是|和|与|及|、|,|/)\s*[A-Z](?![A-Za-z]))"
)
_CHINESE_NAMED = (  # the surest first
    re.compile(r"答案" + _CHINESE_LETTER, re.IGNORECASE),
    re.compile(r"(?:选项|选择|选)" + _CHINESE_LETTER, re.IGNORECASE),
)


def _chinese(text: str, choices: Choices) -> str:
    """Find a letter in a Chinese answer: this project's rule, for what English rules do not see.

    Full-width letters and brackets are taken for plain ones, Chinese characters part words as
    blanks do, and letters that are ruled out ("不是A") or only asked about do not count. A letter
    after "答案是" goes before one after "选项" or "选", and that before any other.
    """
    whole = unicodedata.normalize("NFKC", text).translate(_SIMPLIFIED)
    asserted = _CHINESE_QUESTION.sub(" ", whole)
    plain = _CHINESE_NOT.sub(" ", asserted if asserted.strip() else whole)
    for pattern in _CHINESE_NAMED:
        named = {letter.upper() for letter in pattern.findall(plain)} & choices.keys()
        if named:
            return named.pop() if len(named) == 1 else ""
    steps = _Steps(True, _ANSWER_IS_BOUNDED, True)
    letter = _letter(steps, _CHINESE.sub(" ", plain), choices)
    if letter or len(text) > 2 * sum(map(len, choices.values())):
        return letter
    options = "|".join(re.escape(option) for option in choices.values())
    return _by_text(re.sub(rf"{_DENIAL}[^,。;]{{0,4}}?(?:{options})", " ", text), choices)


RULES: dict[str, Rule] = {
    "vlmevalkit_bounded": partial(_vlmevalkit, _Steps(True, _ANSWER_IS_BOUNDED, True)),
    "chinese": _chinese,
    "vlmevalkit_2026_08": partial(_vlmevalkit, _Steps(True, _ANSWER_IS, True)),
    "vlmevalkit_2026_02": partial(_vlmevalkit, _Steps(True, None, True)),
    "vlmevalkit_2025_04": partial(_vlmevalkit, _Steps(False, None, False)),
    "lmms_eval": _lmms_eval,
}
"""The rules by name; dates are those of the versions read.

``vlmevalkit_bounded`` is this project's: as of 2026-08, with a word boundary after the letter, so
that "answer is Bird" is not B. ``chinese`` is this project's too. Later changes there get a name of
their own here.
"""
BY_LANGUAGE = "by_language"
_OF_LANGUAGE = {"en": "vlmevalkit_bounded", "cn": "chinese", "zh": "chinese"}


class OptionLetterExtractor:
    """Return the letter of the option that a text names.

    The options are the sample's fields of one capital letter; an empty one is not there. A text
    in which no rule finds a letter is unparsed; one that the rule or its beginning shows to be a
    refusal is a refusal. Both are wrong answers.

    Args:
        options: ``rule``, one of :data:`RULES`, or ``by_language``: ``chinese`` where ``language``
            is ``cn`` or ``zh``, else ``vlmevalkit_bounded``.
    """

    def __init__(self, options: Mapping[str, Json], labels: Sequence[str]) -> None:
        del labels
        name = str(options.get("rule") or BY_LANGUAGE)
        if name == BY_LANGUAGE:
            name = _OF_LANGUAGE.get(str(options.get("language")), "vlmevalkit_bounded")
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
