"""Log-probabilities of options: what prompts share is read once, options go behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from harness.engine.batching import Batches
from harness.engine.contract import VisionLanguageModel
from harness.engine.forward import Read, read_packs, takes_masks
from harness.engine.prefill import walk
from harness.engine.prefix_tree import STEM, Prefix, Prompt, SuffixTrie, grow

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

    def behind(read: Read, stems: Sequence[Prefix]) -> None:
        firsts = torch.log_softmax(read.logits, dim=-1).cpu()
        items = [(row, pack) for row, stem in enumerate(stems) for pack in stem.packs]
        held = read.mask.shape[1]

        def forward(chunk: Sequence[tuple[int, SuffixTrie]]) -> list[None]:
            _score(model, read, firsts, chunk, totals)
            return [None] * len(chunk)

        batches.run(
            items, lambda item: len(item[1]), forward, kept=lambda item: need(held + len(item[1]))
        )

    nodes = batches.nodes if takes_masks(model.language_model) else None
    stems = grow(prompts, nodes, batches.rows)
    walk(model, stems, batches, behind, lambda length, _: need(length))
    return totals


def _score(
    model: VisionLanguageModel,
    read: Read,
    firsts: Tensor,
    chunk: Sequence[tuple[int, SuffixTrie]],
    totals: Totals,
) -> None:
    """Fill in the totals of some packs, read in one forward pass."""
    branches = None
    if any(len(pack) for _, pack in chunk):
        rows, packs = [row for row, _ in chunk], [pack for _, pack in chunk]
        branches = read_packs(model, read, packs, rows)
    for place, (row, pack) in enumerate(chunk):
        if branches is None:
            values = _logprobs(pack, firsts[row], None, {})
        else:
            values = _logprobs(pack, firsts[row], branches.logits[place], branches.slots[place])
        for prompt, number, aims in pack.wanted:
            totals[prompt][number] = sum(values[aim] for aim in aims)


def _logprobs(
    pack: SuffixTrie, first: Tensor, logits: Tensor | None, slots: Mapping[int, int]
) -> dict[tuple[int, int], float]:
    """Return the log-probability of each token that is wanted behind a node of a pack.

    Args:
        pack: The pack.
        first: Log-probabilities (V,) behind the stem.
        logits: Scores (K, V) behind nodes; ``None`` when none is wanted.
        slots: Node to its place among the K.
    """
    aims = list(dict.fromkeys(aim for _, _, several in pack.wanted for aim in several))
    found = {aim: float(first[aim[1]]) for aim in aims if aim[0] == STEM}
    behind = [aim for aim in aims if aim[0] != STEM]
    if behind and logits is not None:
        scores = logits.float()
        places = torch.tensor([slots[node] for node, _ in behind], device=scores.device)
        tokens = torch.tensor([token for _, token in behind], device=scores.device)
        each = scores[places, tokens] - scores.logsumexp(-1)[places]
        found |= zip(behind, each.tolist(), strict=True)
    return found
