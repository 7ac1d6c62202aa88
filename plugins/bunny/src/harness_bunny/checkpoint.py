"""Bunny's original format: one file of three parts, and a tower described elsewhere.

Source: BAAI-DCAI/Bunny at 08273ac, ``bunny/model`` and ``bunny/conversation.py``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from harness.descriptors import Json
from harness.engine.chats import Conversation
from harness.engine.checkpoints import (
    Checkpoint,
    check_loaded,
    iterate_tensors,
    load_image_processor,
    load_pretrained,
    load_tokenizer,
    part_config,
)
from harness.errors import UserError, unknown
from torch import Tensor, nn
from transformers import (
    LlamaConfig,
    LlamaForCausalLM,
    PhiConfig,
    PhiForCausalLM,
    SiglipImageProcessorPil,
    SiglipVisionConfig,
    SiglipVisionModel,
)

from harness_bunny.model import BunnyModel, Preprocessing
from harness_bunny.towers import OWN, Tower

SYSTEM = (
    "A chat between a curious user and an artificial intelligence assistant. The assistant gives "
    "helpful, detailed, and polite answers to the user's questions."
)
_PROJECTOR = "model.mm_projector."
_SCALES = "384,768,1152"


@dataclass(frozen=True, slots=True)
class _Base:
    """A language model under Bunny: its classes, and the token after an answer."""

    config: Any
    model: Any
    end: str


_BASES = {
    "bunny-llama": _Base(LlamaConfig, LlamaForCausalLM, "<|end_of_text|>"),
    "bunny-phi": _Base(PhiConfig, PhiForCausalLM, "<|endoftext|>"),
}


@dataclass(slots=True)
class _Weights:
    """Tensors of a checkpoint under the names of the parts they belong to."""

    language: dict[str, Tensor]
    projector: dict[str, Tensor]
    tower: dict[str, Tensor]


def load(
    source: Checkpoint,
    tower: Tower,
    options: Mapping[str, Any],
    features_key: Mapping[str, Json],
    loading: Mapping[str, Any],
) -> BunnyModel:
    """Return a Bunny checkpoint, not yet moved to a device.

    Args:
        source: The checkpoint.
        tower: Its vision tower.
        options: Parsed options of the descriptor.
        features_key: What an image's features depend on.
        loading: Arguments of ``from_pretrained``, for the language model.

    Raises:
        UserError: when its base is not one of ours, or weights do not fit.
    """
    where = source.folder / "config.json"
    kind = str(source.config.get("model_type"))
    if kind not in _BASES:
        raise unknown("base of Bunny", kind, _BASES, where=str(where))
    base = _BASES[kind]
    tokenizer = load_tokenizer(source.folder)
    end = tokenizer.get_vocab().get(base.end, tokenizer.eos_token_id)
    if end is None:
        raise UserError(f"the tokenizer has no {base.end}", where=source.folder)
    weights = _sorted_out(source, tower)
    dtype = loading["dtype"]
    config = part_config(base.config, source.config, where)
    _fit(weights.language, config, len(tokenizer), bias=kind == "bunny-phi")
    language = load_pretrained(
        base.model, source, config=config, weights=weights.language, **loading
    )
    vision = part_config(SiglipVisionConfig, tower.config, tower.folder or where)
    vision.vision_use_head = False
    loaded = load_pretrained(
        SiglipVisionModel, source, config=vision, weights=weights.tower, dtype=dtype
    )
    scales = _scales(source, int(vision.image_size))
    processor: Any = SiglipImageProcessorPil()
    if tower.folder is not None and (tower.folder / "preprocessor_config.json").is_file():
        processor = load_image_processor(tower.folder)
    aspect = options["image_aspect"]
    preprocessing = Preprocessing(
        tokenizer=tokenizer,
        conversation=Conversation(end=base.end, system=SYSTEM),
        end=end,
        score_eos=bool(options["score_eos"]),
        processor=processor,
        pad=aspect == "pad"
        or (aspect == "auto" and source.config.get("image_aspect_ratio") == "pad"),
        scales=scales,
    )
    context = config.max_position_embeddings
    if trained := source.config.get("tokenizer_model_max_length"):
        context = min(context, trained)
    projector = _projector(source, weights.projector, int(vision.hidden_size) * len(scales), dtype)
    return BunnyModel(
        language,
        loaded,
        projector,
        preprocessing=preprocessing,
        context=options.get("context") or context,
        features_key=features_key,
    )


def _sorted_out(source: Checkpoint, tower: Tower) -> _Weights:
    """Return the tensors of all parts; the tower's pooling head, which nothing uses, is left."""
    sorted_weights = _Weights({}, {}, {})
    for name, tensor in iterate_tensors(source):
        if name.startswith(_PROJECTOR):
            sorted_weights.projector[name.removeprefix(_PROJECTOR)] = tensor
        elif name.startswith(OWN):
            if tower.weights is None:
                sorted_weights.tower[name.removeprefix(OWN)] = tensor
        else:
            sorted_weights.language[name] = tensor
    if tower.weights is not None:
        for name, tensor in iterate_tensors(tower.weights):
            if name.startswith("vision_model."):
                sorted_weights.tower[name.removeprefix("vision_model.")] = tensor
    sorted_weights.tower = {
        name: tensor
        for name, tensor in sorted_weights.tower.items()
        if not name.startswith("head.")
    }
    return sorted_weights


def _fit(weights: dict[str, Tensor], config: Any, words: int, *, bias: bool) -> None:
    """Do to the language model's weights what the original does after loading them.

    Args:
        weights: Changed in place.
        config: Its ``vocab_size`` is set to what remains.
        words: Length of the tokenizer; longer tables are cut to it.
        bias: Whether transformers' output layer has a bias; Bunny's has none.
    """
    for name in ("model.embed_tokens.weight", "lm_head.weight"):
        if name in weights:
            weights[name] = weights[name][:words]
            config.vocab_size = len(weights[name])
    if bias and "lm_head.weight" in weights:
        head = weights["lm_head.weight"]
        weights["lm_head.bias"] = head.new_zeros(len(head))


def _scales(source: Checkpoint, tile: int) -> tuple[int, ...]:
    """Return the sizes in pixels at which an image is looked at, smallest first.

    Raises:
        UserError: when a scale is not a multiple of the tower's size.
    """
    if not source.config.get("use_s2"):
        return (tile,)
    text = str(source.config.get("s2_scales") or _SCALES)
    try:
        scales = tuple(sorted(int(one) for one in text.split(",")))
    except ValueError:
        scales = ()
    if not scales or scales[0] != tile or any(scale % tile for scale in scales):
        raise UserError(
            f"s2_scales must be multiples of the tower's {tile} pixels, and the first {tile}; "
            f"they are {text!r}",
            where=source.folder / "config.json",
        )
    return scales


def _projector(
    source: Checkpoint, weights: dict[str, Tensor], inner: int, dtype: torch.dtype
) -> nn.Module:
    """Return the connector: ``linear``, or ``mlpNx_gelu``, N linear layers with GELU between.

    Args:
        source: The checkpoint.
        weights: The connector's, under its own names.
        inner: Width of the tower's features.
        dtype: dtype of the result.

    Raises:
        UserError: for another kind, or tensors that do not fit it.
    """
    kind = str(source.config.get("mm_projector_type") or "linear")
    depth = re.fullmatch(r"mlp(\d+)x_gelu", kind)
    if kind != "linear" and depth is None:
        raise UserError(
            f"mm_projector_type {kind!r} is not supported",
            where=source.folder / "config.json",
            fix="linear and mlpNx_gelu are supported",
        )
    outer = int(source.config["hidden_size"])
    made: nn.Module = nn.Linear(inner, outer)
    if depth is not None:
        layers: list[nn.Module] = [made]
        for _ in range(1, int(depth[1])):
            layers += [nn.GELU(), nn.Linear(outer, outer)]
        made = nn.Sequential(*layers)
    expected = made.state_dict()
    check_loaded(
        [f"{_PROJECTOR}{name}" for name in expected.keys() - weights.keys()],
        [f"{_PROJECTOR}{name}" for name in weights.keys() - expected.keys()],
        source.folder,
    )
    try:
        made.load_state_dict(weights)
    except RuntimeError as error:
        raise UserError(
            f"the projector does not fit the config: {str(error).splitlines()[-1].strip()}",
            where=source.folder,
        ) from None
    return made.to(dtype).eval()
