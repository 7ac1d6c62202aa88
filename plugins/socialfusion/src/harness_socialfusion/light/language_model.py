"""A Llama of plain shape: the operations of transformers' ``LlamaForCausalLM`` with sdpa."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import torch
from harness.engine.weights import read_header
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional
from transformers import Cache

from harness_socialfusion.light import MOST_BYTES
from harness_socialfusion.sources import read_json

# Keys of a config that change what is computed, and the one value that is computed here.
_PLAIN = {
    "model_type": "llama",
    "architectures": ["LlamaForCausalLM"],
    "attention_bias": False,
    "mlp_bias": False,
    "hidden_act": "silu",
    "tie_word_embeddings": True,
    "quantization_config": None,
    "rope_scaling": None,
    "auto_map": None,
    "pretraining_tp": 1,
}
# Keys that may have any value: answers do not depend on them.
_ANY = {
    "attention_dropout", "bos_token_id", "dtype", "eos_token_id", "initializer_range",
    "pad_token_id", "torch_dtype", "transformers_version", "use_cache",
}  # fmt: skip
_WEIGHTS = "model.safetensors"


@dataclass(frozen=True, slots=True)
class LlamaShape:
    """What of a config the model is made of, under transformers' names."""

    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    vocab_size: int
    max_position_embeddings: int
    rms_norm_eps: float
    rope_theta: float
    _attn_implementation: str = "sdpa"

    def get_text_config(self) -> LlamaShape:
        """Return the language model's config: this one."""
        return self


@dataclass(frozen=True, slots=True)
class LanguageOutput:
    """What a forward pass returns: ``logits`` (B, K, V)."""

    logits: Tensor


@dataclass(frozen=True, slots=True)
class GenerationEnds:
    """What of a generation config is used: the ids that end an answer."""

    eos_token_id: Any


class LightLlama(nn.Module):
    """A causal language model, its modules and weights named as transformers names them.

    Args:
        shape: What it is made of.
        ends: ``eos_token_id`` of its generation config.
    """

    def __init__(self, shape: LlamaShape, ends: Any) -> None:
        super().__init__()
        self.config = shape
        self.generation_config = GenerationEnds(ends)
        self.model = nn.Module()
        self.model.embed_tokens = nn.Embedding(shape.vocab_size, shape.hidden_size)
        self.model.layers = nn.ModuleList(
            _Layer(shape, index) for index in range(shape.num_hidden_layers)
        )
        self.model.norm = _Norm(shape)
        self.lm_head = nn.Linear(shape.hidden_size, shape.vocab_size, bias=False)
        self.lm_head.weight = self.model.embed_tokens.weight

    def get_input_embeddings(self) -> nn.Module:
        """Return the embedding of token ids."""
        return self.get_submodule("model.embed_tokens")

    def get_output_embeddings(self) -> nn.Module:
        """Return what makes logits of hidden states."""
        return self.lm_head

    def forward(  # noqa: PLR0913  transformers' arguments
        self,
        *,
        inputs_embeds: Tensor,
        attention_mask: Tensor,
        position_ids: Tensor,
        past_key_values: Cache | None = None,
        use_cache: bool = False,
        logits_to_keep: int = 0,
    ) -> LanguageOutput:
        """Run it; see :meth:`harness.engine.contract.VisionLanguageModel.forward`."""
        del use_cache  # a cache that is given is extended
        length = inputs_embeds.shape[1]
        mask = _causal_mask(attention_mask, length, past_key_values)
        head, theta = self.config.head_dim, self.config.rope_theta
        powers = torch.arange(0, head, 2, dtype=torch.float) / head
        angles = position_ids[..., None].float() * (1.0 / (theta**powers))
        angles = torch.cat((angles, angles), dim=-1)
        rotation = (angles.cos()[:, None], angles.sin()[:, None])
        hidden = inputs_embeds
        for layer in self.get_submodule("model.layers").children():
            hidden = layer(hidden, mask, rotation, past_key_values)
        hidden = self.get_submodule("model.norm")(hidden)
        return LanguageOutput(self.lm_head(hidden[:, slice(-logits_to_keep, None)]))


class _Norm(nn.Module):
    """Root-mean-square norm."""

    def __init__(self, shape: LlamaShape) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(shape.hidden_size))
        self._epsilon = shape.rms_norm_eps

    def forward(self, hidden: Tensor) -> Tensor:
        return self.weight * (
            hidden * torch.rsqrt(hidden.pow(2).mean(-1, keepdim=True) + self._epsilon)
        )


class _Attention(nn.Module):
    def __init__(self, shape: LlamaShape, index: int) -> None:
        super().__init__()
        inner = shape.num_attention_heads * shape.head_dim
        self._head, self._index = shape.head_dim, index
        self.q_proj = nn.Linear(shape.hidden_size, inner, bias=False)
        self.k_proj = nn.Linear(shape.hidden_size, inner, bias=False)
        self.v_proj = nn.Linear(shape.hidden_size, inner, bias=False)
        self.o_proj = nn.Linear(inner, shape.hidden_size, bias=False)

    def forward(
        self,
        hidden: Tensor,
        mask: Tensor | None,
        rotation: tuple[Tensor, Tensor],
        cache: Cache | None,
    ) -> Tensor:
        rows, length = hidden.shape[:2]
        queries, keys, values = (
            project(hidden).view(rows, length, -1, self._head).transpose(1, 2)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        queries, keys = _rotated(queries, rotation), _rotated(keys, rotation)
        if cache is not None:
            keys, values = cache.update(keys, values, self._index)
        causal = mask is None and length > 1
        if causal:  # only the first tokens of a prompt are seen without a mask
            keys, values = keys[:, :, :length], values[:, :, :length]
        attended = functional.scaled_dot_product_attention(
            queries, keys, values, attn_mask=mask, is_causal=causal, scale=self._head**-0.5
        )
        projected: Tensor = self.o_proj(attended.transpose(1, 2).reshape(rows, length, -1))
        return projected


class _Mlp(nn.Module):
    def __init__(self, shape: LlamaShape) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(shape.hidden_size, shape.intermediate_size, bias=False)
        self.up_proj = nn.Linear(shape.hidden_size, shape.intermediate_size, bias=False)
        self.down_proj = nn.Linear(shape.intermediate_size, shape.hidden_size, bias=False)

    def forward(self, hidden: Tensor) -> Tensor:
        projected: Tensor = self.down_proj(
            functional.silu(self.gate_proj(hidden)) * self.up_proj(hidden)
        )
        return projected


class _Layer(nn.Module):
    def __init__(self, shape: LlamaShape, index: int) -> None:
        super().__init__()
        self.self_attn = _Attention(shape, index)
        self.mlp = _Mlp(shape)
        self.input_layernorm = _Norm(shape)
        self.post_attention_layernorm = _Norm(shape)

    def forward(
        self,
        hidden: Tensor,
        mask: Tensor | None,
        rotation: tuple[Tensor, Tensor],
        cache: Cache | None,
    ) -> Tensor:
        hidden = hidden + self.self_attn(self.input_layernorm(hidden), mask, rotation, cache)
        added: Tensor = hidden + self.mlp(self.post_attention_layernorm(hidden))
        return added


def _rotated(vectors: Tensor, rotation: tuple[Tensor, Tensor]) -> Tensor:
    """Return vectors (B, H, T, D) rotated by cosines and sines (B, 1, T, D)."""
    first, second = vectors.chunk(2, dim=-1)
    return vectors * rotation[0] + torch.cat((-second, first), dim=-1) * rotation[1]


def _causal_mask(mask: Tensor, length: int, cache: Cache | None) -> Tensor | None:
    """Return what each token may attend to (B, 1, T, S), or ``None`` where plain causal does it.

    As transformers' ``create_causal_mask`` decides it: another kernel rounds otherwise.
    """
    if mask.ndim == 4:
        return mask
    present = mask.bool()
    before = 0 if cache is None else int(cache.get_query_offset(0))
    width = present.shape[1] if cache is None else int(cache.get_mask_sizes(length, 0)[0])
    present = functional.pad(present, (0, max(0, width - present.shape[1])))[:, :width]
    if length in {1, width} and bool(present.all()):
        return None
    if before == 0 and bool(present[:, :length].all()) and not bool(present[:, length:].any()):
        return None
    queries = torch.arange(length) + before
    causal = torch.arange(width)[None] <= queries[:, None]
    return (causal[None] & present[:, None])[:, None]


def read_shape(folder: Path) -> LlamaShape | None:
    """Return the shape of a folder's language model, or ``None`` when it is not a plain Llama."""
    config = read_json(folder / "config.json")
    rope = config.get("rope_parameters")
    names = {field.name for field in fields(LlamaShape)} - {"_attn_implementation"}
    is_plain = (
        config.keys() <= names | _PLAIN.keys() | _ANY | {"rope_parameters"}
        and all(config.get(key) == value for key, value in _PLAIN.items())
        and isinstance(rope, Mapping)
        and rope.keys() == {"rope_theta", "rope_type"}
        and rope["rope_type"] == "default"
        and config.get("num_key_value_heads") == config.get("num_attention_heads")
        and (folder / _WEIGHTS).is_file()
        and (folder / _WEIGHTS).stat().st_size <= MOST_BYTES
    )
    if not is_plain:
        return None
    assert isinstance(rope, Mapping)
    values = {**config, "rope_theta": rope["rope_theta"]}
    if any(type(values.get(name)) not in {int, float} for name in names):
        return None
    return LlamaShape(**{name: values[name] for name in names})


def open_language_model(folder: Path) -> LightLlama | None:
    """Return a folder's language model in float32, or ``None`` when it is not a plain Llama."""
    shape = read_shape(folder)
    if shape is None:
        return None
    path = folder / "generation_config.json"
    ends = read_json(path).get("eos_token_id") if path.is_file() else None
    try:
        with torch.random.fork_rng(devices=[]):
            model = LightLlama(shape, ends)
    except (TypeError, ValueError, RuntimeError):  # transformers says what is wrong with the shape
        return None
    expected = {
        name: list(weight.shape)
        for name, weight in model.state_dict().items()
        if name != "lm_head.weight"
    }
    header = read_header(folder / _WEIGHTS)
    if expected != {name: entry["shape"] for name, entry in header.items()}:
        return None
    model.load_state_dict(load_file(folder / _WEIGHTS), strict=False)
    return model.requires_grad_(requires_grad=False).eval()


def open_tokenizer(folder: Path) -> Any:
    """Return a folder's tokenizer, or ``None`` when its class has to be looked for."""
    path = folder / "tokenizer_config.json"
    is_file = path.is_file() and (folder / "tokenizer.json").is_file()
    if not is_file or read_json(path).get("tokenizer_class") != "PreTrainedTokenizerFast":
        return None
    from transformers import PreTrainedTokenizerFast

    fast: Any = PreTrainedTokenizerFast
    return fast.from_pretrained(str(folder), local_files_only=True)
