"""The slow way: each prompt read anew with each option, nothing shared, no row padded.

For models whose numbers depend on what stands behind, and to check the fast way against.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from harness.engine.batching import Batches
from harness.engine.contract import VisionLanguageModel
from harness.engine.prefix_tree import Prompt
from harness.engine.tokenize import Ids

Item = tuple[Prompt, Ids]


def score_alone(
    model: VisionLanguageModel, items: Sequence[Item], batches: Batches
) -> list[list[float]]:
    """Return the log-probability of each token of an answer behind its prompt, for each item."""

    def forward(chunk: Sequence[Item]) -> list[list[float]]:
        found = []
        for (_, ids), scores in zip(chunk, answer_logits(model, chunk), strict=True):
            aims = torch.tensor(ids, device=scores.device)
            each = scores.gather(1, aims[:, None]).squeeze(1) - scores.logsumexp(-1)
            found.append(each.tolist())
        return found

    return batches.run(items, lambda item: item[0].length() + len(item[1]), forward, even=True)


def answer_logits(model: VisionLanguageModel, items: Sequence[Item]) -> list[Tensor]:
    """Return the float32 logits (T, V) that stand before each token of an answer.

    Args:
        model: The model.
        items: Prompts and answers, all of one length together.
    """
    embeds, positions, extras = [], [], []
    for prompt, ids in items:
        one = prompt.inputs(model)
        rest = torch.tensor(ids[:-1], dtype=torch.long, device=one.embeds.device)
        embeds.append(torch.cat([one.embeds, model.embed(rest)]))
        places = one.following + torch.arange(len(rest), device=one.embeds.device)
        positions.append(torch.cat([one.positions, places.expand(len(one.positions), -1)], dim=1))
        extras.append(
            {
                name: torch.cat([extra, extra.new_zeros(len(rest), *extra.shape[1:])])
                for name, extra in one.extras.items()
            }
        )
    whole = torch.stack(embeds)
    keep = max(len(ids) for _, ids in items)
    logits = model.forward(
        whole,
        mask=torch.ones(whole.shape[:2], dtype=torch.long, device=whole.device),
        positions=torch.stack(positions, dim=1),
        cache=None,
        extras={name: torch.stack([some[name] for some in extras]) for name in extras[0]},
        keep=keep,
    )
    return [row[-len(ids) :].float() for row, (_, ids) in zip(logits, items, strict=True)]
