"""How much goes into a forward pass, and how many keys and values may live at once."""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from harness.errors import UserError

if TYPE_CHECKING:
    import torch

Item = TypeVar("Item")
Result = TypeVar("Result")

MANY = 1 << 30
CPU_POSITIONS = 1024
"""Positions (rows x length) of a forward pass on a processor; narrow models take more."""
CPU_VALUES = 1 << 19
"""Values (positions x width) of a pass on a processor: with more a layer would leave its caches."""
GPU_POSITIONS = 65536
PACK_NODES = 256
"""Tokens that branches behind one stem take in a row; attention grows with their square."""
SHARE = 0.25
"""Of free memory that a forward pass may take, by a rough count."""


class NoMemory(UserError):
    """Memory did not suffice for the smallest batch."""


class Batches:
    """Cuts items, longest first, into batches, and runs them.

    Args:
        rows: Requests of a forward pass at most; ``None`` lets the engine choose.
        fixed: Ignore ``rows`` and never shrink: what goes together depends on the block alone.
        positions: Positions (rows x length) of a forward pass at most.
        room: Positions whose keys and values may live at once; ``None`` for no bound.
    """

    def __init__(
        self,
        rows: int | None = None,
        *,
        fixed: bool = False,
        positions: int = CPU_POSITIONS,
        room: int | None = None,
    ) -> None:
        if rows is not None and rows < 1:
            raise UserError(f"batch size {rows} is not a positive number")
        self.rows = MANY if rows is None or fixed else rows
        self.fixed = fixed
        self._positions = positions
        self._room = room
        self._held = 0

    @property
    def nodes(self) -> int:
        """Tokens of a pack at most."""
        return min(PACK_NODES, self._positions)

    def run(  # noqa: PLR0913, PLR0917  each says something else of an item
        self,
        items: Sequence[Item],
        length: Callable[[Item], int],
        forward: Callable[[Sequence[Item]], Sequence[Result]],
        kept: Callable[[Item], int] = lambda _: 0,
        behind: int = 0,
        together: int = 1,
        even: bool = False,
    ) -> list[Result]:
        """Return ``forward``'s result of each item, in the items' order.

        Args:
            items: What to compute; one item is one row.
            length: Positions an item takes; batches go longest first.
            forward: Computes one batch, one result a row.
            kept: Positions of keys and values that live while an item's batch is computed.
            behind: More such positions that ``forward`` needs, however few its rows.
            together: A batch holds so many times the positions of a usual one.
            even: A batch holds items of one length, so that no row is padded.

        Raises:
            NoMemory: when memory or the budget does not suffice for a batch of one.
        """
        order = sorted(range(len(items)), key=lambda at: -length(items[at]))
        results: dict[int, Result] = {}
        start = 0
        while start < len(order):
            first = items[order[start]]
            count = self._count(-(-length(first) // together), kept(first), behind)
            chosen = order[start : start + count]
            if even:
                chosen = [at for at in chosen if length(items[at]) == length(first)]
            rows = [items[at] for at in chosen]
            found = self._attempt(rows, -(-length(first) // together), kept(first), forward)
            if found is None:
                continue
            results.update(zip(chosen, found, strict=True))
            start += len(chosen)
        return [results[at] for at in range(len(items))]

    def _count(self, longest: int, kept: int, behind: int) -> int:
        count = max(1, min(self.rows, self._positions // max(1, longest)))
        if self._room is None:
            return count
        free = self._room - self._held
        if free < kept + behind:
            needed = self._held + kept + behind
            raise NoMemory(
                f"keys and values of {needed} positions must live at once, the budget holds "
                f"{self._room}",
                fix=f"use a --kv-budget {needed / max(1, self._room):.1f} times as large",
            )
        return min(count, max(1, free // max(1, kept + behind)))

    def _attempt(
        self,
        rows: Sequence[Item],
        longest: int,
        kept: int,
        forward: Callable[[Sequence[Item]], Sequence[Result]],
    ) -> Sequence[Result] | None:
        """Return the results, or ``None`` after memory ran out and batches were made smaller."""
        self._held += kept * len(rows)
        try:
            return forward(rows)
        except (RuntimeError, MemoryError, NoMemory) as error:
            if not out_of_memory(error):
                raise
            needed = str(error).partition("\n")[0]
        finally:
            self._held -= kept * len(rows)
        free_memory()
        if self.fixed or len(rows) == 1:
            raise NoMemory(
                f"memory does not suffice for a batch of {len(rows)}: {needed}",
                fix="leave out --deterministic" if self.fixed else "use a smaller dtype",
            )
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
    """Give back what a failed batch still holds."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def fitting_positions(device: torch.device, width: int, each: int) -> int:
    """Return how many positions a forward pass may take on a device.

    Memory counts in powers of two, so that a little more or less of it gives the same batches.

    Args:
        device: Where the model is.
        width: Values of one position in the language model (its hidden size).
        each: Bytes that one position takes, by a rough count.
    """
    fitting = int(free_bytes(device) * SHARE) // max(1, each)
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


def free_bytes(device: torch.device) -> int:
    """Return the bytes that are free on a device."""
    import torch

    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
        return int(text.partition("MemAvailable:")[2].split()[0]) << 10
    except (OSError, ValueError, IndexError):  # not on every system
        return 4 << 30
