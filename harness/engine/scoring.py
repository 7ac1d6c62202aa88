"""Log-likelihoods of options: shared prefixes are prefilled once, options scored in tries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from harness.engine.batching import Batches
from harness.engine.contract import VisionLanguageModel
from harness.engine.forward import PrefilledRows, run_tries, takes_tree_masks
from harness.engine.prefill import prefill_tree
from harness.engine.prefix_tree import ROOT, Prefix, Prompt, SuffixTrie, build_prefix_tree

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
        firsts = torch.log_softmax(prefilled.logits, dim=-1).cpu()
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


def _score(
    model: VisionLanguageModel,
    prefilled: PrefilledRows,
    firsts: Tensor,
    chunk: Sequence[tuple[int, SuffixTrie]],
    totals: Totals,
) -> None:
    """Fill in the totals of some tries, run in one forward pass."""
    suffixes = None
    if any(len(trie) for _, trie in chunk):
        rows, tries = [row for row, _ in chunk], [trie for _, trie in chunk]
        suffixes = run_tries(model, prefilled, tries, rows)
    for index, (row, trie) in enumerate(chunk):
        if suffixes is None:
            values = _logprobs(trie, firsts[row], None, {})
        else:
            values = _logprobs(trie, firsts[row], suffixes.logits[index], suffixes.slots[index])
        for prompt, number, aims in trie.scored:
            totals[prompt][number] = sum(values[aim] for aim in aims)


def _logprobs(
    trie: SuffixTrie, first: Tensor, logits: Tensor | None, slots: Mapping[int, int]
) -> dict[tuple[int, int], float]:
    """Return the log-probability of each (node, token) that a trie's options need.

    Args:
        trie: The trie.
        first: Log-probabilities (V,) after the prefix.
        logits: Logits (K, V) after nodes; ``None`` when none is needed.
        slots: Node to its index among the K.
    """
    aims = list(dict.fromkeys(aim for _, _, path in trie.scored for aim in path))
    logprobs = {aim: float(first[aim[1]]) for aim in aims if aim[0] == ROOT}
    after_nodes = [aim for aim in aims if aim[0] != ROOT]
    if after_nodes and logits is not None:
        scores = logits.float()
        indices = torch.tensor([slots[node] for node, _ in after_nodes], device=scores.device)
        tokens = torch.tensor([token for _, token in after_nodes], device=scores.device)
        each = scores[indices, tokens] - scores.logsumexp(-1)[indices]
        logprobs |= zip(after_nodes, each.tolist(), strict=True)
    return logprobs
