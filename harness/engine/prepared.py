"""Images made ready for the encoder in other threads, ahead of it, within bounded memory.

Resizing, padding and normalising an image takes a CPU longer than a GPU takes to encode it. What
comes of it does not depend on when, or in which thread, it is done.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Mapping
from concurrent.futures import Future
from threading import RLock
from typing import Generic, TypeVar

import torch
from torch import Tensor

from harness.plugins import thread_pool

Item = TypeVar("Item")
Inputs = Mapping[str, Tensor]

LIMIT = 1 << 30
"""Bytes of what is ready and not yet taken, as far as the largest so far tells."""
_THREADS = 8
_STARTS = 16  # after as many more, what was begun and not taken is dropped: a block was let go


class PreparedInputs(Generic[Item]):
    """Inputs of an encoder by key, each computed once, by the first thread that needs it.

    Args:
        prepare: Computes one; may run in several threads at once.
        device: Where the encoder runs. For a GPU several threads work and memory is pinned, so
            that copies run beside the GPU's work; on a CPU, whose cores compute already, one.
        limit: Bytes of inputs that may wait.
    """

    def __init__(
        self, prepare: Callable[[Item], Inputs], device: torch.device, limit: int = LIMIT
    ) -> None:
        self._compute, self._limit = prepare, limit
        self._pins = device.type == "cuda"
        self._pool = thread_pool(min(_THREADS, os.cpu_count() or 1) if self._pins else 1)
        self._lock = RLock()  # a future that is done already tells so at once
        self._queue: dict[Hashable, Item] = {}
        self._begun: dict[Hashable, Future[Inputs]] = {}
        self._starts: deque[list[Hashable]] = deque()
        self._largest = 0

    def start(self, items: Mapping[Hashable, Item]) -> None:
        """Begin with items that are not begun; return at once."""
        with self._lock:
            if len(self._starts) == _STARTS:
                self.drop(self._starts.popleft())
            self._starts.append(list(items))
            self._queue |= {key: items[key] for key in items if key not in self._begun}
            self._submit()

    def take(self, key: Hashable, item: Item) -> Inputs:
        """Return an item's inputs, and forget them; what computing them raises is raised."""
        with self._lock:
            self._queue.pop(key, None)
            future = self._begun.pop(key, None)
            self._submit()
        return self._prepared(item) if future is None else future.result()

    def drop(self, keys: Iterable[Hashable]) -> None:
        """Forget items that nobody will take."""
        with self._lock:
            for key in keys:
                self._queue.pop(key, None)
                if (future := self._begun.pop(key, None)) is not None:
                    future.cancel()

    def close(self) -> None:
        """Forget everything and end the threads."""
        self.drop([*self._queue, *self._begun])
        self._pool.shutdown()

    def _submit(self) -> None:
        """Begin as many as memory allows; one until it is known how large they are."""
        # Sizes are known only afterwards, so one input goes first and tells how many fit.
        most = self._limit // self._largest if self._largest else 1
        while self._queue and len(self._begun) < max(1, most):
            key = next(iter(self._queue))
            future = self._pool.submit(self._prepared, self._queue.pop(key))
            self._begun[key] = future
            future.add_done_callback(self._learn)

    def _learn(self, future: Future[Inputs]) -> None:
        if future.cancelled() or future.exception() is not None:
            return
        size = sum(value.numel() * value.element_size() for value in future.result().values())
        with self._lock:
            self._largest = max(1, self._largest, size)
            self._submit()

    def _prepared(self, item: Item) -> Inputs:
        inputs = self._compute(item)
        if not self._pins:
            return inputs
        return {name: value.pin_memory() for name, value in inputs.items()}


def to_weights(values: Tensor, weight: Tensor) -> Tensor:
    """Return values on a weight's device, in its dtype; from pinned memory without waiting."""
    return values.to(weight.device, non_blocking=weight.is_cuda).to(weight.dtype)
