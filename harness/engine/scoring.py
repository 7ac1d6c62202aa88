"""Log-likelihoods of options: shared prefixes are prefilled once, options scored in tries."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from harness.engine.batching import Batches
from harness.engine.contract import VisionLanguageModel
from harness.engine.forward import PrefilledRows, prefill_rows, run_tries, takes_tree_masks
from harness.engine.prefill import prefill_tree
from harness.engine.prefix_tree import (
    Prefix,
    Prompt,
    SuffixTrie,
    Symbols,
    build_prefix_tree,
    tries_of,
)

Totals = dict[Prompt, list[float]]


def score_options(
    model: VisionLanguageModel, prompts: Sequence[Prompt], batches: Batches
) -> Totals:
    """Return for each prompt the summed log-probability (natural log, float32) of its options."""
    totals: Totals = {prompt: [0.0] * len(prompt.options) for prompt in prompts}
    if not prompts:
        return totals
    layers: int = model.language_model.config.get_text_config().num_hidden_layers

    def need(length: int) -> int:
        """A fork keeps one layer at a time, and attention may make one more copy of it."""
        return -(-2 * length // layers)

    def score(prefilled: PrefilledRows, prefixes: Sequence[Prefix]) -> None:
        # The prefix's last position predicts the first token of every option.
        firsts = torch.log_softmax(prefilled.logits, dim=-1)
        items = [(row, trie) for row, prefix in enumerate(prefixes) for trie in prefix.tries]
        length = prefilled.mask.shape[1]

        def forward(chunk: Sequence[tuple[int, SuffixTrie]]) -> list[None]:
            _score(model, prefilled, firsts, chunk, totals)
            return [None] * len(chunk)

        batches.run(
            items,
            lambda item: len(item[1]),
            forward,
            cached=lambda item: need(length + len(item[1])),
        )

    nodes = batches.nodes if takes_tree_masks(model.language_model) else None
    prefixes = build_prefix_tree(prompts, nodes, batches.rows)
    prefill_tree(model, prefixes, batches, score, lambda length, _: need(length))
    return totals


def score_alone(model: VisionLanguageModel, prompts: Sequence[Prompt], totals: Totals) -> None:
    """Score prompts in a shape that depends on each alone, whatever is asked beside it.

    What stands up to its last image is prefilled in a row by itself, once for the prompts that have
    it in common; what follows, with all options, is a row of its own. Numbers are then the same to
    the last bit in any batch, order and block.

    Args:
        model: The model.
        prompts: What to score.
        totals: Where the sums of log-probabilities go.
    """
    tree_masks = takes_tree_masks(model.language_model)
    by_prefix: dict[Symbols, list[Prompt]] = {}
    for prompt in prompts:
        # Up to the last image the shape is the same for all questions about these images.
        end = (prompt.last_image if tree_masks else 0) or len(prompt.ids)
        by_prefix.setdefault(prompt.symbols[:end], []).append(prompt)
    for symbols, group in by_prefix.items():
        prefix = Prefix(group[0], 0, len(symbols))
        prefilled = prefill_rows(model, [prefix])
        firsts = torch.log_softmax(prefilled.logits, dim=-1)
        for prompt in group:
            for trie in tries_of([prompt], prefix.end, 0 if tree_masks else None, 1):
                _score(model, prefilled, firsts, [(0, trie)], totals)


def _score(
    model: VisionLanguageModel,
    prefilled: PrefilledRows,
    firsts: Tensor,
    chunk: Sequence[tuple[int, SuffixTrie]],
    totals: Totals,
) -> None:
    """Fill in the totals of some tries, run in one forward pass.

    Args:
        model: The model.
        prefilled: The prefixes.
        firsts: Log-probabilities (R, V) after each prefix.
        chunk: Row of its prefix, and a trie.
        totals: Where they go.
    """
    rows, tries = [row for row, _ in chunk], [trie for _, trie in chunk]
    lookups = [trie.layout.lookups for trie in tries]
    at_once = [
        (row, token) for row, (tokens, _) in zip(rows, lookups, strict=True) for token in tokens
    ]
    row, token = torch.tensor(at_once, dtype=torch.long, device=firsts.device).view(-1, 2).T
    picked = [firsts[row, token]]
    if any(map(len, tries)):
        suffixes = run_tries(model, prefilled, tries, rows)
        logits = suffixes.logits.float()
        after = [
            np.stack([np.full(ranks.shape[1], at), ranks[0] + slot, ranks[1]])
            for at, ((_, ranks), slot) in enumerate(zip(lookups, suffixes.slots, strict=True))
        ]
        row, slot, token = torch.from_numpy(np.concatenate(after, axis=1)).to(logits.device)
        # Unlike log_softmax, this stores no second tensor of the size of the vocabulary.
        picked.append(logits[row, slot, token] - logits.logsumexp(-1)[row, slot])
    logprobs = torch.cat(picked).tolist()
    first, later = 0, len(at_once)
    for trie, (tokens, ranks) in zip(tries, lookups, strict=True):
        ends = first + len(tokens), later + ranks.shape[1]
        values = logprobs[first : ends[0]] + logprobs[later : ends[1]]
        first, later = ends
        for at, number, path in trie.layout.paths:
            totals[trie.prompts[at]][trie.first + number] = sum(map(values.__getitem__, path))
