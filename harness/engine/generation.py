"""Text generation: prompts share prefixes, and answers about one image are decoded in one row.

A row of a decode batch holds a prefix once, and every suffix after it; each step adds one token to
each answer that is not finished. Finished rows leave the batch.

In contrastive decoding an answer is generated in two rows at once, one of which has no image: both
get the same tokens, and the next one is chosen from the logits of both.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import Cache

from harness.engine.batching import Batches
from harness.engine.contract import VisionLanguageModel
from harness.engine.contrastive import ContrastPrompt, contrasted
from harness.engine.forward import PrefilledRows, run_tries, step, takes_tree_masks
from harness.engine.kv_cache import keep_rows, make_room
from harness.engine.prefill import OnPrefill, prefill_tree
from harness.engine.prefix_tree import (
    ROOT,
    Prefix,
    Prompt,
    SuffixTrie,
    build_prefix_tree,
    single_prefix,
)
from harness.engine.reasoning import Thoughts
from harness.engine.tokenize import Ids

Item = tuple[int, SuffixTrie]

ROOM = 512
"""Maximum positions of all answers in one row, when there are several."""
WIDEN = 4
"""Multiplies the size of prefill batches: a decode step gains from many rows."""


@dataclass(frozen=True, slots=True)
class GenerationTask:
    """A prompt to continue, by at most ``limit`` tokens, ending before any stop string.

    Attributes:
        temperature: Sampling temperature; 0 takes the likeliest token.
        seed: Seed of sampling.
        against: What each step's logits are set against; its prompt is an object of its own.
        thoughts: How reasoning is separated from the answer: of ``limit``, it may take the tokens
            that are named there, and stop strings count after it alone.
    """

    prompt: Prompt
    limit: int
    stop: tuple[str, ...] = ()
    temperature: float = 0.0
    seed: int = 0
    against: ContrastPrompt | None = None
    thoughts: Thoughts | None = None


@dataclass(frozen=True, slots=True)
class Generation:
    """A generated answer.

    Attributes:
        text: Without the stop string, and without reasoning.
        ids: All generated tokens.
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
    """One answer while it is generated."""

    def __init__(
        self, write: GenerationTask, ends: frozenset[int], decode: Callable[[Ids], str]
    ) -> None:
        self._write, self._ends = write, ends
        self._thoughts = write.thoughts or Thoughts((), {}, decode)
        self._closed: int | None = None
        self.against = write.against
        self.ids: list[int] = []
        self._text: str | None = None
        self.done = write.limit < 1
        self._ended = False
        self._generator = torch.Generator().manual_seed(write.seed) if write.temperature else None

    def take(self, likeliest: int, logits: Tensor) -> None:
        """Take the next token: the likeliest, or one drawn under its logits (V,)."""
        token = likeliest
        if self._generator is not None:
            # On the CPU in double precision, so that a seed draws the same token on any device.
            probabilities = torch.softmax(logits.double().cpu() / self._write.temperature, -1)
            token = int(torch.multinomial(probabilities, 1, generator=self._generator))
        if token in self._ends:
            self.done = self._ended = True
            return
        self.ids.append(token)
        self.done = len(self.ids) >= self._write.limit or self._spent()
        if self._write.stop:
            text = self._thoughts.split(self.ids).answer
            # A stop string may end within a token, so the decoded text is searched, not the ids.
            matches = [at for stop in self._write.stop if stop and (at := text.find(stop)) >= 0]
            if matches:
                self._text = text[: min(matches)]
                self.done = self._ended = True

    def result(self) -> Generation:
        """Return the finished answer."""
        parts = self._thoughts.split(self.ids)
        text = parts.answer if self._text is None else self._text
        return Generation(text, tuple(self.ids), self._ended, parts.reasoning, parts.unfinished)

    def _spent(self) -> bool:
        """Whether the tokens of the answer itself are used up, those of its reasoning aside."""
        thoughts, count = self._thoughts, len(self.ids)
        if not (thoughts.tags and thoughts.tokens):
            return False
        if self._closed is None and thoughts.closed(self.ids):
            self._closed = count
        limit = max(1, self._write.limit - thoughts.tokens)
        if self._closed is not None:
            return count - self._closed >= limit
        return count == limit and not thoughts.begun(self.ids)


def generate(  # noqa: PLR0913  each is a choice of its own
    model: VisionLanguageModel,
    writes: Sequence[GenerationTask],
    batches: Batches,
    *,
    ends: frozenset[int],
    decode: Callable[[Ids], str],
    shared: bool = True,
) -> list[Generation]:
    """Return each prompt's continuation.

    Args:
        model: The model.
        writes: What to continue; every prompt is an object of its own.
        batches: How to cut into batches.
        ends: Ids that end an answer.
        decode: Ids to text, without special tokens.
        shared: Whether prompts share prefixes and rows; otherwise each is generated by itself.
    """
    writing = _Writing(model, writes, batches, ends=ends, decode=decode, shared=shared)
    return writing.all()


class _Writing:
    """Generates the answers of a block, batch by batch; arguments as for :func:`generate`."""

    def __init__(  # noqa: PLR0913  as above
        self,
        model: VisionLanguageModel,
        writes: Sequence[GenerationTask],
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
        # Positions of the longest prompt without images, and of such a row with its answer.
        free = [write.against.prompt.length() for write in writes if write.against is not None]
        self._free_length = max(free, default=0)
        self._free_row = self._free_length + self._limit if free else 0

    def all(self) -> list[Generation]:
        """Generate every answer."""
        self._walk(list(self._writes), self._write, self._need)
        return [self._answers[prompt].result() for prompt in self._writes]

    def _walk(
        self, prompts: Sequence[Prompt], on_prefill: OnPrefill, need: Callable[[int, Prefix], int]
    ) -> None:
        groups: list[list[Prefix]] = [[single_prefix(prompt)] for prompt in prompts]
        if self._shared and prompts:
            # All answers of a row share its room, so a longer limit leaves place for fewer prompts.
            prompts_per_trie = max(1, min(self._batches.rows, ROOM // max(1, self._limit)))
            tree_masks = takes_tree_masks(self._model.language_model)
            groups = [
                build_prefix_tree(
                    prompts, self._batches.nodes if tree_masks else None, prompts_per_trie
                )
            ]
        for prefixes in groups:
            prefill_tree(self._model, prefixes, self._batches, on_prefill, need, widen=WIDEN)

    def _need(self, length: int, prefix: Prefix) -> int:
        count = max((len(trie.prompts) for trie in prefix.tries), default=0)
        return length + (self._limit + self._free_row) * count + self._free_length

    def _write(self, prefilled: PrefilledRows, prefixes: Sequence[Prefix]) -> None:
        items, count, longest = _items(prefixes)

        def forward(chunk: Sequence[Item]) -> list[None]:
            rows = _Rows(self._model, prefilled, chunk, self._limit * count)
            prompts = [prompt for _, trie in chunk for prompt in trie.prompts]
            for prompt in prompts:
                self._answers[prompt] = _Answer(self._writes[prompt], self._ends, self._decode)
            rows.write(self._answers, self._free(prompts))
            return [None] * len(chunk)

        length = prefilled.mask.shape[1] + longest + (self._limit + self._free_row) * count
        self._batches.run(
            items, lambda _: 1, forward, cached=lambda _: length, reserve=self._free_length
        )

    def _free(self, prompts: Sequence[Prompt]) -> list[_Rows]:
        """Prefill what contrasted answers are set against; return rows that advance with them."""
        rows: dict[Prompt, _Rows] = {}

        def keep(prefilled: PrefilledRows, prefixes: Sequence[Prefix]) -> None:
            items, count, _ = _items(prefixes)

            def forward(chunk: Sequence[Item]) -> list[None]:
                free_rows = _Rows(self._model, prefilled, chunk, self._limit * count)
                rows.update((prompt, free_rows) for _, trie in chunk for prompt in trie.prompts)
                return [None] * len(chunk)

            self._batches.run(items, lambda _: 1, forward)

        free: list[Prompt] = []
        for prompt in prompts:
            against = self._writes[prompt].against
            if against is not None:
                # Both rows feed the same object: what one of them takes is the next token of both.
                self._answers[against.prompt] = self._answers[prompt]
                free.append(against.prompt)
        self._walk(free, keep, lambda _length, _stem: 0)
        return list(dict.fromkeys(rows.values()))


def _items(prefixes: Sequence[Prefix]) -> tuple[list[Item], int, int]:
    """Return row and trie of what follows prefixes, and the most answers and nodes of a trie."""
    items = [(row, trie) for row, prefix in enumerate(prefixes) for trie in prefix.tries]
    count = max((len(trie.prompts) for _, trie in items), default=0)
    return items, count, max((len(trie) for _, trie in items), default=0)


class _Rows:
    """Rows of answers that are decoded together.

    A row's KV cache holds its prefix, its trie and the generated tokens; ``seen`` (B, Q, S) says
    which of these positions each of its answers attends to.
    """

    def __init__(
        self, model: VisionLanguageModel, prefilled: PrefilledRows, chunk: Sequence[Item], room: int
    ) -> None:
        self._model, self._like = model, prefilled.like
        rows, tries = [row for row, _ in chunk], [trie for _, trie in chunk]
        count = max(len(trie.prompts) for trie in tries)
        longest = max(len(trie) for trie in tries)
        device = prefilled.mask.device
        self._prompts = [list(trie.prompts) for trie in tries]
        self._logits = prefilled.logits[rows][:, None].repeat(1, count, 1)
        self._positions = prefilled.following[rows][:, None].repeat(1, count)
        blank = torch.zeros(len(rows), longest, dtype=torch.bool, device=device)
        self._seen = torch.cat([prefilled.mask[rows], blank], 1)[:, None].repeat(1, count, 1)
        self._cache: Cache
        if not longest:
            self._cache = make_room(prefilled.cache, rows, room)
            return
        suffixes = run_tries(model, prefilled, tries, rows, room=room)
        self._cache = suffixes.cache
        for row, trie in enumerate(tries):
            layout = trie.layout
            for column, node in enumerate(layout.ends):
                if node != ROOT:
                    slot = suffixes.slots[row] + layout.logit_nodes.index(node)
                    self._logits[row, column] = suffixes.logits[row, slot]
                    self._positions[row, column] += layout.depths[node] + 1
                    at = suffixes.starts[row] + layout.columns[node]
                    self._seen[row, column] = suffixes.seen[row, at]

    def write(self, answers: Mapping[Prompt, _Answer], free: Sequence[_Rows]) -> None:
        """Generate every answer to its end, with the rows that contrasted ones are set against."""
        while True:
            logits = self._contrasted(answers, free) if free else self._logits
            likeliest = logits.argmax(-1).tolist()
            for row, prompts in enumerate(self._prompts):
                for column, prompt in enumerate(prompts):
                    answers[prompt].take(likeliest[row][column], logits[row, column])
            if not self.advance(answers):
                return
            free = [rows for rows in free if rows.advance(answers)]

    def _contrasted(self, answers: Mapping[Prompt, _Answer], free: Sequence[_Rows]) -> Tensor:
        """Return the logits (B, K, V) by which the next tokens are chosen."""
        columns = {
            answers[prompt]: (row, column)
            for row, prompts in enumerate(self._prompts)
            for column, prompt in enumerate(prompts)
        }
        logits = self._logits.clone()
        for rows in free:
            theirs, free_logits = rows.following(answers)
            at = _index([columns[answer] for answer in theirs], logits.device)
            logits[at] = contrasted(self._logits[at], free_logits, *_options(theirs, logits))
        return logits

    def following(self, answers: Mapping[Prompt, _Answer]) -> tuple[list[_Answer], Tensor]:
        """Return the answers (N) and the logits (N, V) of their next tokens."""
        cells = [
            (row, column)
            for row, prompts in enumerate(self._prompts)
            for column, _ in enumerate(prompts)
        ]
        active = [answers[self._prompts[row][column]] for row, column in cells]
        return active, self._logits[_index(cells, self._logits.device)]

    def advance(self, answers: Mapping[Prompt, _Answer]) -> bool:
        """Feed each answer's last token; return whether any answer goes on."""
        active = [
            [column for column, prompt in enumerate(prompts) if not answers[prompt].done]
            for prompts in self._prompts
        ]
        if not any(active):
            return False
        self._keep(active)
        self._step([[answers[prompt].ids[-1] for prompt in prompts] for prompts in self._prompts])
        return True

    def _keep(self, active: Sequence[Sequence[int]]) -> None:
        """Remove finished answers, and finished rows when they are half of all."""
        rows = [row for row, columns in enumerate(active) if columns]
        # Removing rows copies the KV cache, so it waits until there is much to gain.
        if 2 * len(rows) > len(active):
            rows = list(range(len(active)))
        else:
            keep_rows(self._cache, rows)
        count = max(map(len, active))
        self._prompts = [[self._prompts[row][column] for column in active[row]] for row in rows]
        # Rows with fewer answers repeat their first one; the result is not used.
        index = [[*active[row], *[0] * (count - len(active[row]))] for row in rows]
        picked = torch.tensor(rows, device=self._seen.device)[:, None]
        columns = torch.tensor(index, device=self._seen.device)
        self._seen = self._seen[picked, columns]
        self._positions = self._positions[picked, columns]

    def _step(self, tokens: Sequence[Sequence[int]]) -> None:
        """Feed one token of each answer and take the logits of the next."""
        rows, count, _ = self._seen.shape
        ids = torch.zeros(rows, count, dtype=torch.long)
        for row, last in enumerate(tokens):
            ids[row, : len(last)] = torch.tensor(last, dtype=torch.long)
        # Each new token attends to itself, and not to those of the row's other answers.
        itself = torch.eye(count, dtype=torch.bool, device=self._seen.device).expand(rows, -1, -1)
        self._seen = torch.cat([self._seen, itself], dim=2)
        tree_masks = takes_tree_masks(self._model.language_model)
        self._logits = step(
            self._model,
            self._like,
            tokens=ids,
            positions=self._positions,
            mask=self._seen if tree_masks else self._seen[:, 0],
            cache=self._cache,
            keep=count,
        ).float()
        self._positions = self._positions + 1


def _index(pairs: Sequence[tuple[int, int]], device: torch.device) -> tuple[Tensor, Tensor]:
    rows, columns = torch.tensor(pairs, device=device).unbind(1)
    return rows, columns


def _options(answers: Sequence[_Answer], like: Tensor) -> tuple[Tensor, Tensor]:
    """Return alphas and cutoffs of contrasted answers, both (N, 1)."""
    contrasts = [answer.against.contrast for answer in answers if answer.against is not None]
    alphas = like.new_tensor([[contrast.alpha] for contrast in contrasts])
    return alphas, like.new_tensor([[contrast.cutoff] for contrast in contrasts])
