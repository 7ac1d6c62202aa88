"""KV caches: forked from a prefix without a lasting copy, or allocated once with room to grow."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import Cache, DynamicCache
from transformers.cache_utils import DynamicLayer


class _ForkLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """A layer's KV cache of some rows of a prefix; what follows is not kept.

    Rows of many suffixes share one prefix: a copy of it lives for one layer's attention alone.
    """

    def __init__(self, keys: Tensor, values: Tensor, rows: Sequence[int]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.keys, self.values, self.is_initialized = keys, values, True
        self._rows = rows

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        del args, kwargs
        assert self.keys is not None
        assert self.values is not None
        return _join(self.keys, self._rows, key_states), _join(
            self.values, self._rows, value_states
        )


class _RoomLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """A layer's KV cache in a tensor with room for tokens to come, so that no step copies it."""

    def __init__(self, keys: Tensor, values: Tensor, rows: Sequence[int], room: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._used = keys.shape[2]
        self.keys, self.values = _roomy(keys, rows, room), _roomy(values, rows, room)
        self.is_initialized = True

    def update(
        self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any
    ) -> tuple[Tensor, Tensor]:
        del args, kwargs
        assert self.keys is not None
        assert self.values is not None
        end = self._used + key_states.shape[2]
        self.keys[:, :, self._used : end] = key_states
        self.values[:, :, self._used : end] = value_states
        self._used = end
        return self.keys[:, :, :end], self.values[:, :, :end]

    def get_seq_length(self) -> int:
        return self._used

    def keep(self, rows: Sequence[int]) -> None:
        """Drop the other rows."""
        assert self.keys is not None
        assert self.values is not None
        at = torch.tensor(rows, device=self.keys.device)
        self.keys = self.keys.index_select(0, at)
        self.values = self.values.index_select(0, at)


def fork(cache: Cache, rows: Sequence[int]) -> Cache:
    """Return a cache of some rows, one of them possibly often, for a single forward pass."""
    layers: list[Any] = list(cache.layers)
    return Cache(layers=[_ForkLayer(layer.keys, layer.values, rows) for layer in layers])


def make_room(cache: Cache, rows: Sequence[int], room: int) -> Cache:
    """Return a copy of some rows of a cache, with room for ``room`` further positions."""
    layers: list[Any] = list(cache.layers)
    return Cache(layers=[_RoomLayer(layer.keys, layer.values, rows, room) for layer in layers])


def keep_rows(cache: Cache, rows: Sequence[int]) -> None:
    """Drop the other rows of a cache that :func:`make_room` made."""
    for layer in cache.layers:
        assert isinstance(layer, _RoomLayer)
        layer.keep(rows)


def copy_rows(cache: Cache, rows: Sequence[int]) -> DynamicCache:
    """Return a cache of some rows that keeps what follows them."""
    copied = DynamicCache()
    layers: list[Any] = list(cache.layers)
    for number, layer in enumerate(layers):
        at = torch.tensor(rows, device=layer.keys.device)
        copied.update(layer.keys.index_select(0, at), layer.values.index_select(0, at), number)
    return copied


def position_bytes(model: Any) -> int:
    """Return the bytes of KV cache that one position of a language model takes."""
    config = model.config.get_text_config()
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    size = model.get_input_embeddings().weight.element_size()
    return int(2 * config.num_hidden_layers * heads * width * size)


def _join(states: Tensor, rows: Sequence[int], more: Tensor) -> Tensor:
    """Return rows of ``states`` (B, H, S, D) followed by ``more`` (B, H, T, D), copied once."""
    if len(rows) == 1:
        return torch.cat([states[rows[0] : rows[0] + 1], more], dim=2)
    joined = _roomy(states, rows, more.shape[2])
    joined[:, :, states.shape[2] :] = more
    return joined


def _roomy(states: Tensor, rows: Sequence[int], room: int) -> Tensor:
    """Return rows of ``states``, with room after them."""
    _, heads, length, width = states.shape
    joined = states.new_empty(len(rows), heads, length + room, width)
    start = 0
    for end in range(1, len(rows) + 1):  # rows that follow each other are copied at once
        if end == len(rows) or rows[end] != rows[end - 1] + 1:
            joined[start:end, :, :length] = states[rows[start] : rows[start] + end - start]
            start = end
    return joined
