"""Tiny random Bunny checkpoints in the original format, and logits by their parts alone."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"

WIDTH, VISION, TILE = 64, 32, 28
OWN = "model.vision_tower.vision_tower.vision_model."
TEXT = ["A chat between a curious user and an assistant. USER: who? ASSISTANT: two men"] * 3


@pytest.fixture(autouse=True)
def _weights_stay(no_gradients: None) -> None:
    """Nothing here trains but what says so."""


@pytest.fixture
def tiny(tmp_path: Path) -> Callable[..., Path]:
    """A maker of checkpoints: a base, S2 or not, and what else the config should say."""

    def make(base: str, *, s2: bool = False, extra_words: int = 0, **config: Any) -> Path:
        folder = tmp_path / f"{base}-{s2}"
        folder.mkdir()
        _save_tokenizer(folder, base)
        _save(folder, base, s2, extra_words, config)
        return folder

    return make


def _save_tokenizer(folder: Path, base: str) -> None:
    from tokenizers import ByteLevelBPETokenizer
    from tokenizers.processors import TemplateProcessing
    from transformers import PreTrainedTokenizerFast

    special = ["<|begin_of_text|>", "<|end_of_text|>", "<|eot_id|>", "<|endoftext|>"]
    trained = ByteLevelBPETokenizer()
    trained.train_from_iterator(TEXT, vocab_size=300, min_frequency=2, special_tokens=special)
    inner = trained._tokenizer
    make: Any = PreTrainedTokenizerFast
    if base == "llama":
        inner.post_processor = TemplateProcessing(
            single=f"{special[0]} $A", special_tokens=[(special[0], 0)]
        )
        tokenizer = make(tokenizer_object=inner, bos_token=special[0], eos_token=special[2])
    else:
        tokenizer = make(tokenizer_object=inner, bos_token=special[3], eos_token=special[3])
    tokenizer.save_pretrained(folder)


def _save(folder: Path, base: str, s2: bool, extra_words: int, config: dict[str, Any]) -> None:
    import torch
    import transformers as library
    from safetensors.torch import save_file

    transformers: Any = library
    tokenizer = transformers.PreTrainedTokenizerFast.from_pretrained(folder)
    shared: dict[str, Any] = {
        "hidden_size": WIDTH,
        "intermediate_size": 96,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "vocab_size": len(tokenizer) + extra_words,
        "max_position_embeddings": 1024,
    }
    torch.manual_seed(0)
    if base == "llama":
        shared |= {"num_key_value_heads": 2, "rms_norm_eps": 1e-5, "rope_theta": 500000.0}
        language = transformers.LlamaForCausalLM(
            transformers.LlamaConfig.from_dict(shared | {"initializer_range": 0.2})
        )
    else:
        shared |= {"partial_rotary_factor": 0.4, "layer_norm_eps": 1e-5, "hidden_act": "gelu_new"}
        language = transformers.PhiForCausalLM(
            transformers.PhiConfig.from_dict(shared | {"initializer_range": 0.2})
        )
    vision = {
        "hidden_size": VISION,
        "intermediate_size": 48,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "image_size": TILE,
        "patch_size": 14,
    }
    tower = transformers.SiglipVisionModel(transformers.SiglipVisionConfig(**vision))
    inner = VISION * (3 if s2 else 1)
    weights = {
        name: tensor for name, tensor in language.state_dict().items() if name != "lm_head.bias"
    }
    weights |= {OWN + name: tensor for name, tensor in tower.state_dict().items()}
    for layer, size in ((0, inner), (2, WIDTH)):
        weights[f"model.mm_projector.{layer}.weight"] = torch.randn(WIDTH, size) * 0.2
        weights[f"model.mm_projector.{layer}.bias"] = torch.randn(WIDTH) * 0.2
    save_file(
        {name: tensor.contiguous() for name, tensor in weights.items()},
        folder / "model.safetensors",
    )
    entries = {
        "model_type": f"bunny-{base}",
        "auto_map": {"AutoConfig": "configuration_bunny.BunnyConfig"},
        "image_aspect_ratio": "pad",
        "mm_hidden_size": inner,
        "mm_projector_type": "mlp2x_gelu",
        "mm_vision_tower": "siglip-tiny",
        "tokenizer_model_max_length": 1024,
        "unfreeze_vision_tower": True,
        "torch_dtype": "float32",
        "rope_scaling": None,
        **shared,
        **({"use_s2": True, "s2_scales": f"{TILE},{2 * TILE},{3 * TILE}"} if s2 else {}),
        **config,
    }
    (folder / "config.json").write_text(json.dumps(entries))
    (folder / "siglip-tiny").mkdir()
    (folder / "siglip-tiny" / "config.json").write_text(
        json.dumps(vision | {"model_type": "siglip_vision_model"})
    )
    transformers.SiglipImageProcessorPil(size={"height": TILE, "width": TILE}).save_pretrained(
        folder / "siglip-tiny"
    )
