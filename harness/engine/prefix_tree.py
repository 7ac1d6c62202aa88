"""What requests share: stems that are read once, and packs of short branches behind them.

A prompt is a sequence of symbols, each a token id or an image's key. Prompts with a common
beginning share a stem; prompts that show a further image behind it share stems of their own behind
that one. What remains of a prompt holds no image: these rests, and the options behind them, form a
trie whose nodes are tokens. A pack is such a trie, small enough for one row of one forward pass.
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
STEM = -1
"""In place of a node: the last position of the stem."""

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
        found = tuple(next(keys)[0] if token == IMAGE else token for token in self.ids)
        object.__setattr__(self, "symbols", found)

    def length(self, end: int | None = None) -> int:
        """Return the positions that the first ``end`` symbols take, or all."""
        ids = self.ids[:end]
        shown = ids.count(IMAGE)
        return len(ids) - shown + sum(len(image) for _, image in self.images[:shown])

    def inputs(self, model: VisionLanguageModel, start: int = 0, end: int | None = None) -> Inputs:
        """Return what the language model takes for the symbols from ``start`` to ``end``."""
        ids = self.ids[:end]
        whole = model.inputs(ids, [image for _, image in self.images[: ids.count(IMAGE)]])
        cut = self.length(start)
        if not cut:
            return whole
        extras = {name: extra[cut:] for name, extra in whole.extras.items()}
        return Inputs(whole.embeds[cut:], whole.positions[:, cut:], whole.following, extras)


@dataclass(slots=True, eq=False)
class SuffixTrie:
    """A trie of tokens behind a stem. Nodes are numbered; a parent comes before its children.

    Attributes:
        tokens: The token of each node.
        parents: Its parent, or :data:`STEM`.
        depths: Its distance from the stem's last position, less one.
        ends: Each prompt of the pack with the node it ends at.
        wanted: Prompt, number of an option, and the nodes and tokens whose log-probabilities add
            up to the option's.
    """

    tokens: list[int] = field(default_factory=list)
    parents: list[int] = field(default_factory=list)
    depths: list[int] = field(default_factory=list)
    ends: list[tuple[Prompt, int]] = field(default_factory=list)
    wanted: list[tuple[Prompt, int, list[tuple[int, int]]]] = field(default_factory=list)
    _children: dict[tuple[int, int], int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.tokens)

    def add(self, prompt: Prompt, start: int, options: Sequence[int]) -> None:
        """Add a prompt from its symbol ``start`` on, and some of its options."""
        node = STEM
        for token in prompt.ids[start:]:
            node = self._child(node, token)
        self.ends.append((prompt, node))
        for number in options:
            ids, at = prompt.options[number], node
            aims = [(at, ids[0])]
            for token, aim in pairwise(ids):
                at = self._child(at, token)
                aims.append((at, aim))
            self.wanted.append((prompt, number, aims))

    @property
    def asked(self) -> list[int]:
        """Nodes whose logits are wanted, in order."""
        nodes = {node for _, _, aims in self.wanted for node, _ in aims}
        nodes |= {node for prompt, node in self.ends if not prompt.options}
        return sorted(nodes - {STEM})

    def _child(self, node: int, token: int) -> int:
        known = self._children.get((node, token))
        if known is not None:
            return known
        self.tokens.append(token)
        self.parents.append(node)
        self.depths.append(0 if node == STEM else self.depths[node] + 1)
        self._children[node, token] = len(self.tokens) - 1
        return len(self.tokens) - 1


@dataclass(slots=True, eq=False)
class Prefix:
    """A beginning that several prompts share, or the whole of one prompt.

    Attributes:
        prompt: One of the prompts that have it.
        start: Where it starts in the prompt's symbols: the end of the stem before it, or 0.
        end: Where it ends.
        packs: What is read behind it.
        children: Stems behind it.
    """

    prompt: Prompt
    start: int
    end: int
    packs: list[SuffixTrie] = field(default_factory=list)
    children: list[Prefix] = field(default_factory=list)

    @property
    def length(self) -> int:
        """Positions of the stem itself."""
        return self.prompt.length(self.end) - self.prompt.length(self.start)

    @property
    def behind(self) -> int:
        """Nodes of its largest pack."""
        return max((len(pack) for pack in self.packs), default=0)


def grow(prompts: Sequence[Prompt], nodes: int | None, each: int, start: int = 0) -> list[Prefix]:
    """Return the stems of prompts that are equal up to ``start``.

    Args:
        prompts: At least one.
        nodes: Nodes of a pack at most, when a prompt alone does not need more; ``None`` where
            branches cannot stand in one row: then every prompt becomes a stem, and every option a
            pack.
        each: Prompts of a pack at most.
        start: Symbols that stems before these have covered.
    """
    end = len(prompts[0].symbols)
    for prompt in prompts[1:]:
        end = min(end, common_length(prompts[0].symbols, prompt.symbols))
    leaves: list[Prompt] = []
    buckets: dict[Symbols, list[Prompt]] = {}
    for prompt in prompts:
        place = _next_image(prompt, end)
        if place is not None:
            buckets.setdefault(prompt.symbols[end : place + 1], []).append(prompt)
        elif nodes is None and len(prompt.symbols) > end:
            buckets.setdefault(prompt.symbols[end:], []).append(prompt)
        else:
            leaves.append(prompt)
    first = prompts[0]
    if first.length(end) - first.length(start) < SHORT and any(
        len(prompt.symbols) > end for prompt in prompts
    ):
        for prompt in leaves:
            buckets.setdefault(prompt.symbols, []).append(prompt)
        return [stem for some in buckets.values() for stem in grow(some, nodes, each, start)]
    stem = Prefix(first, start, end)
    stem.packs = list(_packs(leaves, end, nodes, each))
    stem.children = [one for some in buckets.values() for one in grow(some, nodes, each, end)]
    return [stem]


def alone(prompt: Prompt) -> Prefix:
    """Return the stem of a prompt that shares nothing."""
    stem = Prefix(prompt, 0, len(prompt.symbols))
    stem.packs = list(_packs([prompt], stem.end, None, 1))
    return stem


def _next_image(prompt: Prompt, start: int) -> int | None:
    try:
        return prompt.ids.index(IMAGE, start)
    except ValueError:
        return None


def _packs(
    prompts: Sequence[Prompt], start: int, nodes: int | None, each: int
) -> Iterator[SuffixTrie]:
    if nodes is None:
        for prompt in prompts:
            for number in range(len(prompt.options)) or [None]:
                pack = SuffixTrie()
                pack.add(prompt, start, [] if number is None else [number])
                yield pack
        return
    pack = SuffixTrie()
    # Neighbours in this order share the most.
    for prompt in sorted(prompts, key=lambda prompt: prompt.ids):
        more = len(prompt.ids) - start + sum(len(ids) - 1 for ids in prompt.options)
        if pack.ends and (len(pack) + more > nodes or len(pack.ends) >= each):
            yield pack
            pack = SuffixTrie()
        pack.add(prompt, start, range(len(prompt.options)))
    if pack.ends:
        yield pack
