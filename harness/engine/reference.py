"""Reference scoring: one full forward pass per (prompt, option), no KV cache, no padding.

For models whose numbers depend on what follows a position, and to check prefix sharing against.
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


def score_reference(
    model: VisionLanguageModel, items: Sequence[Item], batches: Batches
) -> list[list[float]]:
    """Return the log-probability of each token of an answer after its prompt, for each item."""

    def forward(chunk: Sequence[Item]) -> list[list[float]]:
        logprobs = []
        for (_, ids), scores in zip(chunk, answer_logits(model, chunk), strict=True):
            aims = torch.tensor(ids, device=scores.device)
            each = scores.gather(1, aims[:, None]).squeeze(1) - scores.logsumexp(-1)
            logprobs.append(each.tolist())
        return logprobs

    return batches.run(
        items, lambda item: item[0].length() + len(item[1]), forward, equal_lengths=True
    )


def answer_logits(model: VisionLanguageModel, items: Sequence[Item]) -> list[Tensor]:
    """Return the float32 logits (T, V) from which each token of an answer is predicted.

    Args:
        model: The model.
        items: Prompts and answers, all of one length together.
    """
    embeds, positions, extras = [], [], []
    for prompt, ids in items:
        inputs = prompt.inputs(model)
        # The last token is predicted, not read.
        answer = torch.tensor(ids[:-1], dtype=torch.long, device=inputs.embeds.device)
        embeds.append(torch.cat([inputs.embeds, model.embed(answer)]))
        ids_after = inputs.following + torch.arange(len(answer), device=inputs.embeds.device)
        positions.append(
            torch.cat([inputs.positions, ids_after.expand(len(inputs.positions), -1)], dim=1)
        )
        extras.append(
            {
                name: torch.cat([extra, extra.new_zeros(len(answer), *extra.shape[1:])])
                for name, extra in inputs.extras.items()
            }
        )
    rows = torch.stack(embeds)
    keep = max(len(ids) for _, ids in items)
    logits = model.forward(
        rows,
        mask=torch.ones(rows.shape[:2], dtype=torch.long, device=rows.device),
        positions=torch.stack(positions, dim=1),
        cache=None,
        extras={name: torch.stack([some[name] for some in extras]) for name in extras[0]},
        keep=keep,
    )
    return [row[-len(ids) :].float() for row, (_, ids) in zip(logits, items, strict=True)]
