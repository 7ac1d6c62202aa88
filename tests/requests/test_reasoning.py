"""Reasoning before an answer: what is taken out, what is left, and what is said of it."""

from __future__ import annotations

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from harness.errors import UserError
from harness.requests.reasoning import (
    AROUND_ANSWERS,
    KNOWN,
    Reasoning,
    Split,
    holds_reasoning,
    parse_reasoning,
    split,
)

MARKS = {mark for pair in KNOWN + AROUND_ANSWERS for mark in pair}
THINK = (("<think>", "</think>"),)


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("B", Split("B")),
        (" B ", Split(" B ")),
        ("<think>A? no.</think>\nB", Split("B", "A? no.")),
        ("A? no.</think>\n\nB", Split("B", "A? no.")),
        ("<think>\n\n</think>\n\nB", Split("B", "")),
        ("<think>A</think> or <think>B</think> C", Split("or  C", "A\nB")),
        ("<think>A <think> B</think> C", Split("C", "A <think> B")),
        ("<think>A", Split("", "A", True)),
        ("B <think>A", Split("B", "A", True)),
        ("A</think> no </think> B", Split("B", "A\nno")),
        ("<THINK>A</Think> B", Split("B", "A")),
    ],
)
def test_reasoning_is_taken_out_of_a_text(text: str, result: Split) -> None:
    assert split(text, THINK) == result


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("<think>A</think><answer>B</answer>", "B"),
        ("<think>A</think>\n<Answer> B </Answer>\nso it is B", "B"),
        ("<answer>A</answer> no <answer>B</answer>", "B"),
        ("<think>A</think><answer>B", "B"),
        ("<think>A</think><answer><|begin_of_box|>B<|end_of_box|></answer>", "B"),
        ("<think>A</think><|START_RESPONSE|>B<|END_RESPONSE|>", "B"),
        ("<summary>S</summary><reasoning>A</reasoning><conclusion>B</conclusion>", "B"),
        ("<think>The <answer>A</answer></think>B", "B"),
        ("<answer></answer>", ""),
    ],
)
def test_an_answer_is_taken_out_of_its_own_markers(text: str, answer: str) -> None:
    assert split(text, KNOWN).answer == answer
    assert split(text, ()) == Split(text)
    assert holds_reasoning(text)


def test_a_prompt_may_have_opened_reasoning() -> None:
    assert split("A? no.</think>B", THINK, opened=True) == Split("B", "A? no.")
    assert split("A? no. B", THINK, opened=True) == Split("", "A? no. B", True)


@pytest.mark.parametrize("pair", KNOWN)
def test_reasoning_that_nobody_strips_is_seen_in_any_case(pair: tuple[str, str]) -> None:
    opening, closing = pair
    for text in (f"{opening}A{closing}B", f"{opening}A{closing}B".upper(), f"{opening} A"):
        assert holds_reasoning(text) == f"{opening} ... {closing}"
    assert not holds_reasoning("B [1] <b>")


@given(st.text(max_size=40), st.text(max_size=40))
@example("", "<|end_response|>")
def test_what_stands_behind_any_known_marker_is_the_answer(inside: str, answer: str) -> None:
    assume(not any(mark.casefold() in f"{inside}{answer}".casefold() for mark in MARKS))
    for opening, closing in KNOWN:
        parts = split(f"{opening}{inside}{closing}{answer}", KNOWN)
        assert (parts.answer, parts.unfinished) == (answer.strip(), False)


@pytest.mark.parametrize("opening", [opening for opening, _ in AROUND_ANSWERS])
def test_an_answer_that_only_opens_is_empty(opening: str) -> None:
    assert split(f"<think>A</think>{opening}", KNOWN) == Split("", "A")


def test_markers_of_any_alphabet_are_found() -> None:
    assert split("<\u0130>A</\u0130>B", (("<\u0130>", "</\u0130>"),)) == Split("B", "A")
    assert split("<\u00df>A</\u00df>B", (("<\u00df>", "</\u00df>"),)) == Split("B", "A")
    text = "<TH\u0130NK>A</TH\u0130NK>B"  # a Turkish capital: not the marker
    assert split(text, THINK) == Split(text)


def test_what_is_stripped_is_what_was_said_else_what_the_model_has() -> None:
    expected, other = (("[THINK]", "[/THINK]"),), (("<r>", "</r>"),)
    assert Reasoning().markers() == ()
    assert Reasoning().markers(expected) == expected
    assert Reasoning("strip").markers() == KNOWN
    assert Reasoning("strip").markers(expected) == expected
    assert Reasoning(tags=other).markers(expected) == other
    assert Reasoning("keep", other).markers(expected) == ()


def test_a_model_goes_before_the_task() -> None:
    task = Reasoning("strip", THINK, 64)
    assert Reasoning().over(task) == task
    assert Reasoning("keep", (), 128).over(task) == Reasoning("keep", THINK, 128)


def test_options_are_read() -> None:
    options = {
        "reasoning": "strip",
        "reasoning_tags": "<a>,</a>; <b>,</b>",
        "reasoning_tokens": "9",
    }
    result = parse_reasoning(options, "model 'm'")
    assert result == Reasoning("strip", (("<a>", "</a>"), ("<b>", "</b>")), 9)
    assert parse_reasoning({}, "m") == Reasoning()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("reasoning", "yes"),
        ("reasoning_tags", "<think>"),
        ("reasoning_tags", "<a>,<a>"),
        ("reasoning_tags", ",</a>"),
        ("reasoning_tokens", "-1"),
        ("reasoning_tokens", "many"),
    ],
)
def test_options_that_say_nothing_are_refused(name: str, value: str) -> None:
    with pytest.raises(UserError) as caught:
        parse_reasoning({name: value}, "model 'm'")
    assert name in str(caught.value.where)


@pytest.mark.parametrize(
    "text",
    ["<think >no</think >yes", "< think>no</ think>yes", "<|think|>no<|/think|>yes",
     "&lt;think&gt;no&lt;/think&gt;yes", "[reasoning]no[/reasoning]yes", "<Thoughts>no</Thoughts>"],
)  # fmt: skip
def test_markers_of_an_unknown_spelling_are_told_and_take_nothing_out(text: str) -> None:
    assert split(text, KNOWN).answer == text
    assert holds_reasoning(text)


@pytest.mark.parametrize("text", ["I <b>think</b> yes", "no & thought", "x < thinking"])
def test_words_about_thinking_are_no_markers(text: str) -> None:
    assert not holds_reasoning(text)
