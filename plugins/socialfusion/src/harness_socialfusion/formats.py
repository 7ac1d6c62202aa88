"""Named prompt formats: how turns are written. Light: no torch, so that options can list them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class PromptFormat:
    """A way to write turns.

    Attributes:
        user: Template of a user's turn: ``{image}`` its images, ``{system}`` the system text on
            the first turn, ``{text}``.
        answer: What stands before an answer, and after it in earlier turns.
        chat: Whether the tokenizer's own chat template is used instead.
    """

    user: str = "{image}{system}{text}\n"
    answer: tuple[str, str] = ("", "\n")
    chat: bool = False


FORMATS: dict[str, PromptFormat] = {
    "plain": PromptFormat(),
    "answer_line": PromptFormat("{image}\n{system}{text}\nAnswer:", (" ", "\n")),
    "chat": PromptFormat(chat=True),
}
