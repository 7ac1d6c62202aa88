"""Log-probabilities of options: each distinct prefix is read once, its options go behind it.

Where the model's attention takes a mask, all options of a prefix go behind it in one row, each
seeing the prefix and itself. Elsewhere each option goes behind a copy of the keys and values.
"""

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

    packs = takes_masks(model)

    def forward(chunk: Sequence[tuple[Prefix, tuple[Ids, ...]]]) -> list[list[float]]:
        read = prefill(model, [prefix for prefix, _ in chunk])
        options = [several for _, several in chunk]
        if packs:
            return _score_packed(model, read, options)
        return _score_expanded(model, read, options, batches)

    def length(item: tuple[Prefix, tuple[Ids, ...]]) -> int:
        behind = sum(len(ids) - 1 for ids in item[1]) if packs else 0
        return item[0].length + behind

    found = batches.run(todo, length, forward)
    for (prefix, options), values in zip(todo, found, strict=True):
        wanted[prefix.key] = dict(zip(options, values, strict=True))
    return [[wanted[ask.prefix.key][option] for option in ask.options] for ask in asks]


def takes_masks(model: CausalLM) -> bool:
    """Return whether a model's attention follows a mask of our own (queries x keys) exactly."""
    config = model.config
    kinds = set(getattr(config, "layer_types", None) or ())
    plain = kinds <= {"full_attention"} and not getattr(config, "sliding_window", None)
    return plain and getattr(config, "_attn_implementation", "") in {"sdpa", "eager"}


def _score_packed(
    model: CausalLM, read: Prefilled, options: Sequence[tuple[Ids, ...]]
) -> list[list[float]]:
    """Score all options of a row in one row: each sees the prefix and itself, not the others."""
    device = read.mask.device
    first = torch.log_softmax(read.logits, dim=-1).cpu()
    count, width = read.mask.shape
    longest = max(sum(len(ids) - 1 for ids in several) for several in options)
    totals = [[float(first[row, ids[0]]) for ids in several] for row, several in enumerate(options)]
    if not longest:
        return totals
    given, aims, owner, steps = torch.zeros(4, count, longest, dtype=torch.long).unbind()
    owner -= 1  # padding belongs to no option
    for row, several in enumerate(options):
        start = 0
        for number, ids in enumerate(several):
            end = start + len(ids) - 1
            given[row, start:end] = torch.tensor(ids[:-1])
            aims[row, start:end] = torch.tensor(ids[1:])
            owner[row, start:end] = number
            steps[row, start:end] = torch.arange(end - start)
            start = end
    ours = (owner[:, :, None] == owner[:, None, :]) & (steps[:, :, None] >= steps[:, None, :])
    before = read.mask.cpu().bool()[:, None, :].expand(count, longest, width)
    seen = torch.cat([before, ours], dim=2)[:, None].to(device)
    dtype = next(model.parameters()).dtype
    blocked = torch.zeros(seen.shape, dtype=dtype, device=device)
    logits = model(
        input_ids=given.to(device),
        attention_mask=blocked.masked_fill(~seen, torch.finfo(dtype).min),
        position_ids=read.lengths[:, None] + steps.to(device),
        past_key_values=read.cache,
        use_cache=True,
    ).logits
    scores = _token_scores(logits, aims.to(device)).cpu()
    for row, several in enumerate(options):
        start = 0
        for number, ids in enumerate(several):
            end = start + len(ids) - 1
            totals[row][number] += float(scores[row, start:end].sum())
            start = end
    return totals


def _score_expanded(
    model: CausalLM, read: Prefilled, options: Sequence[tuple[Ids, ...]], batches: Batches
) -> list[list[float]]:
    """Score each option in a row of its own, behind a copy of its prefix's keys and values."""
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
