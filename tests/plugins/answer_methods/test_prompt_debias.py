"""A declared text before the question."""

from __future__ import annotations

from typing import Any

from harness_answer_methods.prompt_debias import TEXTS, THINK, PromptDebias

from harness.requests import Choose, Embed, Failed, Generate, Request, Turn

TURNS = (Turn("system", "You look."), Turn("user", "Who is the nurse?"))


def debias(**options: Any) -> PromptDebias:
    arguments: dict[str, Any] = {"text": "fair", "own_text": "", "turn": "user"}
    return PromptDebias({**arguments, "think": False, "think_tokens": 64, **options})


def request(want: Any, turns: tuple[Turn, ...] = TURNS) -> Request:
    return Request("1", "s", "task", turns, want)


def test_the_text_stands_before_the_question_or_in_the_system_turn() -> None:
    requested = request(Choose(("yes", "no")))
    assert debias().own(requested).turns[1].text == f"{TEXTS['fair']}\nWho is the nurse?"
    assert (
        debias(own_text="Mine.", turn="system").own(requested).turns[0].text == "Mine.\nYou look."
    )
    made = debias(turn="system", text="blind").own(request(Choose(("yes", "no")), TURNS[1:]))
    assert [(turn.role, turn.text) for turn in made.turns] == [
        ("system", TEXTS["blind"]), ("user", "Who is the nurse?"),
    ]  # fmt: skip


def test_thinking_has_tokens_of_its_own_and_is_stripped() -> None:
    made = debias(think=True).own(request(Generate(8)))
    assert THINK in made.turns[1].text
    assert (made.reasoning.mode, made.reasoning.tokens) == ("strip", 64)
    assert isinstance(debias(think=True).further(request(Choose(("a", "b")))), Failed)
    assert isinstance(debias().further(request(Embed(("a",)))), Failed)
