"""Greedy answers in batches, behind prefixes given as embeddings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch

from harness.engine.batching import Batches
from harness.engine.prefixes import CausalLM, Prefix, prefill
from harness.engine.tokens import Ids


@dataclass(frozen=True, slots=True)
class Write:
    """A prefix to continue, by at most ``limit`` tokens, ending before any stop string."""

    prefix: Prefix
    limit: int
    stop: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Written:
    """A continuation: its text without the stop string, its ids, and whether it ended itself."""

    text: str
    ids: Ids
    ended: bool


class _Row:
    """One answer while it is being written."""

    def __init__(self, write: Write, ends: frozenset[int], decode: Callable[[Ids], str]) -> None:
        self._write, self._ends, self._decode = write, ends, decode
        self._ids: list[int] = []
        self._text: str | None = None
        self.done = write.limit < 1
        self._ended = False

    def add(self, token: int) -> None:
        """Take the next token, unless the answer is already complete."""
        if self.done:
            return
        if token in self._ends:
            self.done = self._ended = True
            return
        self._ids.append(token)
        self.done = len(self._ids) >= self._write.limit
        if self._write.stop:
            text = self._decode(tuple(self._ids))
            places = [at for stop in self._write.stop if stop and (at := text.find(stop)) >= 0]
            if places:
                self._text = text[: min(places)]
                self.done = self._ended = True

    def result(self) -> Written:
        """Return the finished answer."""
        text = self._decode(tuple(self._ids)) if self._text is None else self._text
        return Written(text, tuple(self._ids), self._ended)


@torch.inference_mode()
def generate_greedily(
    model: CausalLM,
    writes: Sequence[Write],
    batches: Batches,
    *,
    ends: frozenset[int],
    decode: Callable[[Ids], str],
) -> list[Written]:
    """Return each prefix's greedy continuation.

    Args:
        model: The language model.
        writes: What to continue.
        batches: How to cut into batches.
        ends: Ids that end an answer.
        decode: Ids to text, without special tokens.
    """

    def forward(chunk: Sequence[Write]) -> list[Written]:
        rows = [_Row(write, ends, decode) for write in chunk]
        read = prefill(model, [write.prefix for write in chunk])
        cache, mask, places, logits = read.cache, read.mask, read.lengths, read.logits
        while True:
            chosen = logits.argmax(-1)
            for row, token in zip(rows, chosen.tolist(), strict=True):
                row.add(token)
            if all(row.done for row in rows):
                return [row.result() for row in rows]
            mask = torch.cat([mask, mask.new_ones(len(rows), 1)], dim=1)
            out = model(
                input_ids=chosen[:, None],
                attention_mask=mask,
                position_ids=places[:, None],
                past_key_values=cache,
                use_cache=True,
            )
            cache, places, logits = out.past_key_values, places + 1, out.logits[:, -1].float()

    return batches.run(writes, lambda write: write.prefix.length + write.limit, forward)
