"""Log-probabilities of options: each distinct prefix is read once, its options go behind it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from harness.engine.batching import Batches
from harness.engine.prefixes import CausalLM, Prefilled, Prefix, prefill, select_rows
from harness.engine.tokens import Ids


@dataclass(frozen=True, slots=True)
class Ask:
    """A prefix and the options to score behind it, each at least one token."""

    prefix: Prefix
    options: tuple[Ids, ...]


@torch.inference_mode()
def score_options(model: CausalLM, asks: Sequence[Ask], batches: Batches) -> list[list[float]]:
    """Return for each ask the summed log-probability (natural log, float32) of its options."""
    wanted: dict[object, dict[Ids, float]] = {}
    prefixes: dict[object, Prefix] = {}
    for ask in asks:
        prefixes.setdefault(ask.prefix.key, ask.prefix)
        wanted.setdefault(ask.prefix.key, {}).update(dict.fromkeys(ask.options, 0.0))
    todo = [(prefix, tuple(wanted[key])) for key, prefix in prefixes.items()]

    def forward(chunk: Sequence[tuple[Prefix, tuple[Ids, ...]]]) -> list[list[float]]:
        read = prefill(model, [prefix for prefix, _ in chunk])
        return _score_behind(model, read, [options for _, options in chunk], batches)

    found = batches.run(todo, lambda item: item[0].length, forward)
    for (prefix, options), values in zip(todo, found, strict=True):
        wanted[prefix.key] = dict(zip(options, values, strict=True))
    return [[wanted[ask.prefix.key][option] for option in ask.options] for ask in asks]


def _score_behind(
    model: CausalLM, read: Prefilled, options: Sequence[tuple[Ids, ...]], batches: Batches
) -> list[list[float]]:
    """Return the scores of the options of each row of a prefilled batch."""
    first = torch.log_softmax(read.logits, dim=-1)
    pairs = [(row, ids) for row, several in enumerate(options) for ids in several]
    rows = torch.tensor([row for row, _ in pairs], device=first.device)
    heads = torch.tensor([ids[0] for _, ids in pairs], device=first.device)
    totals = first[rows, heads].tolist()
    behind = [at for at, (_, ids) in enumerate(pairs) if len(ids) > 1]
    width = read.mask.shape[1]
    rest = batches.run(
        behind,
        lambda at: width + len(pairs[at][1]),
        lambda chunk: _score_rest(model, read, [pairs[at] for at in chunk]),
    )
    for at, value in zip(behind, rest, strict=True):
        totals[at] += value
    taken = iter(totals)
    return [[next(taken) for _ in several] for several in options]


def _score_rest(model: CausalLM, read: Prefilled, pairs: Sequence[tuple[int, Ids]]) -> list[float]:
    """Return the summed log-probability of each option's tokens after its first."""
    device = read.mask.device
    longest = max(len(ids) for _, ids in pairs) - 1
    given = torch.zeros(len(pairs), longest, dtype=torch.long, device=device)
    aims = torch.zeros_like(given)
    real = torch.zeros_like(given)
    for row, (_, ids) in enumerate(pairs):
        count = len(ids) - 1
        given[row, :count] = torch.tensor(ids[:-1], device=device)
        aims[row, :count] = torch.tensor(ids[1:], device=device)
        real[row, :count] = 1
    rows = torch.tensor([row for row, _ in pairs], device=device)
    steps = torch.arange(longest, device=device)
    logits = model(
        input_ids=given,
        attention_mask=torch.cat([read.mask[rows], real], dim=1),
        position_ids=read.lengths[rows, None] + steps,
        past_key_values=select_rows(read.cache, rows),
        use_cache=True,
    ).logits
    return (_token_scores(logits, aims) * real).sum(1).tolist()


def _token_scores(logits: Tensor, aims: Tensor) -> Tensor:
    """Return the float32 log-probability (B, T) of each aimed-at token under logits (B, T, V)."""
    scores = logits.float()
    return scores.gather(2, aims[..., None]).squeeze(2) - scores.logsumexp(2)
