"""The prefix tree over a block of prompts, and the token tries of their suffixes.

A prompt is a sequence of symbols, each a token id or an image's key. Prompts with a common
beginning share a :class:`Prefix`, which is prefilled once. Prompts that show a further image after
it share a child prefix. What remains of a prompt holds no image: these suffixes, followed by their
options, form a :class:`SuffixTrie` whose nodes are tokens. A trie is small enough to be scored in
one row of one forward pass, under a tree attention mask.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from itertools import islice, pairwise

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from harness.engine.contract import Inputs, VisionLanguageModel
from harness.engine.tokenize import IMAGE, Ids, common_length

SHORT = 16
"""A common beginning of fewer positions is not worth a forward pass of its own."""
_LAYOUTS = 256  # groups of questions whose tries are remembered, of at most 64 KiB each as a mask
ROOT = -1
"""Stands for a node: the last position of the prefix."""

Symbols = tuple[int | str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class Prompt:
    """A prompt to answer.

    Attributes:
        ids: Token ids, :data:`.tokenize.IMAGE` once for each image.
        images: Key and positions ``(T, W)`` of each image, in order.
        options: Ids of each option to score; none to write an answer.
        symbols: The ids, with images' keys in their places.
    """

    ids: Ids
    images: tuple[tuple[str, Tensor], ...] = ()
    options: tuple[Ids, ...] = ()
    symbols: Symbols = field(init=False)

    def __post_init__(self) -> None:
        symbols: list[int | str] = list(self.ids)
        at = -1
        for key, _ in self.images:
            at = self.ids.index(IMAGE, at + 1)
            symbols[at] = key
        object.__setattr__(self, "symbols", tuple(symbols))

    def length(self, end: int | None = None) -> int:
        """Return the positions that the first ``end`` symbols take, or all."""
        ids = self.ids[:end]
        count = ids.count(IMAGE)
        return len(ids) - count + sum(len(image) for _, image in self.images[:count])

    @property
    def last_image(self) -> int:
        """Symbols up to the last image, itself included; 0 where there is none."""
        return len(self.ids) - self.ids[::-1].index(IMAGE) if self.images else 0

    def inputs(self, model: VisionLanguageModel, start: int = 0, end: int | None = None) -> Inputs:
        """Return what the language model takes for the symbols from ``start`` to ``end``."""
        ids = self.ids[:end]
        # A model may look at the whole prompt to number positions (multimodal rotary positions), so
        # it sees all of it, and what earlier prefixes hold is cut off afterwards.
        inputs = model.inputs(ids, [image for _, image in self.images[: ids.count(IMAGE)]])
        cut = self.length(start)
        if not cut:
            return inputs
        extras = {name: extra[cut:] for name, extra in inputs.extras.items()}
        return Inputs(inputs.embeds[cut:], inputs.positions[:, cut:], inputs.following, extras)


class TrieLayout:
    """A trie of tokens: suffixes of prompts, with their options. Equal ones share a layout.

    Nodes are numbered; a parent comes before its children. What is derived is computed once.

    Attributes:
        tokens: The token of each node.
        parents: Its parent, or :data:`ROOT`.
        depths: Its distance from the prefix's last position, less one.
        ends: The node each suffix ends at.
        scored: For each option its suffix, its number there, and the nodes and tokens whose
            log-probabilities add up to its log-likelihood.
    """

    def __init__(self) -> None:
        self.tokens: list[int] = []
        self.parents: list[int] = []
        self.depths: list[int] = []
        self.ends: list[int] = []
        self.scored: list[tuple[int, int, list[tuple[int, int]]]] = []
        self._children: dict[tuple[int, int], int] = {}
        self._written: set[int] = set()

    def __len__(self) -> int:
        return len(self.tokens)

    def add(self, ids: Ids, options: Sequence[Ids]) -> None:
        """Add a suffix and its options; without options its next token is to be written."""
        node = ROOT
        for token in ids:
            node = self._child(node, token)
        if not options:
            self._written.add(node)
        for number, option in enumerate(options):
            at = node
            aims = [(at, option[0])]
            for token, aim in pairwise(option):
                at = self._child(at, token)
                aims.append((at, aim))
            self.scored.append((len(self.ends), number, aims))
        self.ends.append(node)

    @cached_property
    def logit_nodes(self) -> list[int]:
        """Nodes whose logits are wanted, in order."""
        scored = {node for _, _, aims in self.scored for node, _ in aims}
        return sorted((scored | self._written) - {ROOT})

    @cached_property
    def columns(self) -> list[int]:
        """Each node's column in a row; those of :attr:`logit_nodes` are the last, in order."""
        last = set(self.logit_nodes)
        order = [node for node in range(len(self)) if node not in last] + self.logit_nodes
        return sorted(range(len(order)), key=order.__getitem__)

    @cached_property
    def inputs(self) -> NDArray[np.int64]:
        """Tokens and depths (2, T) by column."""
        by_column = np.zeros((2, len(self)), dtype=np.int64)
        by_column[:, self.columns] = [self.tokens, self.depths]
        return by_column

    @cached_property
    def sees(self) -> NDArray[np.bool_]:
        """Whether column a attends to column b (T, T): b is a or an ancestor of a."""
        # Parents come before children, so a parent's row is complete when a child copies it.
        sees = np.eye(len(self), dtype=bool)
        for column, parent in zip(self.columns, self.parents, strict=True):
            if parent != ROOT:
                sees[column] |= sees[self.columns[parent]]
        return sees

    @cached_property
    def aims(self) -> list[tuple[int, int]]:
        """The distinct nodes and tokens of options, those after :data:`ROOT` first."""
        distinct = dict.fromkeys(aim for _, _, path in self.scored for aim in path)
        return sorted(distinct, key=lambda aim: aim[0] != ROOT)

    @cached_property
    def lookups(self) -> tuple[list[int], NDArray[np.int64]]:
        """Tokens after the prefix; rank in :attr:`logit_nodes` and token (2, N) after nodes."""
        first = [token for node, token in self.aims if node == ROOT]
        ranks = {node: rank for rank, node in enumerate(self.logit_nodes)}
        after = [(ranks[node], token) for node, token in self.aims[len(first) :]]
        return first, np.array(after, dtype=np.int64).reshape(-1, 2).T

    @cached_property
    def paths(self) -> list[tuple[int, int, list[int]]]:
        """For each option its suffix, its number there, and the places of its :attr:`aims`."""
        numbers = {aim: number for number, aim in enumerate(self.aims)}
        return [(at, number, [numbers[aim] for aim in path]) for at, number, path in self.scored]

    def _child(self, node: int, token: int) -> int:
        child = self._children.setdefault((node, token), len(self.tokens))
        if child == len(self.tokens):
            self.tokens.append(token)
            self.parents.append(node)
            self.depths.append(0 if node == ROOT else self.depths[node] + 1)
        return child


@dataclass(frozen=True, slots=True, eq=False)
class SuffixTrie:
    """Prompts after a prefix.

    Attributes:
        layout: The trie of their tokens.
        prompts: One for each suffix.
        first: Number of the option with which each suffix begins.
    """

    layout: TrieLayout
    prompts: Sequence[Prompt]
    first: int = 0

    def __len__(self) -> int:
        return len(self.layout)


@dataclass(slots=True, eq=False)
class Prefix:
    """A beginning that several prompts share, or the whole of one prompt.

    Attributes:
        prompt: One of the prompts that have it.
        start: Where it starts in the prompt's symbols: the end of its parent, or 0.
        end: Where it ends.
        tries: Suffixes that follow it.
        children: Prefixes that continue it.
    """

    prompt: Prompt
    start: int
    end: int
    tries: list[SuffixTrie] = field(default_factory=list)
    children: list[Prefix] = field(default_factory=list)

    @property
    def length(self) -> int:
        """Positions of the prefix itself."""
        return self.prompt.length(self.end) - self.prompt.length(self.start)

    @property
    def longest_suffix(self) -> int:
        """Number of nodes in its largest trie."""
        return max((len(trie) for trie in self.tries), default=0)


def build_prefix_tree(
    prompts: Sequence[Prompt], nodes: int | None, prompts_per_trie: int, start: int = 0
) -> list[Prefix]:
    """Return the prefixes of prompts that are equal up to symbol ``start``.

    Args:
        prompts: At least one.
        nodes: Maximum number of nodes in a trie, unless one prompt needs more. ``None`` where the
            attention kernel takes no tree mask: every prompt is then a prefix of its own, and every
            option a trie without branches.
        prompts_per_trie: Maximum number of prompts in a trie.
        start: Symbols that the parents of these prefixes cover.
    """
    end = len(prompts[0].symbols)
    for prompt in prompts[1:]:
        end = min(end, common_length(prompts[0].symbols, prompt.symbols))
    leaves: list[Prompt] = []
    buckets: dict[Symbols, list[Prompt]] = {}
    for prompt in prompts:
        # An image is a border: what stands up to it must be a prefix, since tries hold only tokens.
        at = _next_image(prompt, end)
        if at is not None:
            buckets.setdefault(prompt.symbols[end : at + 1], []).append(prompt)
        elif nodes is None and len(prompt.symbols) > end:
            buckets.setdefault(prompt.symbols[end:], []).append(prompt)
        else:
            leaves.append(prompt)
    first = prompts[0]
    # A short beginning is computed again with each continuation: its own pass would cost more.
    if first.length(end) - first.length(start) < SHORT and any(
        len(prompt.symbols) > end for prompt in prompts
    ):
        for prompt in leaves:
            buckets.setdefault(prompt.symbols, []).append(prompt)
        return [
            prefix
            for bucket in buckets.values()
            for prefix in build_prefix_tree(bucket, nodes, prompts_per_trie, start)
        ]
    prefix = Prefix(first, start, end)
    prefix.tries = list(tries_of(leaves, end, nodes, prompts_per_trie))
    prefix.children = [
        child
        for bucket in buckets.values()
        for child in build_prefix_tree(bucket, nodes, prompts_per_trie, end)
    ]
    return [prefix]


def single_prefix(prompt: Prompt) -> Prefix:
    """Return a prompt as one prefix that it shares with no other."""
    prefix = Prefix(prompt, 0, len(prompt.symbols))
    prefix.tries = list(tries_of([prompt], prefix.end, None, 1))
    return prefix


def _next_image(prompt: Prompt, start: int) -> int | None:
    try:
        return prompt.ids.index(IMAGE, start)
    except ValueError:
        return None


def tries_of(
    prompts: Sequence[Prompt], start: int, nodes: int | None, prompts_per_trie: int
) -> Iterator[SuffixTrie]:
    """Yield the tries of prompts after their symbol ``start``; see :func:`build_prefix_tree`."""
    if nodes is None:
        for prompt in prompts:
            for number, options in enumerate([(each,) for each in prompt.options] or [()]):
                (layout,) = lay_out(((prompt.ids[start:], options),), 0, 1)
                yield SuffixTrie(layout, [prompt], number)
        return
    # In this order neighbours share the most tokens, so a trie has the fewest nodes.
    ordered = sorted(prompts, key=lambda prompt: prompt.ids)
    suffixes = tuple((prompt.ids[start:], prompt.options) for prompt in ordered)
    remaining = iter(ordered)
    for layout in lay_out(suffixes, nodes, prompts_per_trie):
        yield SuffixTrie(layout, list(islice(remaining, len(layout.ends))))


@lru_cache(_LAYOUTS)
def lay_out(
    suffixes: tuple[tuple[Ids, tuple[Ids, ...]], ...], nodes: int, suffixes_per_trie: int
) -> list[TrieLayout]:
    """Return the tries of suffixes and their options, in order.

    The questions about one image are often those about the next, whose tries are then known.

    Args:
        suffixes: Ids after a prefix, none of them an image, and the options there.
        nodes: Maximum number of nodes in a trie, unless one suffix needs more.
        suffixes_per_trie: Maximum number of suffixes in a trie.
    """
    layouts: list[TrieLayout] = []
    for ids, options in suffixes:
        added = len(ids) + sum(len(option) - 1 for option in options)
        if not layouts or (
            len(layouts[-1]) + added > nodes or len(layouts[-1].ends) >= suffixes_per_trie
        ):
            layouts.append(TrieLayout())
        layouts[-1].add(ids, options)
    return layouts
