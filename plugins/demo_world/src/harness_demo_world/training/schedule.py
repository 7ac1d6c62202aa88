"""Optimisers and learning rates that both pre-trainings share."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from collections.abc import Iterable

_WARM = 30


def portion(count: int, share: float, least: int = 2) -> int:
    """Return a share of a count, for a short try of everything; all of it for 1."""
    return max(min(least, count), round(count * share))


class Optimiser:
    """Muon for the matrices inside blocks, AdamW for everything else, one cosine for both.

    Muon is what makes a small transformer leave chance within a few hundred steps here.
    """

    def __init__(
        self, named: Iterable[tuple[str, torch.nn.Parameter]], rate: float, steps: int
    ) -> None:
        matrices: list[torch.nn.Parameter] = []
        others: list[torch.nn.Parameter] = []
        for name, weight in named:
            if weight.requires_grad:
                inner = weight.ndim == 2 and "embed" not in name and not name.endswith("projection")
                (matrices if inner else others).append(weight)
        self._all = [*matrices, *others]
        self._steps, self._done = steps, 0
        self._parts: list[tuple[torch.optim.Optimizer, float]] = [
            (
                torch.optim.Muon(matrices, weight_decay=0.05, adjust_lr_fn="match_rms_adamw"),
                4 * rate,
            ),
            (torch.optim.AdamW(others, weight_decay=0.01, betas=(0.9, 0.98)), rate),
        ]

    def step(self) -> None:
        """Apply the gradients at the current rate, then clear them."""
        torch.nn.utils.clip_grad_norm_(self._all, 1.0)
        warm = min(1.0, (self._done + 1) / _WARM)
        cosine = 0.5 * (1 + math.cos(math.pi * self._done / self._steps))
        for part, rate in self._parts:
            for group in part.param_groups:
                group["lr"] = rate * warm * (cosine + 0.01)
            part.step()
            part.zero_grad(set_to_none=True)
        self._done += 1
