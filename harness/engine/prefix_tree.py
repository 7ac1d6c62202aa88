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
from itertools import pairwise

from torch import Tensor

from harness.engine.contract import Inputs, VisionLanguageModel
from harness.engine.tokenize import IMAGE, Ids, common_length

SHORT = 16
"""A common beginning of fewer positions is not worth a forward pass of its own."""
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
        keys = iter(self.images)
        symbols = tuple(next(keys)[0] if token == IMAGE else token for token in self.ids)
        object.__setattr__(self, "symbols", symbols)

    def length(self, end: int | None = None) -> int:
        """Return the positions that the first ``end`` symbols take, or all."""
        ids = self.ids[:end]
        count = ids.count(IMAGE)
        return len(ids) - count + sum(len(image) for _, image in self.images[:count])

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


@dataclass(slots=True, eq=False)
class SuffixTrie:
    """A trie of the tokens after a prefix. Nodes are numbered; a parent comes before its children.

    Attributes:
        tokens: The token of each node.
        parents: Its parent, or :data:`ROOT`.
        depths: Its distance from the prefix's last position, less one.
        ends: Each prompt of the trie with the node it ends at.
        scored: Prompt, number of an option, and the nodes and tokens whose log-probabilities add
            up to the option's log-likelihood.
    """

    tokens: list[int] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    depths: list[int] = field(default_factory=list)
    ends: list[tuple[Prompt, int]] = field(default_factory=list)
    scored: list[tuple[Prompt, int, list[tuple[int, int]]]] = field(default_factory=list)
    _children: dict[tuple[int, int], int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.tokens)

    def add(self, prompt: Prompt, start: int, options: Sequence[int]) -> None:
        """Add a prompt from its symbol ``start`` on, and some of its options."""
        node = ROOT
        for token in prompt.ids[start:]:
            node = self._child(node, token)
        self.ends.append((prompt, node))
        for number in options:
            ids, at = prompt.options[number], node
            aims = [(at, ids[0])]
            for token, aim in pairwise(ids):
                at = self._child(at, token)
                aims.append((at, aim))
            self.scored.append((prompt, number, aims))

    @property
    def logit_nodes(self) -> list[int]:
        """Nodes whose logits are wanted, in order."""
        nodes = {node for _, _, aims in self.scored for node, _ in aims}
        nodes |= {node for prompt, node in self.ends if not prompt.options}
        return sorted(nodes - {ROOT})

    def _child(self, node: int, token: int) -> int:
        child = self._children.get((node, token))
        if child is not None:
            return child
        self.tokens.append(token)
        self.parents.append(node)
        self.depths.append(0 if node == ROOT else self.depths[node] + 1)
        self._children[node, token] = len(self.tokens) - 1
        return len(self.tokens) - 1


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
    prefix.tries = list(_tries(leaves, end, nodes, prompts_per_trie))
    prefix.children = [
        child
        for bucket in buckets.values()
        for child in build_prefix_tree(bucket, nodes, prompts_per_trie, end)
    ]
    return [prefix]


def single_prefix(prompt: Prompt) -> Prefix:
    """Return a prompt as one prefix that it shares with no other."""
    prefix = Prefix(prompt, 0, len(prompt.symbols))
    prefix.tries = list(_tries([prompt], prefix.end, None, 1))
    return prefix


def _next_image(prompt: Prompt, start: int) -> int | None:
    try:
        return prompt.ids.index(IMAGE, start)
    except ValueError:
        return None


def _tries(
    prompts: Sequence[Prompt], start: int, nodes: int | None, prompts_per_trie: int
) -> Iterator[SuffixTrie]:
    if nodes is None:
        for prompt in prompts:
            for number in range(len(prompt.options)) or [None]:
                trie = SuffixTrie()
                trie.add(prompt, start, [] if number is None else [number])
                yield trie
        return
    trie = SuffixTrie()
    # In this order neighbours share the most tokens, so a trie has the fewest nodes.
    for prompt in sorted(prompts, key=lambda prompt: prompt.ids):
        added = len(prompt.ids) - start + sum(len(ids) - 1 for ids in prompt.options)
        if trie.ends and (len(trie) + added > nodes or len(trie.ends) >= prompts_per_trie):
            yield trie
            trie = SuffixTrie()
        trie.add(prompt, start, range(len(prompt.options)))
    if trie.ends:
        yield trie
