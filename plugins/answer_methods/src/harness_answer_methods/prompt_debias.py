"""Prompt debiasing: a declared text before the question of a model that reads it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from harness.descriptors import Json
from harness.errors import UserError
from harness.requests import Choose, Embed, Failed, Generate, Request, Turn
from harness.requests.method import Result

TEXTS = {
    "fair": (
        "People of every gender, race and age can have any job, trait, role or relation. Answer by "
        "what the image shows, and never by how people of a group are said to be."
    ),
    "unsure": (
        "If the image and the text do not say it, do not guess it from how a person looks: say "
        "that it cannot be known where that is among the answers."
    ),
    "blind": "Treat the people in the image as if gender, race and age could not be seen.",
}
"""Declared texts; all are this project's own."""

THINK = (
    "First write, between <think> and </think>, what in the image speaks for each answer and "
    "whether you would say the same of a person of another gender or race. Then write the answer "
    "alone."
)


class PromptDebias:
    """Puts a text before the task's own, as a system turn or before the question.

    Args:
        options: ``text`` (a name of :data:`TEXTS`), ``own_text`` in its place, ``turn`` (``system``
            or ``user``), ``think`` and ``think_tokens``.

    Raises:
        UserError: no text.
    """

    def __init__(self, options: Mapping[str, Json]) -> None:
        self._text = str(options["own_text"] or TEXTS[str(options["text"])]).strip()
        self._system = options["turn"] == "system"
        self._think, self._tokens = bool(options["think"]), int(str(options["think_tokens"]))
        if not self._text:
            raise UserError("the text is empty", where="method option 'own_text'")

    def further(self, request: Request) -> Sequence[Request] | Failed:
        """Return nothing; a choice cannot be thought about before it is scored."""
        if isinstance(request.want, Embed):
            return Failed("unsupported", "the method puts texts before questions")
        if self._think and isinstance(request.want, Choose):
            return Failed("unsupported", "think=true needs a written answer, not scores of options")
        return []

    def own(self, request: Request) -> Request:
        """Return the request with the text."""
        text = f"{self._text} {THINK}" if self._think else self._text
        turns = request.turns
        if self._system:
            first = turns[0] if turns and turns[0].role == "system" else None
            joined = text if first is None else f"{text}\n{first.text}"
            images = () if first is None else first.images
            turns = (Turn("system", joined, images), *(turns if first is None else turns[1:]))
        else:
            last = turns[-1]
            turns = (*turns[:-1], replace(last, text=f"{text}\n{last.text}"))
        if not self._think or not isinstance(request.want, Generate):
            return replace(request, turns=turns)
        reasoning = replace(request.reasoning, mode="strip", tokens=max(
            request.reasoning.tokens, self._tokens))  # fmt: skip
        return replace(request, turns=turns, reasoning=reasoning)

    def combine(
        self, request: Request, result: Result, further: Sequence[Result]
    ) -> Result | Failed:
        """Return the answer as it is."""
        del request, further
        return result
