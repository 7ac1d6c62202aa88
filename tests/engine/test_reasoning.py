"""Reasoning in what the engine writes: markers of a tokenizer, limits, and stop strings."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from harness.engine.answerer import EngineAnswerer
from harness.engine.reasoning import Markers, Thoughts, own_markers
from harness.models import Runtime
from harness.requests import Generate, Reasoning, Request, Text, Turn
from harness.requests.reasoning import Split

pytestmark = pytest.mark.torch

OPEN, CLOSE = 200, 201
PAIR = (("<think>", "</think>"),)


class Words:
    """A tokenizer whose ids are characters, and two markers."""

    chat_template: Any = None

    def __init__(self, *, special: bool = False, marked: bool = True) -> None:
        self.all_special_ids = [OPEN, CLOSE] if special else []
        self._added = {"<think>": OPEN, "</think>": CLOSE} if marked else {}

    def get_added_vocab(self) -> dict[str, int]:
        return self._added

    def get_vocab(self) -> dict[str, int]:
        return {**{chr(index): index for index in range(200)}, **self._added}

    def decode(self, ids: tuple[int, ...]) -> str:
        names = {number: name for name, number in self._added.items()}
        remaining = (item for item in ids if item not in self.all_special_ids)
        return "".join(names.get(item) or chr(item) for item in remaining)


def ids(text: str) -> tuple[int, ...]:
    parts = text.replace("<think>", chr(OPEN)).replace("</think>", chr(CLOSE))
    return tuple(map(ord, parts))


def test_a_tokenizers_tokens_or_a_templates_text_are_a_models_own_markers() -> None:
    assert own_markers(None) == ()
    assert own_markers(Words(marked=False)) == ()
    assert own_markers(Words()) == PAIR
    writes = "{{ m.split('</think>')[-1] }}"
    assert own_markers(Words(marked=False), writes) == PAIR
    plain = Words(marked=False)
    plain.chat_template = writes
    assert own_markers(plain) == PAIR
    assert own_markers(plain, "no markers") == ()


@pytest.mark.parametrize("special", [False, True])
def test_markers_are_seen_even_where_decoding_drops_them(special: bool) -> None:
    words = Words(special=special)
    markers = Markers(words, None, words.decode)
    messages = markers.thoughts(Reasoning(), ids("QUIZ"))
    assert messages.split(ids("<think>A</think> B")) == Split("B", "A")
    assert messages.split(ids("A</think> B")) == Split("B", "A")
    assert messages.split(ids("<think>A")) == Split("", "A", True)
    assert messages.split(ids("B")) == Split("B")
    opened = markers.thoughts(Reasoning(), ids("QUIZ<think>\n"))
    assert opened.split(ids("A")) == Split("", "A", True)
    closed = markers.thoughts(Reasoning(), ids("QUIZ<think>\n\n</think>\n"))
    assert closed.split(ids("A")) == Split("A")
    remaining = markers.thoughts(Reasoning("keep"), ids("QUIZ"))
    assert remaining.split(ids("AB")) == Split("AB")


def script(messages: Thoughts, text: str, stop: tuple[str, ...] = ()) -> Any:
    """Return what becomes of tokens as they are written one by one, up to a limit of 4 + 6."""
    import torch

    from harness.engine.generation import GenerationTask, _Answer

    write: Any = GenerationTask(None, 4 + messages.tokens, stop, thoughts=messages)  # type: ignore[arg-type]
    answer = _Answer(write, frozenset({2}), messages.decode)
    for token in (*ids(text), 2):
        if not answer.done:
            answer.take(token, torch.zeros(1))
    return answer.result()


def told(tokens: int, prompt: str = "QUIZ") -> Thoughts:
    words = Words()
    return Markers(words, None, words.decode).thoughts(Reasoning(tokens=tokens), ids(prompt))


def test_tokens_for_reasoning_do_not_lengthen_the_answer() -> None:
    assert script(told(0), "abcdefgh").text == "abcd"
    assert script(told(6), "abcdefgh").text == "abcd"
    result = script(told(6), "<think>ab</think>cdefgh")
    assert (result.text, result.ended, result.reasoning) == ("cdef", False, "ab")
    result = script(told(6), "ab</think>cdefgh", ())
    assert (result.text, result.reasoning) == ("cdef", "ab")
    result = script(told(6, "QUIZ<think>"), "abcd</think>B")
    assert (result.text, result.ended, result.reasoning) == ("B", True, "abcd")


def test_reasoning_that_never_ends_uses_up_its_tokens() -> None:
    result = script(told(6), "<think>abcdefghijklm")
    assert (result.text, result.ended, result.unfinished) == ("", False, True)
    assert result.reasoning == "abcdefghi"


def test_stop_strings_are_heeded_behind_reasoning_alone() -> None:
    result = script(told(6), "<think>a.b</think>c.d", (".",))
    assert (result.text, result.ended, result.reasoning) == ("c", True, "a.b")


def test_the_engine_keeps_reasoning_apart(any_model: Any) -> None:
    """What a toy writes is split where its own fifth character stands."""
    turns = (Turn("user", "who"),)
    requested = Request("1", "1", "t", turns, Generate(12))

    def answer(reasoning: Reasoning) -> Any:
        answerer = EngineAnswerer(any_model, Runtime(device="cpu"))
        (result,) = answerer.answer([replace(requested, reasoning=reasoning)])
        return result.result

    full = answer(Reasoning())
    assert isinstance(full, Text)
    mark = full.text[4]
    result = answer(Reasoning(tags=(("<never>", mark),)))
    before, _, behind = full.text.rpartition(mark)
    assert result.text == behind.strip()
    assert mark not in result.text + result.reasoning.replace("\n", "")
    assert result.finish == full.finish
    assert len(before) > 3
