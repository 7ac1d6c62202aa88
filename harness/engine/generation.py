"""Written answers: prompts share stems, and answers to one picture are written in one row.

A row of a decode batch holds a stem once and every branch behind it; each step adds one token to
each branch that is not finished. Finished rows leave the batch.

A contrasted answer is written in two rows at once, one of which saw no picture: both get the same
tokens, and the next one is chosen by the logits of both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import Cache

from harness.engine.batching import Batches
from harness.engine.contract import VisionLanguageModel
from harness.engine.contrastive import Against, contrasted
from harness.engine.forward import Read, read_packs, step, takes_masks
from harness.engine.kv_cache import keep_rows, make_room
from harness.engine.prefill import Behind, walk
from harness.engine.prefix_tree import STEM, Prefix, Prompt, SuffixTrie, alone, grow
from harness.engine.reasoning import Thoughts
from harness.engine.tokenize import Ids

Item = tuple[int, SuffixTrie]

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
        against: What each step's logits are set against; its prompt an object of its own.
        thoughts: How reasoning is told from the answer: of ``limit``, it may take the tokens that
            are named there, and stop strings are heeded behind it alone.
    """

    prompt: Prompt
    limit: int
    stop: tuple[str, ...] = ()
    temperature: float = 0.0
    seed: int = 0
    against: Against | None = None
    thoughts: Thoughts | None = None


@dataclass(frozen=True, slots=True)
class Written:
    """A continuation.

    Attributes:
        text: Without the stop string, and without reasoning.
        ids: All that was written.
        ended: Whether it ended itself.
        reasoning: What was written before the answer.
        unfinished: Whether the reasoning never ended.
    """

    text: str
    ids: Ids
    ended: bool
    reasoning: str = ""
    unfinished: bool = False


class _Answer:
    """One answer while it is being written."""

    def __init__(self, write: Write, ends: frozenset[int], decode: Callable[[Ids], str]) -> None:
        self._write, self._ends = write, ends
        self._thoughts = write.thoughts or Thoughts((), {}, decode)
        self._closed: int | None = None
        self.against = write.against
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
        self.done = len(self.ids) >= self._write.limit or self._spent()
        if self._write.stop:
            text = self._thoughts.split(self.ids).answer
            places = [at for stop in self._write.stop if stop and (at := text.find(stop)) >= 0]
            if places:
                self._text = text[: min(places)]
                self.done = self._ended = True

    def result(self) -> Written:
        """Return the finished answer."""
        found = self._thoughts.split(self.ids)
        text = found.answer if self._text is None else self._text
        return Written(text, tuple(self.ids), self._ended, found.reasoning, found.unfinished)

    def _spent(self) -> bool:
        """Whether the tokens of the answer itself are used up, those of its reasoning aside."""
        thoughts, count = self._thoughts, len(self.ids)
        if not (thoughts.tags and thoughts.tokens):
            return False
        if self._closed is None and thoughts.closed(self.ids):
            self._closed = count
        own = max(1, self._write.limit - thoughts.tokens)
        if self._closed is not None:
            return count - self._closed >= own
        return count == own and not thoughts.begun(self.ids)


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
    writing = _Writing(model, writes, batches, ends=ends, decode=decode, shared=shared)
    return writing.all()


class _Writing:
    """Answers of a block, written batch by batch; arguments as for :func:`generate`."""

    def __init__(  # noqa: PLR0913  as above
        self,
        model: VisionLanguageModel,
        writes: Sequence[Write],
        batches: Batches,
        *,
        ends: frozenset[int],
        decode: Callable[[Ids], str],
        shared: bool,
    ) -> None:
        self._model, self._batches, self._shared = model, batches, shared
        self._ends, self._decode = ends, decode
        self._writes = {write.prompt: write for write in writes}
        self._answers: dict[Prompt, _Answer] = {}
        self._limit = max((write.limit for write in writes), default=0)
        # Positions of the longest prompt without pictures, and of such a row with its answer.
        free = [write.against.prompt.length() for write in writes if write.against is not None]
        self._aside = max(free, default=0)
        self._beside = self._aside + self._limit if free else 0

    def all(self) -> list[Written]:
        """Write every answer."""
        self._walk(list(self._writes), self._write, self._need)
        return [self._answers[prompt].result() for prompt in self._writes]

    def _walk(
        self, prompts: Sequence[Prompt], behind: Behind, need: Callable[[int, Prefix], int]
    ) -> None:
        groups: list[list[Prefix]] = [[alone(prompt)] for prompt in prompts]
        if self._shared and prompts:
            several = max(1, min(self._batches.rows, ROOM // max(1, self._limit)))
            masks = takes_masks(self._model.language_model)
            groups = [grow(prompts, self._batches.nodes if masks else None, several)]
        for stems in groups:
            walk(self._model, stems, self._batches, behind, need, together=TOGETHER)

    def _need(self, length: int, stem: Prefix) -> int:
        count = max((len(pack.ends) for pack in stem.packs), default=0)
        return length + (self._limit + self._beside) * count + self._aside

    def _write(self, read: Read, stems: Sequence[Prefix]) -> None:
        items, count, longest = _items(stems)

        def forward(chunk: Sequence[Item]) -> list[None]:
            rows = _Rows(self._model, read, chunk, self._limit * count)
            prompts = [prompt for _, pack in chunk for prompt, _ in pack.ends]
            for prompt in prompts:
                self._answers[prompt] = _Answer(self._writes[prompt], self._ends, self._decode)
            rows.write(self._answers, self._free(prompts))
            return [None] * len(chunk)

        held = read.mask.shape[1] + longest + (self._limit + self._beside) * count
        self._batches.run(items, lambda _: 1, forward, kept=lambda _: held, behind=self._aside)

    def _free(self, prompts: Sequence[Prompt]) -> list[_Rows]:
        """Read what contrasted answers are set against; return rows that go along with them."""
        rows: dict[Prompt, _Rows] = {}

        def keep(read: Read, stems: Sequence[Prefix]) -> None:
            items, count, _ = _items(stems)

            def forward(chunk: Sequence[Item]) -> list[None]:
                found = _Rows(self._model, read, chunk, self._limit * count)
                rows.update((prompt, found) for _, pack in chunk for prompt, _ in pack.ends)
                return [None] * len(chunk)

            self._batches.run(items, lambda _: 1, forward)

        free: list[Prompt] = []
        for prompt in prompts:
            against = self._writes[prompt].against
            if against is not None:
                self._answers[against.prompt] = self._answers[prompt]
                free.append(against.prompt)
        self._walk(free, keep, lambda _length, _stem: 0)
        return list(dict.fromkeys(rows.values()))


def _items(stems: Sequence[Prefix]) -> tuple[list[Item], int, int]:
    """Return row and pack of what stands behind stems, the most answers and nodes of a pack."""
    items = [(row, pack) for row, stem in enumerate(stems) for pack in stem.packs]
    count = max((len(pack.ends) for _, pack in items), default=0)
    return items, count, max((len(pack) for _, pack in items), default=0)


class _Rows:
    """Rows of answers that are written together.

    A row's cache holds its stem, its pack and what was written; ``seen`` (B, Q, S) says what each
    of its answers sees of that.
    """

    def __init__(
        self,
        model: VisionLanguageModel,
        read: Read,
        chunk: Sequence[Item],
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

    def write(self, answers: Mapping[Prompt, _Answer], free: Sequence[_Rows]) -> None:
        """Write every answer to its end, with the rows that contrasted ones are set against."""
        while True:
            logits = self._contrasted(answers, free) if free else self._logits
            likeliest = logits.argmax(-1).tolist()
            for row, prompts in enumerate(self._prompts):
                for place, prompt in enumerate(prompts):
                    answers[prompt].take(likeliest[row][place], logits[row, place])
            if not self.advance(answers):
                return
            free = [rows for rows in free if rows.advance(answers)]

    def _contrasted(self, answers: Mapping[Prompt, _Answer], free: Sequence[_Rows]) -> Tensor:
        """Return the logits (B, K, V) by which the next tokens are chosen."""
        places = {
            answers[prompt]: (row, place)
            for row, prompts in enumerate(self._prompts)
            for place, prompt in enumerate(prompts)
        }
        logits = self._logits.clone()
        for rows in free:
            held, theirs = rows.following(answers)
            at = _index([places[answer] for answer in held], logits.device)
            logits[at] = contrasted(self._logits[at], theirs, *_options(held, logits))
        return logits

    def following(self, answers: Mapping[Prompt, _Answer]) -> tuple[list[_Answer], Tensor]:
        """Return the answers (N) and the logits (N, V) of their next tokens."""
        places = [
            (row, place)
            for row, prompts in enumerate(self._prompts)
            for place, _ in enumerate(prompts)
        ]
        held = [answers[self._prompts[row][place]] for row, place in places]
        return held, self._logits[_index(places, self._logits.device)]

    def advance(self, answers: Mapping[Prompt, _Answer]) -> bool:
        """Feed each answer's last token; return whether any answer goes on."""
        active = [
            [place for place, prompt in enumerate(prompts) if not answers[prompt].done]
            for prompts in self._prompts
        ]
        if not any(active):
            return False
        self._keep(active)
        self._step([[answers[prompt].ids[-1] for prompt in some] for some in self._prompts])
        return True

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


def _index(pairs: Sequence[tuple[int, int]], device: torch.device) -> tuple[Tensor, Tensor]:
    rows, places = torch.tensor(pairs, device=device).unbind(1)
    return rows, places


def _options(answers: Sequence[_Answer], like: Tensor) -> tuple[Tensor, Tensor]:
    """Return alphas and cutoffs of contrasted answers, both (N, 1)."""
    held = [against.contrast for one in answers if (against := one.against) is not None]
    alphas = like.new_tensor([[contrast.alpha] for contrast in held])
    return alphas, like.new_tensor([[contrast.cutoff] for contrast in held])
