"""The first Qwen-VL's vision tower with its resampler, under the checkpoint's own names."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

_EPS = 1e-6
_POOL_HEAD = 128  # width of one of the resampler's heads
QUERIES = 256  # positions an image takes
_GRID = 256  # rows of the stored position tables, 16 x 16


class Tower(nn.Module):
    """Pixels to the language model's positions.

    Args:
        settings: ``config["visual"]`` of the checkpoint.
    """

    def __init__(self, settings: Mapping[str, Any]) -> None:
        super().__init__()
        width, patch = int(settings["width"]), int(settings["patch_size"])
        output = int(settings["output_dim"])
        inner = int(width * float(settings["mlp_ratio"]))
        self.size = int(settings["image_size"])
        self.conv1 = nn.Conv2d(3, width, patch, patch, bias=False)
        self.positional_embedding = nn.Parameter(torch.empty(_GRID, width))
        self.ln_pre = nn.LayerNorm(width, eps=_EPS)
        self.transformer = nn.Module()
        self.transformer.resblocks = nn.ModuleList(
            _Block(width, int(settings["heads"]), inner) for _ in range(int(settings["layers"]))
        )
        self.attn_pool = _Resampler(width, output)
        self.ln_post = nn.LayerNorm(output, eps=_EPS)
        self.proj = nn.Parameter(torch.empty(output, output))

    def forward(self, pixels: Tensor) -> Tensor:
        """Return (B, 256, W) for normalised pixels (B, 3, S, S)."""
        hidden = self.conv1(pixels).flatten(2).transpose(1, 2)
        hidden = self.ln_pre(hidden + stretch(self.positional_embedding, hidden.shape[1]))
        for block in self.transformer.resblocks:  # type: ignore[union-attr]
            hidden = block(hidden)
        pooled: Tensor = self.ln_post(self.attn_pool(hidden)) @ self.proj
        return pooled


class _Block(nn.Module):
    """A pre-norm block; the rows of ``in_proj`` hold each head's query, key and value in turn."""

    def __init__(self, width: int, heads: int, inner: int) -> None:
        super().__init__()
        self._heads = heads
        self.ln_1 = nn.LayerNorm(width, eps=_EPS)
        self.attn = nn.Module()
        self.attn.in_proj = nn.Linear(width, 3 * width)
        self.attn.out_proj = nn.Linear(width, width)
        self.ln_2 = nn.LayerNorm(width, eps=_EPS)
        self.mlp = nn.Module()
        self.mlp.c_fc = nn.Linear(width, inner)
        self.mlp.c_proj = nn.Linear(inner, width)

    def forward(self, hidden: Tensor) -> Tensor:
        count, length, width = hidden.shape
        projected = self.attn.in_proj(self.ln_1(hidden))  # type: ignore[operator]
        query, key, value = (
            projected.view(count, length, self._heads, -1).transpose(1, 2).chunk(3, -1)
        )
        attended = functional.scaled_dot_product_attention(query, key, value)
        attended = attended.transpose(1, 2).reshape(count, length, width)
        hidden = hidden + self.attn.out_proj(attended)  # type: ignore[operator]
        inside = functional.gelu(self.mlp.c_fc(self.ln_2(hidden)))  # type: ignore[operator]
        out: Tensor = hidden + self.mlp.c_proj(inside)  # type: ignore[operator]
        return out


class _Resampler(nn.Module):
    """Learned queries that read the patches once; positions are added to queries and keys."""

    def __init__(self, width: int, output: int) -> None:
        super().__init__()
        self.pos_embed = nn.Parameter(torch.empty(_GRID, output))
        self.query = nn.Parameter(torch.empty(QUERIES, output))
        same = width == output
        self.kv_proj = nn.Identity() if same else nn.Linear(width, output, bias=False)
        self.attn = nn.MultiheadAttention(output, output // _POOL_HEAD, batch_first=True)
        self.ln_q = nn.LayerNorm(output, eps=_EPS)
        self.ln_kv = nn.LayerNorm(output, eps=_EPS)

    def forward(self, patches: Tensor) -> Tensor:
        patches = self.ln_kv(self.kv_proj(patches))
        query = (self.ln_q(self.query) + self.pos_embed).expand(len(patches), -1, -1)
        key = patches + stretch(self.pos_embed, patches.shape[1])
        pooled: Tensor = self.attn(query, key, patches, need_weights=False)[0]
        return pooled


def stretch(table: Tensor, count: int) -> Tensor:
    """Return a square grid's position table (G, W) at another square grid's places (count, W)."""
    side, new_side = math.isqrt(len(table)), math.isqrt(count)
    if side == new_side:
        return table
    grid = table.float().view(1, side, side, -1).permute(0, 3, 1, 2)
    grid = functional.interpolate(grid, (new_side, new_side), mode="bicubic", align_corners=False)
    return grid.permute(0, 2, 3, 1).flatten(0, 2).to(table.dtype)
