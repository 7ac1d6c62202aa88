"""How much goes into one forward pass, and how much KV cache may be in memory at once."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

from harness.engine.memory import free_bytes
from harness.errors import UserError

if TYPE_CHECKING:
    import torch

Item = TypeVar("Item")
Result = TypeVar("Result")

MANY = 1 << 30
CPU_POSITIONS = 1024
"""Positions (rows x length) of a forward pass on a CPU; narrow models take more."""
CPU_VALUES = 1 << 19
"""Values (positions x width) of a pass on a CPU: with more, a layer leaves its caches."""
GPU_POSITIONS = 65536
TRIE_NODES = 256
"""Maximum tokens of a suffix trie in one row; attention grows with their square."""
SHARE = 0.25
"""Share of free memory that a forward pass may take, by a rough count."""


class NoMemory(UserError):
    """Memory did not suffice for the smallest batch."""


class Batches:
    """Cuts items, longest first, into batches, and runs them.

    Args:
        rows: Maximum requests of a forward pass; ``None`` lets the engine choose.
        fixed: Ignore ``rows`` and never shrink: what goes widen depends on the block alone.
        positions: Maximum positions (rows x length) of a forward pass.
        room: Maximum positions of KV cache in memory at once; ``None`` for no bound.
        position_bytes: Bytes that one of them takes, for the message when the bound is too small.
    """

    def __init__(
        self,
        rows: int | None = None,
        *,
        fixed: bool = False,
        positions: int = CPU_POSITIONS,
        room: int | None = None,
        position_bytes: int = 1,
    ) -> None:
        if rows is not None and rows < 1:
            raise UserError(f"batch size {rows} is not a positive number")
        self.rows = MANY if rows is None or fixed else rows
        self.fixed = fixed
        self._positions = positions
        self._room, self._position_bytes = room, position_bytes
        self._in_use = 0

    @property
    def nodes(self) -> int:
        """Maximum number of tokens in a suffix trie."""
        return min(TRIE_NODES, self._positions)

    def run(  # noqa: PLR0913, PLR0917  each says something else of an item
        self,
        items: Sequence[Item],
        length: Callable[[Item], int],
        forward: Callable[[Sequence[Item]], Sequence[Result]],
        cached: Callable[[Item], int] = lambda _: 0,
        reserve: int = 0,
        widen: int = 1,
        equal_lengths: bool = False,
    ) -> list[Result]:
        """Return ``forward``'s result of each item, in the items' order.

        Args:
            items: What to compute; one item is one row.
            length: Positions an item takes; batches go longest first.
            forward: Computes one batch; returns one result for each row.
            cached: Positions of KV cache that an item holds while its batch is computed.
            reserve: Further such positions that ``forward`` needs, however few its rows.
            widen: Multiplies the positions of a batch.
            equal_lengths: A batch holds items of one length, so that no row is padded.

        Raises:
            NoMemory: when memory or the budget does not suffice for a batch of one.
        """
        # Longest first: rows of a batch are of like length, so there is little padding, and a lack
        # of memory shows in the first batch.
        order = sorted(range(len(items)), key=lambda at: -length(items[at]))
        results: dict[int, Result] = {}
        start = 0
        while start < len(order):
            first = items[order[start]]
            count = self._count(-(-length(first) // widen), cached(first), reserve)
            chosen = order[start : start + count]
            if equal_lengths:
                chosen = [at for at in chosen if length(items[at]) == length(first)]
            rows = [items[at] for at in chosen]
            computed = self._attempt(rows, -(-length(first) // widen), cached(first), forward)
            if computed is None:
                continue
            results.update(zip(chosen, computed, strict=True))
            start += len(chosen)
        return [results[at] for at in range(len(items))]

    def _count(self, longest: int, cached: int, reserve: int) -> int:
        count = max(1, min(self.rows, self._positions // max(1, longest)))
        if self._room is None:
            return count
        free = self._room - self._in_use
        if free < cached + reserve:
            needed = self._in_use + cached + reserve
            kilobytes = -(-needed * self._position_bytes // 1024)
            raise NoMemory(
                f"the KV cache needs {needed} positions at once, the budget holds {self._room}",
                fix=f"--kv-budget {kilobytes}KiB or more",
            )
        return min(count, max(1, free // max(1, cached + reserve)))

    def _attempt(
        self,
        rows: Sequence[Item],
        longest: int,
        cached: int,
        forward: Callable[[Sequence[Item]], Sequence[Result]],
    ) -> Sequence[Result] | None:
        """Return the results, or ``None`` after memory ran out and batches were made smaller."""
        # ``forward`` may run batches of its own (children of a prefix) while this cache is alive.
        self._in_use += cached * len(rows)
        try:
            return forward(rows)
        except (RuntimeError, MemoryError, NoMemory) as error:
            if not out_of_memory(error):
                raise
            needed, fix = str(error).partition("\n")[0], getattr(error, "fix", None)
        finally:
            self._in_use -= cached * len(rows)
        # Only now: within ``except`` the traceback would keep the tensors of the batch alive.
        free_memory()
        if self.fixed or len(rows) == 1:
            raise NoMemory(
                f"memory does not suffice for a batch of {len(rows)}: {needed}",
                fix="leave out --deterministic" if self.fixed else fix or "use a smaller dtype",
            )
        # Lasting, so that the batches that follow do not run out of memory one after the other.
        self._positions = max(1, len(rows) // 2 * longest)
        return None


def out_of_memory(error: BaseException) -> bool:
    """Return whether an error says that memory ran out, on any device."""
    import torch

    if isinstance(error, (torch.OutOfMemoryError, MemoryError, NoMemory)):
        return True
    text = str(error).lower()
    return "out of memory" in text or "can't allocate memory" in text


def free_memory() -> None:
    """Release what a failed batch still holds."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def fitting_positions(device: torch.device, width: int, each: int) -> int:
    """Return the positions that a forward pass may take on a device.

    Memory counts in powers of two, so that a little more or less of it gives the same batches.

    Args:
        device: Where the model is.
        width: Values of one position in the language model (its hidden size).
        each: Bytes that one position takes, by a rough count.
    """
    fitting = int((free_bytes(device) or 4 << 30) * SHARE) // max(1, each)
    return min(most_positions(device, width), 1 << max(6, fitting.bit_length() - 1))


def most_positions(device: torch.device, width: int) -> int:
    """Return the positions of a forward pass beyond which a device does not get faster.

    Args:
        device: Where the model is.
        width: Values of one position in the language model (its hidden size).
    """
    if device.type == "cuda":
        return GPU_POSITIONS
    return max(CPU_POSITIONS, CPU_VALUES // width)
