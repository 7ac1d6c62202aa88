"""Encodes several small inputs at once on a CPU, where each row has the bytes it has by itself.

A small encoder spends most of its time between its kernels, so several images at once take half the
time. Whether a row of a batch has the bytes it has by itself is a property of the kernels, which
differ between machines, shapes and numbers of threads. So it is not assumed: the first batch is
encoded both ways, and batches are used only where every row was equal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from typing import Generic, TypeVar

import torch
from torch import Tensor

Item = TypeVar("Item")


class ExactBatches(Generic[Item]):
    """Encodes items in batches of one size, or one at a time; the results have the same bytes.

    Args:
        encode: Encodes some items, one result each.
        rows: Items of a batch, from the values of one result; 1 for no batches.
    """

    def __init__(
        self, encode: Callable[[Sequence[Item]], Sequence[Tensor]], rows: Callable[[int], int]
    ) -> None:
        self._encode = encode
        self._choose = rows
        self._rows: int | None = None
        self._equal: set[torch.Size] = set()

    def __call__(self, items: Iterable[Item]) -> list[Tensor]:
        """Return each item's result; whatever ``encode`` raises is raised."""
        results: list[Tensor] = []
        waiting = iter(items)
        while batch := list(islice(waiting, self._rows or 1)):
            if len(batch) > 1 and len(batch) == self._rows:
                results += self._batch(batch)
            else:
                results += [row for item in batch for row in self._encode([item])]
            if self._rows is None:
                self._rows = max(1, self._choose(results[0].numel()))
        return results

    def _batch(self, items: Sequence[Item]) -> Sequence[Tensor]:
        batch = self._encode(items)
        shapes = {row.shape for row in batch}
        if len(shapes) == 1 and shapes <= self._equal:
            return batch
        alone = [row for item in items for row in self._encode([item])]
        if len(shapes) == 1 and all(map(torch.equal, batch, alone)):
            self._equal |= shapes
        else:
            self._rows = 1
        return alone
