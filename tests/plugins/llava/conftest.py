"""Tiny checkpoints of every kind, pictures, and logits of a chat."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"

SHARED = Path(__file__).parents[2] / "conformance" / "checkpoints"
HF = SHARED / "llava15_hf_tiny"
TOKENIZER = ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")
IMAGE_ID = 384  # in the tokenizer of the tiny checkpoint in transformers' format
TEMPLATE = (
    "{% for m in messages %}{{ m.role.upper() }}: {% for c in m.content %}"
    "{% if c.type == 'image' %}<image>\n{% else %}{{ c.text }} {% endif %}{% endfor %}"
    "{% endfor %}{% if add_generation_prompt %}ASSISTANT:{% endif %}"
)


@pytest.fixture(autouse=True)
def _weights_stay(no_gradients: None) -> None:
    """Nothing here trains but what says so."""


@pytest.fixture(scope="session")
def tiled(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A tiny LLaVA-NeXT or LLaVA-OneVision in transformers' format, as ``save_pretrained`` does."""
    made: dict[str, Path] = {}

    def make(kind: str) -> Path:
        if kind not in made:
            made[kind] = tmp_path_factory.mktemp(kind)
            _save(kind, made[kind])
        return made[kind]

    return make


def _save(kind: str, folder: Path) -> None:
    import torch
    import transformers as library

    transformers: Any = library

    next_ = kind == "llava_next"
    sizes = {"hidden_size": 32, "intermediate_size": 48, "num_attention_heads": 4}
    text: dict[str, Any] = {
        "model_type": "llama" if next_ else "qwen2",
        "vocab_size": 386,
        "num_hidden_layers": 2,
        "num_key_value_heads": 2,
        "max_position_embeddings": 1024,
        "initializer_range": 0.2,
        "tie_word_embeddings": not next_,
    }
    vision: dict[str, Any] = {
        "model_type": "clip_vision_model" if next_ else "siglip_vision_model",
        "image_size": 16,
        "patch_size": 4,
        "num_hidden_layers": 3,
    }
    grid = [[16, 32], [32, 16], [32, 32], [16, 64], [64, 64]]
    config_class = transformers.LlavaNextConfig if next_ else transformers.LlavaOnevisionConfig
    config = config_class(
        vision_config=vision | sizes,
        text_config=text | sizes,
        image_grid_pinpoints=grid,
        image_token_index=IMAGE_ID,
        vision_feature_layer=-2 if next_ else -1,
        vision_feature_select_strategy="default" if next_ else "full",
        **({} if next_ else {"vision_aspect_ratio": "anyres_max_2"}),
    )
    model_class: Any = (
        transformers.LlavaNextForConditionalGeneration
        if next_
        else transformers.LlavaOnevisionForConditionalGeneration
    )
    torch.manual_seed(0)
    model = model_class(config)
    torch.nn.init.normal_(model.model.image_newline)
    model.save_pretrained(folder)
    processor: Any = (
        transformers.LlavaNextImageProcessorPil(
            size={"shortest_edge": 16},
            crop_size={"height": 16, "width": 16},
            image_grid_pinpoints=grid,
        )
        if next_
        else transformers.LlavaOnevisionImageProcessorPil(
            size={"height": 16, "width": 16}, image_grid_pinpoints=grid
        )
    )
    processor.save_pretrained(folder)
    for name in TOKENIZER:
        shutil.copy(HF / name, folder)
    (folder / "chat_template.json").write_text(json.dumps({"chat_template": TEMPLATE}))
