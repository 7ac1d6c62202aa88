"""Prefixes as embeddings, and a left-padded batch of them through a causal language model."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers import DynamicCache

CausalLM = Any  # any transformers causal language model, or one that peft wraps


@dataclass(frozen=True, slots=True)
class Prefix:
    """What stands before an answer.

    Attributes:
        key: Equal keys mean equal prefixes, which are computed once.
        length: Positions.
        embed: Returns the embeddings (length, width).
    """

    key: Hashable
    length: int
    embed: Callable[[], Tensor]


@dataclass(slots=True)
class Prefilled:
    """A batch of prefixes after the model has read them.

    Attributes:
        cache: Keys and values per layer, each (B, heads, T, width of a head).
        mask: 1 where a position holds something (B, T); padding is on the left.
        lengths: Positions of each prefix (B,).
        logits: Scores of the next token (B, V), float32.
    """

    cache: DynamicCache
    mask: Tensor
    lengths: Tensor
    logits: Tensor


def prefill(model: CausalLM, prefixes: Sequence[Prefix]) -> Prefilled:
    """Let the model read a batch of prefixes, padded on the left."""
    longest = max(prefix.length for prefix in prefixes)
    first = prefixes[0].embed()
    whole = first.new_zeros(len(prefixes), longest, first.shape[-1])
    mask = torch.zeros(len(prefixes), longest, dtype=torch.long, device=first.device)
    for row, prefix in enumerate(prefixes):
        whole[row, longest - prefix.length :] = prefix.embed() if row else first
        mask[row, longest - prefix.length :] = 1
    out = model(
        inputs_embeds=whole,
        attention_mask=mask,
        position_ids=(mask.cumsum(1) - 1).clamp(min=0),
        past_key_values=DynamicCache(),
        use_cache=True,
        logits_to_keep=1,
    )
    return Prefilled(out.past_key_values, mask, mask.sum(1), out.logits[:, -1].float())


def select_rows(cache: DynamicCache, rows: Tensor) -> DynamicCache:
    """Return a new cache that holds the given rows (R,), one of them possibly many times."""
    taken = DynamicCache()
    layers: list[Any] = list(cache.layers)
    for number, layer in enumerate(layers):
        taken.update(layer.keys.index_select(0, rows), layer.values.index_select(0, rows), number)
    return taken
