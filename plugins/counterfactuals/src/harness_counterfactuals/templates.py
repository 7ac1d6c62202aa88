"""Prompt templates: words put into their slots, and where each slot's words stand in the prompt.

``{race}`` stands for the words of a value; ``{a race}`` for the same with *a* or *an* before them.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_SLOT = re.compile(r"\{(?:(a) )?([^{} ]+)\}")
_VOWELS = frozenset("aeiouAEIOU")
_WORD = re.compile(r"[\w'-]+|[^\w\s]")
ARTICLE = "a "
"""Before a slot's name: its article."""


@dataclass(frozen=True, slots=True)
class Span:
    """Where a slot's words stand: first character, and the one after the last."""

    slot: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt with the places of its slots, in order; an empty slot starts where it ends."""

    text: str
    spans: tuple[Span, ...]


def slots_of(template: str) -> list[str]:
    """Return the names of a template's slots, in order; other braces count as text."""
    return [match[2] for match in _SLOT.finditer(template)]


def stray_brace(template: str) -> bool:
    """Whether a brace stands outside a slot."""
    return bool({"{", "}"} & set(_SLOT.sub("", template)))


def fill(template: str, words: Mapping[str, str]) -> Prompt:
    """Return a template with words in its slots.

    A slot without words takes the blank before it away, so that ``a person {aid}, smiling`` reads
    well with and without.
    """
    text, spans, position = "", list[Span](), 0
    for match in _SLOT.finditer(template):
        text += template[position : match.start()]
        article, slot = match[1], match[2]
        filled = words[slot]
        if not filled:
            text = text.removesuffix(" ")
        elif article:
            word = "an" if filled[0] in _VOWELS else "a"
            spans.append(Span(ARTICLE + slot, len(text), len(text) + len(word)))
            text += f"{word} "
        spans.append(Span(slot, len(text), len(text) + len(filled)))
        text += filled
        position = match.end()
    return Prompt(text + template[position:], tuple(spans))


def words_in(text: str) -> list[str]:
    """Return the words and signs of a prompt."""
    return _WORD.findall(text)


def plain_words(template: str) -> set[str]:
    """Return the words of a template that a message may list: no signs and no slots."""
    return {word for word in words_in(_SLOT.sub(" ", template)) if word[0].isalnum()}


def find_words(text: str, wanted: str) -> Iterator[tuple[int, int]]:
    """Yield where words stand in a prompt as whole words, whatever their case."""
    pattern = r"\s+".join(map(re.escape, wanted.split()))
    for match in re.finditer(rf"(?<!\w){pattern}(?!\w)", text, re.IGNORECASE):
        yield match.span()


def differing(first: str, second: str) -> list[tuple[str, str]]:
    """Return what stands in one prompt in the place of what stands in the other, articles aside."""
    words, others = words_in(first), words_in(second)
    matcher = difflib.SequenceMatcher(None, words, others, autojunk=False)
    pairs = [
        (" ".join(words[a:b]), " ".join(others[c:d]))
        for kind, a, b, c, d in matcher.get_opcodes()
        if kind != "equal"
    ]
    return [pair for pair in pairs if not {pair[0].lower(), pair[1].lower()} <= {"a", "an"}]
