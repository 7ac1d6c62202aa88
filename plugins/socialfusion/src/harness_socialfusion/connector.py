"""From an image's patch tokens to positions of the language model."""

from __future__ import annotations

from itertools import pairwise

import torch
from harness.errors import UserError
from torch import Tensor, nn

from harness_socialfusion.settings import ConnectorSettings


def merge_neighbours(tokens: Tensor, grid: tuple[int, int], k: int) -> Tensor:
    """Return (B, N / k^2, D k^2) of patch tokens (B, N, D) on a grid of rows and columns."""
    if k == 1:
        return tokens
    count, _, width = tokens.shape
    rows, columns = grid[0] // k, grid[1] // k
    blocks = tokens.reshape(count, rows, k, columns, k, width).transpose(2, 3)
    return blocks.reshape(count, rows * columns, k * k * width)


class Resampler(nn.Module):
    """Learned queries that look at the patch tokens."""

    def __init__(self, width_in: int, width: int, out: int, layers: int, queries: int) -> None:
        super().__init__()
        heads = next(count for count in (8, 4, 2, 1) if width % count == 0)
        self.queries = nn.Parameter(torch.randn(queries, width) * width**-0.5)
        self.given = nn.Linear(width_in, width)
        self.blocks = nn.ModuleList(
            nn.MultiheadAttention(width, heads, batch_first=True) for _ in range(layers)
        )
        self.norms = nn.ModuleList(nn.LayerNorm(width) for _ in range(layers))
        self.out = nn.Linear(width, out)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return (B, queries, out) of tokens (B, N, given)."""
        projected = self.given(tokens)
        state = self.queries.expand(len(tokens), -1, -1)
        for block, norm in zip(self.blocks, self.norms, strict=True):
            state = state + block(norm(state), projected, projected, need_weights=False)[0]
        output: Tensor = self.out(state)
        return output


class Connector(nn.Module):
    """Merges neighbouring patch tokens, then projects them to the language model's width.

    Args:
        settings: Its shape.
        given: Width of the encoder's patch tokens.
        out: Width of the language model.
        grid: Rows and columns of the encoder's patches.
    """

    def __init__(
        self, settings: ConnectorSettings, *, width_in: int, out: int, grid: tuple[int, int]
    ) -> None:
        super().__init__()
        k, hidden = settings.merge, settings.hidden or out
        if grid[0] % k or grid[1] % k:
            raise UserError(f"{grid[0]} x {grid[1]} patch tokens cannot be merged {k} x {k}")
        self.grid, self.merge = grid, k
        self.tokens = grid[0] * grid[1] // k**2
        wide = width_in * k * k
        self.project: nn.Module
        if settings.kind == "linear":
            self.project = nn.Linear(wide, out)
        elif settings.kind == "attention":
            self.tokens = settings.queries
            self.project = Resampler(wide, hidden, out, settings.layers, settings.queries)
        else:
            sizes = [wide, *([hidden] * (settings.layers - 1)), out]
            layers: list[nn.Module] = []
            for before, after in pairwise(sizes):
                layers += [nn.GELU(), nn.Linear(before, after)]
            self.project = nn.Sequential(*layers[1:])

    def forward(self, tokens: Tensor) -> Tensor:
        """Return (B, T, out) of patch tokens (B, N, D)."""
        output: Tensor = self.project(merge_neighbours(tokens, self.grid, self.merge))
        return output
