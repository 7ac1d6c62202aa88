"""The first Qwen-VL's language model as transformers' Qwen2, with its rules for long prompts."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import torch
from harness.errors import UserError
from torch import Tensor, nn
from transformers import Cache, Qwen2Config

_BLOCK = "transformer.h."
_NAMES = {
    "transformer.wte.weight": "model.embed_tokens.weight",
    "transformer.ln_f.weight": "model.norm.weight",
    "lm_head.weight": "lm_head.weight",
}
_PARTS = {
    "ln_1": "input_layernorm",
    "ln_2": "post_attention_layernorm",
    "attn.c_proj": "self_attn.o_proj",
    "mlp.w1": "mlp.up_proj",
    "mlp.w2": "mlp.gate_proj",
    "mlp.c_proj": "mlp.down_proj",
}


def decoder_config(config: Mapping[str, Any], where: str) -> Qwen2Config:
    """Return the Qwen2 config of an original one.

    Raises:
        UserError: when something is missing, or says what no released checkpoint says.
    """
    if float(config.get("rotary_pct", 1.0)) != 1.0:
        raise UserError("only rotary_pct 1.0 is supported", where=where)
    make: Any = Qwen2Config  # its declared arguments lack head_dim, which its attention reads
    try:
        heads = int(config["num_attention_heads"])
        width = int(config["hidden_size"])
        made: Qwen2Config = make(
            vocab_size=int(config["vocab_size"]),
            hidden_size=width,
            intermediate_size=int(config["intermediate_size"]) // 2,
            num_hidden_layers=int(config["num_hidden_layers"]),
            num_attention_heads=heads,
            num_key_value_heads=heads,
            head_dim=int(config.get("kv_channels") or width // heads),
            max_position_embeddings=int(config["max_position_embeddings"]),
            rms_norm_eps=float(config["layer_norm_epsilon"]),
            rope_parameters={
                "rope_type": "default",
                "rope_theta": float(config["rotary_emb_base"]),
            },
            tie_word_embeddings=bool(config.get("tie_word_embeddings")),
        )
    except (KeyError, TypeError, ValueError) as error:
        raise UserError(f"not a Qwen-VL config: {error}", where=where) from None
    return made


def rename(tensors: Iterable[tuple[str, Tensor]]) -> Iterator[tuple[str, Tensor]]:
    """Yield tensors under Qwen2's names; a name that the original does not have stays as it is."""
    for name, tensor in tensors:
        if not name.startswith(_BLOCK):
            yield _NAMES.get(name, name), tensor
            continue
        number, _, inside = name.removeprefix(_BLOCK).partition(".")
        part, _, kind = inside.rpartition(".")
        if part == "attn.c_attn" and len(tensor) % 3 == 0:
            for letter, rows in zip("qkv", tensor.chunk(3), strict=True):
                yield f"model.layers.{number}.self_attn.{letter}_proj.{kind}", rows
        elif part in _PARTS:
            yield f"model.layers.{number}.{_PARTS[part]}.{kind}", tensor
        else:
            yield name, tensor


def original_names(layers: int) -> dict[str, tuple[str, ...]]:
    """Return the original's names of modules, with those of the Qwen2 modules in their place.

    Args:
        layers: Layers of the language model.
    """
    names: dict[str, tuple[str, ...]] = {
        old.removesuffix(".weight"): (new.removesuffix(".weight"),)
        for old, new in _NAMES.items()
        if old != new
    }
    for number in range(layers):
        old, new = f"{_BLOCK}{number}.", f"model.layers.{number}."
        names[f"{old}attn.c_attn"] = tuple(f"{new}self_attn.{part}_proj" for part in "qkv")
        names |= {old + part: (new + other,) for part, other in _PARTS.items()}
    return names


class LongRows:
    """What happens beyond the trained length: log-n scaling and a larger rotary base.

    Both act on positions from ``trained`` on or on rows longer than it. A row's rotary base is
    chosen when the row is first read and kept while an answer is written after it, so a row
    beyond the trained length is read and continued before the next.

    Args:
        model: The Qwen2 model, which is changed in place.
        trained: ``seq_length`` of the original config.
        logn: ``use_logn_attn``.
        ntk: ``use_dynamic_ntk``.
    """

    def __init__(self, model: Any, *, trained: int, logn: bool, ntk: bool) -> None:
        self.trained = trained
        self.ntk = ntk
        self._scale: Tensor | None = None
        config = model.config
        theta = float(config.rope_parameters["rope_theta"])
        self._rotary = _Rotary(theta, int(config.head_dim))
        decoder = model.get_decoder()
        decoder.rotary_emb = self._rotary
        if logn:
            for layer in decoder.layers:
                layer.self_attn.q_proj.register_forward_hook(self._scale_queries)
        self._logn = logn

    def prepare(self, positions: Tensor, cache: Cache | None) -> None:
        """Set both for the coming forward pass over positions (B, T)."""
        last = int(positions.max()) + 1
        if self.ntk and (cache is None or not cache.get_seq_length()):
            self._rotary.alpha = ntk_alpha(last, self.trained)
        self._scale = None
        if self._logn and last > self.trained:
            steps = positions.float() + 1
            scale = steps.log() / math.log(self.trained)
            self._scale = torch.where(steps > self.trained, scale, 1.0)[..., None]

    def _scale_queries(self, _module: nn.Module, _arguments: object, queries: Tensor) -> Tensor:
        # Rotation does not change lengths, so scaling before it is the same as after it.
        return queries if self._scale is None else queries * self._scale.to(queries)


def ntk_alpha(length: int, trained: int) -> float:
    """Return by how much the rotary base of a row of this length is stretched."""
    if length <= trained:
        return 1.0
    return max(2.0 ** math.ceil(math.log2(length / trained) + 1) - 1, 1.0)


class _Rotary(nn.Module):
    """Rotary positions whose base can be stretched."""

    def __init__(self, base: float, width: int) -> None:
        super().__init__()
        self.alpha = 1.0
        self._base, self._width = base, width

    def forward(self, hidden: Tensor, position_ids: Tensor) -> tuple[Tensor, Tensor]:
        """Return cosines and sines (B, T, width of a head)."""
        width = self._width
        base = self._base * self.alpha ** (width / (width - 2))
        powers = torch.arange(0, width, 2, device=hidden.device).float() / width
        angles = position_ids[..., None].float() / base**powers
        angles = torch.cat([angles, angles], dim=-1)
        return angles.cos().to(hidden.dtype), angles.sin().to(hidden.dtype)
