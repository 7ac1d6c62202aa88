"""Keys and values: forked from a stem without keeping copies, or written into room made before."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor
from transformers import Cache, DynamicCache
from transformers.cache_utils import DynamicLayer


class _ForkLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """A layer's keys and values of some rows of a stem; what comes behind is not kept."""

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
    """A layer's keys and values in a tensor with room for what is still to come."""

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
    """Return a copy of some rows of a cache, with room for so many more positions."""
    layers: list[Any] = list(cache.layers)
    return Cache(layers=[_RoomLayer(layer.keys, layer.values, rows, room) for layer in layers])


def keep_rows(cache: Cache, rows: Sequence[int]) -> None:
    """Drop the other rows of a cache that :func:`make_room` made."""
    for layer in cache.layers:
        assert isinstance(layer, _RoomLayer)
        layer.keep(rows)


def copy_rows(cache: Cache, rows: Sequence[int]) -> DynamicCache:
    """Return a cache of some rows that keeps what comes behind them."""
    taken = DynamicCache()
    layers: list[Any] = list(cache.layers)
    for number, layer in enumerate(layers):
        at = torch.tensor(rows, device=layer.keys.device)
        taken.update(layer.keys.index_select(0, at), layer.values.index_select(0, at), number)
    return taken


def position_bytes(model: Any) -> int:
    """Return the bytes that a language model's keys and values of one position take."""
    config = model.config.get_text_config()
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    width = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    size = model.get_input_embeddings().weight.element_size()
    return int(2 * config.num_hidden_layers * heads * width * size)


def _join(held: Tensor, rows: Sequence[int], more: Tensor) -> Tensor:
    """Return rows (B, H, S, D) of what is held with (B, H, T, D) behind them, copied once."""
    if len(rows) == 1:
        return torch.cat([held[rows[0] : rows[0] + 1], more], dim=2)
    whole = _roomy(held, rows, more.shape[2])
    whole[:, :, held.shape[2] :] = more
    return whole


def _roomy(held: Tensor, rows: Sequence[int], room: int) -> Tensor:
    """Return rows of what is held, with room behind them."""
    _, heads, length, width = held.shape
    whole = held.new_empty(len(rows), heads, length + room, width)
    for place, row in enumerate(rows):
        whole[place, :, :length] = held[row]
    return whole
