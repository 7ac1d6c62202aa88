"""Forward passes over stems and over packs of branches behind them."""

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
from harness.engine.prefix_tree import STEM, Prefix, SuffixTrie


@dataclass(slots=True)
class Read:
    """Rows that the model has read.

    Attributes:
        cache: Keys and values per layer, each (R, H, S, D).
        mask: Whether a position holds something (R, S).
        following: Position id of whatever comes next (R,).
        logits: Scores of the next token (R, V), float32.
        like: Inputs of no position, for the shapes of what comes behind.
    """

    cache: Cache
    mask: Tensor
    following: Tensor
    logits: Tensor
    like: Inputs


@dataclass(slots=True)
class Branches:
    """Packs that the model has read behind rows of a :class:`Read`.

    Attributes:
        cache: Keys and values, when they were to be kept.
        logits: Scores (B, K, V) of the next token at places where they are wanted.
        slots: For each pack, node to its place among the K.
        seen: What every column sees (B, T, S + T), itself included.
        columns: For each pack, node to its column among the T.
    """

    cache: Cache
    logits: Tensor
    slots: list[dict[int, int]]
    seen: Tensor
    columns: list[list[int]]


def takes_masks(model: Any) -> bool:
    """Return whether a language model's attention follows a mask of our own (queries x keys)."""
    config = model.config.get_text_config()
    kinds = set(getattr(config, "layer_types", None) or ())
    plain = kinds <= {"full_attention"} and not getattr(config, "sliding_window", None)
    return plain and getattr(config, "_attn_implementation", "") in {"sdpa", "eager"}


def read_stems(
    model: VisionLanguageModel,
    stems: Sequence[Prefix],
    before: Read | None = None,
    rows: Sequence[int] = (),
) -> Read:
    """Read stems, padded on the left, each behind a row of what was read before."""
    given = [stem.prompt.inputs(model, stem.start, stem.end) for stem in stems]
    longest = max(one.length for one in given)
    first = given[0]
    embeds = first.embeds.new_zeros(len(given), longest, first.embeds.shape[-1])
    positions = first.positions.new_zeros(len(first.positions), len(given), longest)
    mask = torch.zeros(len(given), longest, dtype=torch.bool, device=embeds.device)
    extras = {
        name: extra.new_zeros(len(given), longest, *extra.shape[1:])
        for name, extra in first.extras.items()
    }
    for row, one in enumerate(given):
        start = longest - one.length
        embeds[row, start:] = one.embeds
        positions[:, row, start:] = one.positions
        mask[row, start:] = True
        for name, extra in one.extras.items():
            extras[name][row, start:] = extra
    if before is None:
        cache = DynamicCache()
    else:
        cache = copy_rows(before.cache, rows)
        mask = torch.cat([before.mask[list(rows)], mask], dim=1)
    logits = model.forward(
        embeds, mask=mask.long(), positions=positions, cache=cache, extras=extras, keep=1
    )
    following = torch.tensor([one.following for one in given], device=embeds.device)
    like = Inputs(
        first.embeds[:0],
        first.positions[:, :0],
        0,
        {name: extra[:0] for name, extra in first.extras.items()},
    )
    return Read(cache, mask, following, logits[:, -1].float(), like)


def read_packs(
    model: VisionLanguageModel,
    read: Read,
    packs: Sequence[SuffixTrie],
    rows: Sequence[int],
    *,
    room: int | None = None,
) -> Branches:
    """Read packs in one forward pass, each in a row behind its stem.

    Args:
        model: The model.
        read: The stems.
        packs: At least one of them has a node.
        rows: The row of each pack's stem.
        room: Keep keys and values, with room for so many more positions.
    """
    chains = not takes_masks(model.language_model)
    longest = max(len(pack) for pack in packs)
    tokens, depths = torch.zeros(2, len(packs), longest, dtype=torch.long)
    own = np.zeros((len(packs), longest, longest), dtype=bool)
    asked = [pack.asked for pack in packs]
    columns = []
    for row, pack in enumerate(packs):
        at = _columns(pack, asked[row], 0 if chains else longest)
        columns.append(at)
        tokens[row, at] = torch.tensor(pack.tokens, dtype=torch.long)
        depths[row, at] = torch.tensor(pack.depths, dtype=torch.long)
        for node, (column, parent) in enumerate(zip(at, pack.parents, strict=True)):
            if parent != STEM:
                own[row, column] = own[row, at[parent]]
            own[row, at[node], column] = True
    before = read.mask[list(rows)]
    seen = torch.cat(
        [
            before[:, None].expand(-1, longest, -1),
            torch.from_numpy(own).to(before.device),
        ],
        dim=2,
    )
    held = torch.from_numpy(own.diagonal(axis1=1, axis2=2).copy()).to(before.device)
    cache = fork(read.cache, rows) if room is None else make_room(read.cache, rows, longest + room)
    keep = longest if chains else max(1, *(len(nodes) for nodes in asked))
    logits = step(
        model,
        read.like,
        tokens=tokens,
        positions=read.following[list(rows)][:, None] + depths.to(before.device),
        mask=torch.cat([before, held], dim=1) if chains else seen,
        cache=cache,
        keep=keep,
    )
    slots = [
        {node: at[node] - (longest - keep) for node in nodes}
        for nodes, at in zip(asked, columns, strict=True)
    ]
    return Branches(cache, logits, slots, seen, columns)


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
    """Run tokens (B, T) at position ids (B, T) behind a cache; return the last ``keep`` logits.

    Args:
        model: The model.
        like: Inputs of no position, for the shapes of position ids and of extra inputs.
        tokens: Token ids.
        positions: Position ids.
        mask: Whether a position holds something (B, S), or what each token sees (B, T, S).
        cache: What stands before.
        keep: How many columns' logits are wanted, from the right.
    """
    embeds = model.embed(tokens.to(positions.device))
    if mask.ndim == 3:
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


def _columns(pack: SuffixTrie, asked: Sequence[int], width: int) -> list[int]:
    """Return each node's column: in order from the left, or asked nodes last, up to ``width``."""
    if not width:
        return list(range(len(pack)))
    wanted = set(asked)
    order = [node for node in range(len(pack)) if node not in wanted] + list(asked)
    columns = [0] * len(pack)
    for place, node in enumerate(order):
        columns[node] = width - len(pack) + place
    return columns
