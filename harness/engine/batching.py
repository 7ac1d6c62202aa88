"""Batches that depend on the block alone, halved when memory runs out."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from typing import TypeVar

from harness.errors import UserError

Item = TypeVar("Item")
Result = TypeVar("Result")

FIXED_ROWS = 8
"""Rows of every batch in deterministic mode, whatever batch size was asked for."""
AUTO_TOKENS = 8192
"""Positions (rows x length) of one forward pass when the size is left to the engine."""
AUTO_ROWS = 256


class Batches:
    """Cuts items, longest first, into batches, and runs them.

    Args:
        rows: Rows of a batch at most; ``None`` lets the engine choose.
        fixed: Every batch has exactly :data:`FIXED_ROWS` rows, the last row repeated to fill it,
            so that a row's numbers depend neither on the batch size asked for nor on a remainder.
        tokens: Positions of a batch at most when ``rows`` is ``None``.
    """

    def __init__(
        self, rows: int | None = None, *, fixed: bool = False, tokens: int = AUTO_TOKENS
    ) -> None:
        if rows is not None and rows < 1:
            raise UserError(f"batch size {rows} is not a positive number")
        self._rows = rows
        self._fixed = fixed
        self._tokens = tokens

    def run(
        self,
        items: Sequence[Item],
        length: Callable[[Item], int],
        forward: Callable[[Sequence[Item]], Sequence[Result]],
    ) -> list[Result]:
        """Return ``forward``'s result of each item, in the items' order.

        Args:
            items: What to compute; one item is one row.
            length: Positions an item takes; batches go longest first.
            forward: Computes one batch, one result a row.

        Raises:
            UserError: when memory does not suffice for the smallest batch.
        """
        order = sorted(range(len(items)), key=lambda at: -length(items[at]))
        results: dict[int, Result] = {}
        start = 0
        while start < len(order):
            count = self._count(length(items[order[start]]))
            chosen = order[start : start + count]
            rows = [items[at] for at in chosen]
            if self._fixed:
                rows += [rows[-1]] * (count - len(rows))
            found = self._attempt(rows, forward)
            if found is None:
                continue
            results.update(zip(chosen, found, strict=False))
            start += len(chosen)
        return [results[at] for at in range(len(items))]

    def _count(self, longest: int) -> int:
        if self._fixed:
            return FIXED_ROWS
        if self._rows is not None:
            return self._rows
        return max(1, min(AUTO_ROWS, self._tokens // max(1, longest)))

    def _attempt(
        self, rows: Sequence[Item], forward: Callable[[Sequence[Item]], Sequence[Result]]
    ) -> Sequence[Result] | None:
        """Return the results, or ``None`` after memory ran out and the batch size was halved."""
        try:
            return forward(rows)
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            needed = str(error).partition("\n")[0]
        free_memory()
        if self._fixed or len(rows) == 1:
            raise UserError(
                f"memory does not suffice for a batch of {len(rows)}: {needed}",
                fix="leave out --deterministic" if self._fixed else "use a smaller dtype",
            )
        self._rows = len(rows) // 2
        return None


def out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory ran out, on any device."""
    import torch

    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    text = str(error).lower()
    return "out of memory" in text or "can't allocate memory" in text


def free_memory() -> None:
    """Give back what a failed batch still holds."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
