"""Reasoning in generated tokens: a checkpoint's own markers, and what is left without it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.engine.tokenize import IMAGE, Ids
from harness.requests import Reasoning
from harness.requests.reasoning import KNOWN, Split, Tags, split

_TAIL = 48
"""Tokens at the end of a prompt that may open reasoning; a template may write blanks after it."""
_MARK = 24
"""Tokens of a marker at most: one a byte."""


def own_markers(tokenizer: Any, template: str | None = None) -> Tags:
    """Return the known markers that a tokenizer has as tokens, or a chat template writes.

    Args:
        tokenizer: A transformers tokenizer; ``None`` has none.
        template: The chat template in use; else the tokenizer's own.
    """
    if tokenizer is None:
        return ()
    added: Mapping[str, int] = getattr(tokenizer, "get_added_vocab", dict)()
    source = template or getattr(tokenizer, "chat_template", None)
    texts = source.values() if isinstance(source, dict) else [source or ""]
    return tuple(
        pair
        for pair in KNOWN
        if all(mark in added for mark in pair) or any(pair[1] in str(text) for text in texts)
    )


@dataclass(frozen=True, slots=True)
class Thoughts:
    """How reasoning is separated from one answer.

    Attributes:
        tags: Markers; none keeps everything.
        ids: Marker tokens that decoding would drop, with their texts.
        decode: Ids to text, without special tokens.
        opened: Whether the prompt's end opens reasoning.
        tokens: Tokens that reasoning may take beside those of the answer.
    """

    tags: Tags
    ids: Mapping[int, str] = field(hash=False)
    decode: Callable[[Ids], str]
    opened: bool = False
    tokens: int = 0

    def split(self, ids: Sequence[int]) -> Split:
        """Return what was written, without its reasoning."""
        if not self.tags:
            return Split(self.decode(tuple(ids)))
        return split(self.text(ids), self.tags, opened=self.opened)

    def begun(self, ids: Sequence[int]) -> bool:
        """Whether there is reasoning in what was written, or before it."""
        if not self.tags:
            return False
        text = self.text(ids)
        return self.opened or any(mark in text for pair in self.tags for mark in pair)

    def closed(self, ids: Sequence[int]) -> bool:
        """Whether the last few of the ids close reasoning."""
        text = self.text(ids[-_MARK:])
        return any(closing in text for _, closing in self.tags)

    def text(self, ids: Sequence[int]) -> str:
        """Return ids as text in which markers stand that decoding would drop."""
        if not self.ids.keys() & set(ids):
            return self.decode(tuple(ids))
        parts: list[str] = []
        piece: list[int] = []
        for token in ids:
            if token in self.ids:
                parts += [self.decode(tuple(piece)), self.ids[token]]
                piece = []
            else:
                piece.append(token)
        return "".join([*parts, self.decode(tuple(piece))])


class Markers:
    """What tells a loaded model's reasoning from its answers; made once a load.

    Args:
        tokenizer: A transformers tokenizer; ``None`` where none is known.
        template: The chat template in use.
        decode: Ids to text, without special tokens.
    """

    def __init__(self, tokenizer: Any, template: str | None, decode: Callable[[Ids], str]) -> None:
        self._own = own_markers(tokenizer, template)
        self._special = set(getattr(tokenizer, "all_special_ids", ()) or ())
        self._vocabulary: Mapping[str, int] = getattr(tokenizer, "get_vocab", dict)()
        self._decode = decode

    def thoughts(self, reasoning: Reasoning, prompt: Ids) -> Thoughts:
        """Return how reasoning is separated from the answer to one prompt.

        Args:
            reasoning: What the request says.
            prompt: Ids before the answer.
        """
        tags = reasoning.markers(self._own)
        if not tags:
            return Thoughts((), {}, self._decode, tokens=reasoning.tokens)
        marks = [(self._vocabulary.get(mark), mark) for pair in tags for mark in pair]
        ids = {number: mark for number, mark in marks if number is not None}
        ids = {number: mark for number, mark in ids.items() if number in self._special}
        tail = tuple(token for token in prompt[-_TAIL:] if token != IMAGE)
        before = Thoughts(tags, ids, self._decode).text(tail).rstrip()
        opened = any(before.endswith(opening) for opening, _ in tags)
        return Thoughts(tags, ids, self._decode, opened, reasoning.tokens)
