"""Written answers: prompts share stems, and answers to one picture are written in one row.

A row of a decode batch holds a stem once and every branch behind it; each step adds one token to
each branch that is not finished. Finished rows leave the batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import Cache

from harness.engine.batching import Batches
from harness.engine.cache import keep_rows, make_room
from harness.engine.contract import VisionLanguageModel
from harness.engine.reading import Read, read_packs, step, takes_masks
from harness.engine.tokens import Ids
from harness.engine.tree import STEM, Pack, Prompt, Stem, alone, grow
from harness.engine.walking import walk

ROOM = 512
"""Positions that the answers in one row may take together, when there are several."""
TOGETHER = 4
"""Forward passes' worth of stems that are read at once: a decode step gains from many rows."""


@dataclass(frozen=True, slots=True)
class Write:
    """A prompt to continue, by at most ``limit`` tokens, ending before any stop string.

    Attributes:
        temperature: Of sampling; 0 takes the likeliest token.
        seed: Of sampling.
    """

    prompt: Prompt
    limit: int
    stop: tuple[str, ...] = ()
    temperature: float = 0.0
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Written:
    """A continuation: its text without the stop string, its ids, and whether it ended itself."""

    text: str
    ids: Ids
    ended: bool


class _Answer:
    """One answer while it is being written."""

    def __init__(self, write: Write, ends: frozenset[int], decode: Callable[[Ids], str]) -> None:
        self._write, self._ends, self._decode = write, ends, decode
        self.ids: list[int] = []
        self._text: str | None = None
        self.done = write.limit < 1
        self._ended = False
        self._chance = torch.Generator().manual_seed(write.seed) if write.temperature else None

    def take(self, likeliest: int, logits: Tensor) -> None:
        """Take the next token: the likeliest, or one drawn under its logits (V,)."""
        token = likeliest
        if self._chance is not None:
            shares = torch.softmax(logits.double().cpu() / self._write.temperature, -1)
            token = int(torch.multinomial(shares, 1, generator=self._chance))
        if token in self._ends:
            self.done = self._ended = True
            return
        self.ids.append(token)
        self.done = len(self.ids) >= self._write.limit
        if self._write.stop:
            text = self._decode(tuple(self.ids))
            places = [at for stop in self._write.stop if stop and (at := text.find(stop)) >= 0]
            if places:
                self._text = text[: min(places)]
                self.done = self._ended = True

    def result(self) -> Written:
        """Return the finished answer."""
        text = self._decode(tuple(self.ids)) if self._text is None else self._text
        return Written(text, tuple(self.ids), self._ended)


def generate(  # noqa: PLR0913  each is a choice of its own
    model: VisionLanguageModel,
    writes: Sequence[Write],
    batches: Batches,
    *,
    ends: frozenset[int],
    decode: Callable[[Ids], str],
    shared: bool = True,
) -> list[Written]:
    """Return each prompt's continuation.

    Args:
        model: The model.
        writes: What to continue; every prompt an object of its own.
        batches: How to cut into batches.
        ends: Ids that end an answer.
        decode: Ids to text, without special tokens.
        shared: Whether prompts share stems and rows; otherwise each is written alone.
    """
    answers: dict[Prompt, _Answer] = {}

    def behind(read: Read, stems: Sequence[Stem]) -> None:
        items = [(row, pack) for row, stem in enumerate(stems) for pack in stem.packs]
        if not items:
            return
        longest = max(len(pack) for _, pack in items)
        room = limit * max(len(pack.ends) for _, pack in items)

        def forward(chunk: Sequence[tuple[int, Pack]]) -> list[None]:
            for _, pack in chunk:
                for prompt, _ in pack.ends:
                    answers[prompt] = _Answer(by_prompt[prompt], ends, decode)
            _Rows(model, read, chunk, room).write(answers)
            return [None] * len(chunk)

        held = read.mask.shape[1]
        batches.run(items, lambda _: 1, forward, kept=lambda _: held + longest + room)

    def need(length: int, stem: Stem) -> int:
        return length + limit * max((len(pack.ends) for pack in stem.packs), default=0)

    by_prompt = {write.prompt: write for write in writes}
    limit = max((write.limit for write in writes), default=0)
    several = max(1, min(batches.rows, ROOM // max(1, limit)))
    nodes = batches.nodes if takes_masks(model.language_model) else None
    prompts = list(by_prompt)
    groups: list[list[Stem]] = [[alone(prompt)] for prompt in prompts]
    if shared and prompts:
        groups = [grow(prompts, nodes, several)]
    for stems in groups:
        walk(model, stems, batches, behind, need, together=TOGETHER)
    return [answers[write.prompt].result() for write in writes]


class _Rows:
    """Rows of answers that are written together.

    A row's cache holds its stem, its pack and what was written; ``seen`` (B, Q, S) says what each
    of its answers sees of that.
    """

    def __init__(
        self,
        model: VisionLanguageModel,
        read: Read,
        chunk: Sequence[tuple[int, Pack]],
        room: int,
    ) -> None:
        self._model, self._like = model, read.like
        rows, packs = [row for row, _ in chunk], [pack for _, pack in chunk]
        count = max(len(pack.ends) for pack in packs)
        longest = max(len(pack) for pack in packs)
        device = read.mask.device
        self._prompts = [[prompt for prompt, _ in pack.ends] for pack in packs]
        self._logits = read.logits[rows][:, None].repeat(1, count, 1)
        self._places = read.following[rows][:, None].repeat(1, count)
        blank = torch.zeros(len(rows), longest, dtype=torch.bool, device=device)
        self._seen = torch.cat([read.mask[rows], blank], 1)[:, None].repeat(1, count, 1)
        self._cache: Cache
        if not longest:
            self._cache = make_room(read.cache, rows, room)
            return
        branches = read_packs(model, read, packs, rows, room=room)
        self._cache = branches.cache
        for row, pack in enumerate(packs):
            for place, (_, node) in enumerate(pack.ends):
                if node != STEM:
                    self._logits[row, place] = branches.logits[row, branches.slots[row][node]]
                    self._places[row, place] += pack.depths[node] + 1
                    self._seen[row, place] = branches.seen[row, branches.columns[row][node]]

    def write(self, answers: dict[Prompt, _Answer]) -> None:
        """Write every answer to its end."""
        while True:
            likeliest = self._logits.argmax(-1).tolist()
            for row, prompts in enumerate(self._prompts):
                for place, prompt in enumerate(prompts):
                    answers[prompt].take(likeliest[row][place], self._logits[row, place])
            active = [
                [place for place, prompt in enumerate(prompts) if not answers[prompt].done]
                for prompts in self._prompts
            ]
            if not any(active):
                return
            self._keep(active)
            tokens = [[answers[prompt].ids[-1] for prompt in some] for some in self._prompts]
            self._step(tokens)

    def _keep(self, active: Sequence[Sequence[int]]) -> None:
        """Let finished answers leave, and finished rows when they are half of all."""
        rows = [row for row, places in enumerate(active) if places]
        if 2 * len(rows) > len(active):
            rows = list(range(len(active)))
        else:
            keep_rows(self._cache, rows)
        count = max(len(places) for places in active)
        self._prompts = [[self._prompts[row][place] for place in active[row]] for row in rows]
        # Rows with fewer answers repeat their first one; nobody reads what comes of it.
        index = [[*active[row], *[0] * (count - len(active[row]))] for row in rows]
        picked = torch.tensor(rows, device=self._seen.device)[:, None]
        columns = torch.tensor(index, device=self._seen.device)
        self._seen = self._seen[picked, columns]
        self._places = self._places[picked, columns]

    def _step(self, tokens: Sequence[Sequence[int]]) -> None:
        """Feed one token of each answer and take the logits of the next."""
        rows, count, _ = self._seen.shape
        given = torch.zeros(rows, count, dtype=torch.long)
        for row, some in enumerate(tokens):
            given[row, : len(some)] = torch.tensor(some, dtype=torch.long)
        own = torch.eye(count, dtype=torch.bool, device=self._seen.device).expand(rows, -1, -1)
        self._seen = torch.cat([self._seen, own], dim=2)
        masks = takes_masks(self._model.language_model)
        self._logits = step(
            self._model,
            self._like,
            tokens=given,
            positions=self._places,
            mask=self._seen if masks else self._seen[:, 0],
            cache=self._cache,
            keep=count,
        ).float()
        self._places = self._places + 1
