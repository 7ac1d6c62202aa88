"""Prompt-to-Prompt as attention processors of diffusers, for every row of a batch at once.

Hertz et al., arXiv 2208.01626. In a replaced step an edited row attends as its source does: its map
is the source's, moved from the source's tokens to its own (:mod:`.alignment`). No map is kept for
that. With the source's map ``A`` (pixels x tokens), the tokens' matrix ``M`` and the row's values
``V``, the row's output is ``(A M) V = A (M V)``: the source's queries and keys, with the row's
values mixed over tokens first. Self-attention takes the source's queries and keys with the row's
values.

Only a local blend keeps something: for each row, one sum over the steps and layers of the maps of
its words, at one resolution (:class:`BlendMaps`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from harness_counterfactuals.alignment import Alignment


@dataclass(frozen=True, slots=True)
class Edits:
    """How each row of a batch is edited.

    Attributes:
        source: (rows,) int64, the row whose attention each row takes; its own, of a source.
        edited: (edited rows,) int64, the rows that have another source than themselves.
        mixes: (rows, tokens, tokens) float32; the identity, of a source.
        own: (rows, tokens) float32, 1 where an edited token keeps its own map; ``None`` where no
            token does.
        words: (rows, tokens) float32, 1 at the words of a local blend; ``None`` without one.
    """

    source: Tensor
    edited: Tensor
    mixes: Tensor
    own: Tensor | None = None
    words: Tensor | None = None

    @property
    def rows(self) -> int:
        """Rows of the batch."""
        return len(self.source)

    def to(self, device: torch.device) -> Edits:
        """Return it on a device."""
        moved = None if self.own is None else self.own.to(device)
        words = None if self.words is None else self.words.to(device)
        source, edited = self.source.to(device), self.edited.to(device)
        return Edits(source, edited, self.mixes.to(device), moved, words)


def edits(
    alignments: Sequence[Alignment | None],
    tokens: int,
    factors: Sequence[dict[int, float]],
    words: Sequence[Sequence[int]] | None = None,
) -> Edits:
    """Return the edits of a batch whose first row is the source.

    Args:
        alignments: Each row's; ``None`` for a source.
        tokens: Positions of the text encoder.
        factors: For each row, position to the factor of its attention.
        words: For each row, the positions of a local blend's words.
    """
    rows = len(alignments)
    source = torch.tensor([row if one is None else 0 for row, one in enumerate(alignments)])
    mixes = torch.eye(tokens).repeat(rows, 1, 1)
    keeps = torch.zeros(rows, tokens)
    for row, alignment in enumerate(alignments):
        if alignment is None:
            continue
        # ``mixes`` moves the source's attention from its words (i) to the edited prompt's (j).
        mixes[row] = 0
        for i, j, share in alignment.weights:
            mixes[row, i, j] = share
        keeps[row, list(alignment.own)] = 1
        for token, factor in factors[row].items():
            # A word's factor applies wherever its attention comes from: the source, or itself.
            mixes[row, :, token] *= factor
            keeps[row, token] *= factor
    marked = None
    if words is not None:
        marked = torch.zeros(rows, tokens)
        for row, positions in enumerate(words):
            marked[row, list(positions)] = 1
    edited = torch.tensor([row for row, one in enumerate(alignments) if one is not None])
    return Edits(source, edited.long(), mixes, keeps if keeps.any() else None, marked)


@dataclass(slots=True)
class BlendMaps:
    """Sums of the maps of the words of a local blend.

    Attributes:
        positions: Pixels of the layers that are summed.
        sums: (rows, positions) float32; ``None`` before the first.
    """

    positions: int
    sums: Tensor | None = None

    def add(self, maps: Tensor) -> None:
        """Add a layer's maps, (rows, positions)."""
        self.sums = maps if self.sums is None else self.sums + maps

    def mask(self, side: tuple[int, int], source: Tensor, threshold: float) -> Tensor | None:
        """Return where rows may differ from their source, (rows, 1, height, width) bool.

        Args:
            side: Height and width of the latents.
            source: Source of each row.
            threshold: Share of a map's largest value.
        """
        if self.sums is None:
            return None
        height = _divisor(self.positions, side)
        maps = self.sums.view(len(self.sums), 1, height, self.positions // height)
        # Widened by one position on each side, as Prompt-to-Prompt does.
        maps = functional.max_pool2d(maps, 3, stride=1, padding=1)
        maps = functional.interpolate(maps, size=side)
        maps = maps / maps.amax((2, 3), keepdim=True).clamp_min(1e-12)
        inside = maps > threshold
        # Where the source's object stood may change too, or it would shine through.
        return inside | inside[source]


def _divisor(positions: int, side: tuple[int, int]) -> int:
    """Return the height of a layer of some pixels that has the latents' shape."""
    return max(1, round(math.sqrt(positions * side[0] / side[1])))


@dataclass(slots=True)
class Control:
    """What all layers of a network share while a batch is made.

    Attributes:
        edits: How rows are edited; ``None`` for plain generation.
        cross_steps: Steps in which cross-attention is the source's.
        self_steps: Steps in which self-attention is the source's.
        self_positions: Pixels of a layer, at most, for self-attention to be the source's.
        blend: Sums of a local blend's maps, if there is one.
        step: The step that is being made, from 0.
    """

    edits: Edits | None = None
    cross_steps: int = 0
    self_steps: int = 0
    self_positions: int = 0
    blend: BlendMaps | None = None
    step: int = 0

    def cross(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Return cross-attention; each is (batch, heads, pixels or tokens, width)."""
        edit = self.edits
        replaced = edit is not None and self.step < self.cross_steps
        if edit is None or not (replaced or self._blends(query)):
            return functional.scaled_dot_product_attention(query, key, value)
        first = len(query) - edit.rows  # rows without the prompt come first, and stay as they are
        if self._blends(query):
            self._add_maps(query[first:], key[first:], edit, replaced=replaced)
        if not replaced:
            return functional.scaled_dot_product_attention(query, key, value)
        rows = edit.edited + first
        # A @ (M @ V) equals (A @ M) @ V: mixing the values spares storing the attention maps,
        # and lets the fused kernel run.
        source_rows = value[rows]
        mixed = value.clone()
        mixed[rows] = edit.mixes[edit.edited, None].to(value.dtype) @ source_rows
        taken = _taken(edit, first)
        output: Tensor = functional.scaled_dot_product_attention(query[taken], key[taken], mixed)
        if edit.own is not None:
            own_mask = edit.own[edit.edited, None, :, None].to(value.dtype)
            # Words without a counterpart attend as they would alone, with the row's own queries.
            output[rows] += functional.scaled_dot_product_attention(
                query[rows], key[rows], own_mask * source_rows
            )
        return output

    def self_(self, query: Tensor, key: Tensor, value: Tensor) -> Tensor:
        """Return self-attention; each is (batch, heads, pixels, width)."""
        edit = self.edits
        if (
            edit is not None
            and self.step < self.self_steps
            and query.shape[2] <= self.self_positions
        ):
            # The source's queries and keys lay out the image; the row's own values fill it in.
            taken = _taken(edit, len(query) - edit.rows)
            query, key = query[taken], key[taken]
        return functional.scaled_dot_product_attention(query, key, value)

    def _blends(self, query: Tensor) -> bool:
        return self.blend is not None and query.shape[2] == self.blend.positions

    def _add_maps(self, query: Tensor, key: Tensor, edit: Edits, *, replaced: bool) -> None:
        """Add the maps of the blend's words, as each row attends."""
        assert self.blend is not None
        assert edit.words is not None
        words = edit.words[:, :, None]
        if not replaced:
            self.blend.add(_maps(query, key, words))
            return
        maps = _maps(query[edit.source], key[edit.source], edit.mixes @ words)
        if edit.own is not None:
            maps = maps + _maps(query, key, edit.own[:, :, None] * words)
        self.blend.add(maps)


def _taken(edit: Edits, first: int) -> Tensor:
    """Return, for each row of a batch, the row whose queries and keys it takes."""
    before = torch.arange(first, device=edit.source.device)
    return torch.cat([before, edit.source + first])


def _maps(query: Tensor, key: Tensor, words: Tensor) -> Tensor:
    """Return the attention of pixels to words, mean over heads: (rows, pixels) float32."""
    # In float32: maps are summed over layers and steps, and a threshold is applied to them.
    scores = query.float() @ key.float().transpose(-1, -2) * query.shape[-1] ** -0.5
    maps: Tensor = (scores.softmax(-1) @ words[:, None]).squeeze(-1).mean(1)
    return maps


class EditedAttention:
    """Attention processor of diffusers for the transformer blocks of a U-Net.

    Args:
        control: What the layers share.
    """

    def __init__(self, control: Control) -> None:
        self._control = control

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        **_: Any,
    ) -> Tensor:
        """Return the layer's output; arguments as diffusers gives them."""
        if attention_mask is not None:
            raise NotImplementedError("a text encoder's mask")
        text = hidden_states if encoder_hidden_states is None else encoder_hidden_states

        def by_head(values: Tensor) -> Tensor:
            rows, places, width = values.shape
            return values.view(rows, places, attn.heads, width // attn.heads).transpose(1, 2)

        query, key = by_head(attn.to_q(hidden_states)), by_head(attn.to_k(text))
        value = by_head(attn.to_v(text))
        attend = self._control.self_ if encoder_hidden_states is None else self._control.cross
        output = attend(query, key, value).transpose(1, 2).flatten(2)
        for layer in attn.to_out:
            output = layer(output)
        scaled: Tensor = output / attn.rescale_output_factor
        return scaled


def install(unet: Any, control: Control) -> None:
    """Let the transformer blocks of a U-Net attend under a control."""
    unet.set_attn_processor(
        {
            name: EditedAttention(control)
            if name.endswith(("attn1.processor", "attn2.processor"))
            else processor
            for name, processor in unet.attn_processors.items()
        }
    )
