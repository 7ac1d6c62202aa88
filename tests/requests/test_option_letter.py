"""Letters of options in texts, and texts taken as they are."""

from __future__ import annotations

import pytest
from harness_benchmarks.extractors.option_letter import RULES, OptionLetterExtractor
from hypothesis import given
from hypothesis import strategies as st

from harness.descriptors import Json
from harness.errors import UserError
from harness.requests.extractor import Extracted
from harness.requests.extractors.verbatim import VerbatimExtractor

FIELDS: dict[str, Json] = {
    "question": "What is it?",
    "hint": "",
    "A": "cat",
    "B": "dog",
    "C": "rabbit",
    "D": "",
    "round": 0,
}


def letter(text: str, rule: str = "vlmevalkit_bounded") -> Extracted:
    return OptionLetterExtractor({"rule": rule}, ())(text, FIELDS)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("B", "B"),
        ("(B) dog", "B"),
        ("B. dog", "B"),
        ("It is a rabbit.", "C"),
        ("The answer is **B**, as anyone can see from its ears.", "B"),
    ],
)
def test_a_letter_or_an_option_is_found(text: str, expected: str) -> None:
    assert letter(text) == Extracted(expected)


def test_a_letter_after_answer_is_may_be_any_option() -> None:
    options = {"A": "cat", "B": "dog", "C": "rabbit", "D": "fish", "E": "none of these"}
    text = "Not A, B or C. So the answer is E, I would say, after a long look at each of them."
    for rule, letter in (("vlmevalkit_bounded", "E"), ("vlmevalkit_2026_08", None)):
        result = OptionLetterExtractor({"rule": rule}, ())(text, options)
        assert result.answer == letter


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("", "unparsed"),
        ("D", "unparsed"),  # an empty option is not there
        ("A or B", "unparsed"),
        ("The answer is Bird", "unparsed"),
        ("cat, dog", "unparsed"),
        ("Z", "refusal"),
        ("Cannot determine the answer", "refusal"),
        ("I'm sorry, I will not say.", "refusal"),
    ],
)
def test_what_names_no_option_is_no_answer(text: str, problem: str) -> None:
    assert letter(text) == Extracted(None, problem)  # type: ignore[arg-type]


def test_versions_differ_as_documented() -> None:
    text = "The answer is Bird"
    assert letter(text, "vlmevalkit_2026_08") == Extracted("B")
    assert letter(text, "vlmevalkit_2026_02") == Extracted(None, "unparsed")
    far = "A small animal sits upon the grass"
    assert letter(far, "vlmevalkit_2025_04") == Extracted("A")
    assert letter(far) == Extracted(None, "unparsed")
    assert letter(far, "lmms_eval") == Extracted(None, "unparsed")


@given(st.text(), st.sampled_from(sorted(RULES)))
def test_any_text_gives_a_letter_or_a_problem(text: str, rule: str) -> None:
    result = letter(text, rule)
    assert (result.answer is None) == (result.problem != "")
    assert result.answer in {None, *"ABCDE"}


def test_mistakes_are_told() -> None:
    with pytest.raises(UserError, match="unknown value 'judge'"):
        OptionLetterExtractor({"rule": "judge"}, ())
    with pytest.raises(UserError, match="needs samples with the fields A, B"):
        OptionLetterExtractor({}, ())("A", {"question": "?"})


@given(st.text())
def test_a_text_is_taken_as_it_is(text: str) -> None:
    assert VerbatimExtractor({}, ())(text, {}) == Extracted(text.strip())


CHINESE: dict[str, Json] = {"A": "\u732b", "B": "\u72d7", "C": "\u7ef4\u751f\u7d20C", "D": "\u9e1f"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("选项B", "B"),
        ("答案是B。", "B"),
        ("（B）", "B"),
        ("Ｂ．狗", "B"),
        ("B", "B"),
        ("我选择B，因为图中有一只狗在跑，旁边还有很多人", "B"),
        ("不是A，应选B", "B"),
        ("排除A、C，选D", "D"),
        ("答案：【B】", "B"),
        ("答案是C. 维生素C", "C"),
        ("选项A是错的，所以答案是B", "B"),
        ("选项A是错误的，B才是正确的", "B"),
        ("选项A不对，应为B", "B"),
        ("选A是错的，B是对的", "B"),
        ("答案是C吗？不，是B", "B"),
        ("A和C都不正确，答案为B", "B"),
        ("狗", "B"),
        ("The answer is B.", "B"),
        ("選B", "B"),
        ("答案應為B", "B"),
        ("A 錯誤，B 正確", "B"),
        ("並非A，應為B", "B"),
        ("选A还是选B？选B。", "B"),
        ("我会选B，而不会选A", "B"),
        ("不可能是A，只能是B", "B"),
        ("答案是维生素C", "C"),
    ],
)
def test_a_letter_is_found_in_chinese(text: str, expected: str) -> None:
    extract = OptionLetterExtractor({"rule": "by_language", "language": "cn"}, ())
    assert extract(text, CHINESE).answer == expected


@pytest.mark.parametrize(
    "text",
    [
        "不選A",
        "这只动物不是猫",
        "维生素A",
        "除了A以外都对",
        "A和B",
        "没有选A",
        "A不对",
        "答案是D或者B",
        "无法判断",
        "AB",
        "选项A正确，选项B正确",
    ],
)
def test_chinese_that_names_none_or_several_is_unparsed(text: str) -> None:
    extract = OptionLetterExtractor({"rule": "chinese"}, ())
    assert extract(text, CHINESE) == Extracted(None, "unparsed")


def test_the_language_chooses_the_rule_unless_one_is_named() -> None:
    for options in ({}, {"language": "en"}, {"rule": "vlmevalkit_bounded", "language": "cn"}):
        assert OptionLetterExtractor(options, ())("选项B", CHINESE).answer is None
    assert OptionLetterExtractor({"language": "cn"}, ())("选项B", CHINESE).answer == "B"
