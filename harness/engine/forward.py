"""Forward passes: prefill of prefixes, and suffix tries scored under a tree attention mask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers import Cache, DynamicCache

from harness.engine.contract import Inputs, VisionLanguageModel
from harness.engine.kv_cache import copy_rows, fork, make_room
from harness.engine.prefix_tree import Prefix, SuffixTrie


@dataclass(slots=True)
class PrefilledRows:
    """Prefixes that are prefilled, one in each row.

    Attributes:
        cache: KV cache; keys and values of each layer are (R, H, S, D).
        mask: True where a position is no padding (R, S).
        following: Position id of the next token (R,).
        logits: Logits of the next token (R, V), float32.
        like: Inputs without a position, which tell the shapes of inputs that follow.
    """

    cache: Cache
    mask: Tensor
    following: Tensor
    logits: Tensor
    like: Inputs


@dataclass(slots=True)
class SuffixLogits:
    """What one forward pass over suffix tries gives.

    Attributes:
        cache: KV cache, where it was to be kept.
        logits: Logits (B, K, V) of the next token after each node of ``logit_nodes``.
        slots: For each trie, the index among the K of the first of its ``logit_nodes``.
        seen: What each column attends to (B, T, S + T), itself included.
        starts: For each trie, its first column among the T.
    """

    cache: Cache
    logits: Tensor
    slots: list[int]
    seen: Tensor
    starts: list[int]


def takes_tree_masks(model: Any) -> bool:
    """Return whether a language model's attention follows a custom mask (queries x keys)."""
    config = model.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ())
    plain = kinds <= {"full_attention"} and not getattr(config, "sliding_window", None)
    return plain and getattr(config, "_attn_implementation", "") in {"sdpa", "eager"}


def prefill_rows(
    model: VisionLanguageModel,
    prefixes: Sequence[Prefix],
    parents: PrefilledRows | None = None,
    rows: Sequence[int] = (),
) -> PrefilledRows:
    """Prefill prefixes, padded on the left, each after its parent's row where there are parents."""
    inputs = [prefix.prompt.inputs(model, prefix.start, prefix.end) for prefix in prefixes]
    longest = max(each.length for each in inputs)
    first = inputs[0]
    embeds = first.embeds.new_zeros(len(inputs), longest, first.embeds.shape[-1])
    positions = first.positions.new_zeros(len(first.positions), len(inputs), longest)
    mask = torch.zeros(len(inputs), longest, dtype=torch.bool, device=embeds.device)
    extras = {
        name: extra.new_zeros(len(inputs), longest, *extra.shape[1:])
        for name, extra in first.extras.items()
    }
    for row, prompt in enumerate(inputs):
        start = longest - prompt.length
        embeds[row, start:] = prompt.embeds
        positions[:, row, start:] = prompt.positions
        mask[row, start:] = True
        for name, extra in prompt.extras.items():
            extras[name][row, start:] = extra
    if parents is None:
        cache = DynamicCache()
    else:
        cache = copy_rows(parents.cache, rows)
        mask = torch.cat([parents.mask[list(rows)], mask], dim=1)
    logits = model.forward(
        embeds, mask=mask.long(), positions=positions, cache=cache, extras=extras, keep=1
    )
    following = torch.tensor([each.following for each in inputs], device=embeds.device)
    like = Inputs(
        first.embeds[:0],
        first.positions[:, :0],
        0,
        {name: extra[:0] for name, extra in first.extras.items()},
    )
    return PrefilledRows(cache, mask, following, logits[:, -1].float(), like)


def run_tries(
    model: VisionLanguageModel,
    prefilled: PrefilledRows,
    tries: Sequence[SuffixTrie],
    rows: Sequence[int],
    *,
    room: int | None = None,
) -> SuffixLogits:
    """Run suffix tries in one forward pass, each in a row after its prefix.

    Args:
        model: The model.
        prefilled: The prefixes.
        tries: At least one of them has a node.
        rows: The row of each trie's prefix.
        room: Keep the KV cache, with room for this many further positions.
    """
    # Without tree masks a trie is one option: a chain, for which plain causal attention is right.
    chains = not takes_tree_masks(model.language_model)
    layouts = [trie.layout for trie in tries]
    longest = max(map(len, layouts))
    # A model returns logits of the last columns alone: what is needed stands there.
    starts = [0 if chains else longest - len(layout) for layout in layouts]
    inputs = np.zeros((2, len(tries), longest), dtype=np.int64)
    sees = np.zeros((len(tries), longest, longest), dtype=bool)
    for row, (layout, start) in enumerate(zip(layouts, starts, strict=True)):
        end = start + len(layout)
        inputs[:, row, start:end] = layout.inputs
        sees[row, start:end, start:end] = layout.sees
    device = prefilled.mask.device
    index = torch.tensor(rows, device=device)
    prefix_mask = prefilled.mask[index]
    sees_on_device = torch.from_numpy(sees).to(device)
    seen = torch.cat([prefix_mask[:, None].expand(-1, longest, -1), sees_on_device], dim=2)
    # The diagonal is True in every column that holds a token.
    filled = sees_on_device.diagonal(dim1=1, dim2=2)
    cache = (
        fork(prefilled.cache, rows)
        if room is None
        else make_room(prefilled.cache, rows, longest + room)
    )
    keep = longest if chains else max(1, *(len(layout.logit_nodes) for layout in layouts))
    tokens, depths = torch.from_numpy(inputs).to(device)
    logits = step(
        model,
        prefilled.like,
        tokens=tokens,
        positions=prefilled.following[index][:, None] + depths,
        mask=torch.cat([prefix_mask, filled], dim=1) if chains else seen,
        cache=cache,
        keep=keep,
    )
    slots = [
        start + len(layout) - len(layout.logit_nodes) - (longest - keep)
        for layout, start in zip(layouts, starts, strict=True)
    ]
    return SuffixLogits(cache, logits, slots, seen, starts)


def step(  # noqa: PLR0913  what a decoder step is made of
    model: VisionLanguageModel,
    like: Inputs,
    *,
    tokens: Tensor,
    positions: Tensor,
    mask: Tensor,
    cache: Cache,
    keep: int,
) -> Tensor:
    """Run tokens (B, T) at position ids (B, T) after a KV cache; return the last ``keep`` logits.

    Args:
        model: The model.
        like: Inputs without a position, for the shapes of position ids and of extra inputs.
        tokens: Token ids.
        positions: Position ids.
        mask: Positions that are no padding (B, S), or what each token attends to (B, T, S).
        cache: KV cache of the positions before.
        keep: Number of columns, from the right, whose logits are returned.
    """
    embeds = model.embed(tokens.to(positions.device))
    if mask.ndim == 3:  # additive (B, 1, T, S), as transformers takes custom masks
        blocked = torch.zeros(mask.shape, dtype=embeds.dtype, device=embeds.device)
        mask = blocked.masked_fill_(~mask, torch.finfo(embeds.dtype).min)[:, None]
    else:
        mask = mask.long()
    extras = {
        name: extra.new_zeros(*tokens.shape, *extra.shape[1:])
        for name, extra in like.extras.items()
    }
    return model.forward(
        embeds,
        mask=mask,
        positions=positions.expand(len(like.positions), *positions.shape),
        cache=cache,
        extras=extras,
        keep=keep,
    )
