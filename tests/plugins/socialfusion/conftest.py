"""Tiny random checkpoints: an open_clip encoder, a byte-level tokenizer, a Llama, a saved model."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from harness.samples.images import LoadedImage

os.environ["HF_HUB_OFFLINE"] = "1"

TEXT = ["what is this? a cat. a dog, a fish!", "Answer: two people talking", "yes no maybe"] * 3


def _save_encoder(folder: Path) -> None:
    import torch
    from open_clip.model import CLIP
    from safetensors.torch import save_file

    vision = {"image_size": 16, "patch_size": 4, "width": 16, "layers": 3, "head_width": 8}
    text = {"context_length": 8, "vocab_size": 16, "width": 16, "heads": 2, "layers": 1}
    model = {"embed_dim": 8, "vision_cfg": vision, "text_cfg": text}
    torch.manual_seed(0)
    folder.mkdir()
    weights = CLIP(**model).state_dict()
    save_file(weights, folder / "open_clip_model.safetensors")
    mean = {"mean": [0.5] * 3, "std": [0.5] * 3, "interpolation": "bicubic"}
    config = {"model_cfg": model, "preprocess_cfg": {**mean, "resize_mode": "squash"}}
    (folder / "open_clip_config.json").write_text(json.dumps(config))


def _save_language_model(folder: Path) -> None:
    import torch
    from tokenizers import ByteLevelBPETokenizer
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    trained = ByteLevelBPETokenizer()
    special = ["<pad>", "<bos>", "<eos>"]
    trained.train_from_iterator(TEXT, vocab_size=300, min_frequency=2, special_tokens=special)
    make: Any = PreTrainedTokenizerFast
    tokenizer = make(
        tokenizer_object=trained._tokenizer,
        **{f"{name}_token": f"<{name}>" for name in ("pad", "bos", "eos")},
    )
    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        max_position_embeddings=160,
        initializer_range=0.3,
        pad_token_id=0,
        bos_token_id=1,
        eos_token_id=2,
    )
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with encoder, language_model and saved, whose adapters are not zero."""
    import torch
    from harness_socialfusion import checkpoint
    from harness_socialfusion.settings import ConnectorSettings, FusionSettings, LoraSettings, Part

    root = tmp_path_factory.mktemp("parts")
    _save_encoder(root / "encoder")
    _save_language_model(root / "language_model")
    settings = FusionSettings(
        encoder=Part(id="local-dir:../encoder"),
        language_model=Part(id="../language_model"),
        connector=ConnectorSettings(hidden=24),
        prompt_format="answer_line",
    )
    (root / "saved").mkdir()
    model = checkpoint.create(settings, base=root / "saved", lora=LoraSettings(rank=4))
    with torch.no_grad():
        for weight in model.trainable_parameters():
            weight.add_(torch.randn_like(weight) * 0.1)
    checkpoint.save(model, root / "saved")
    return root


@pytest.fixture
def root(built: Path, tmp_path: Path) -> Path:
    """The same, free to be damaged."""
    return Path(shutil.copytree(built, tmp_path / "parts"))


@pytest.fixture(scope="session")
def model(built: Path) -> Any:
    from harness_socialfusion import checkpoint

    return checkpoint.load(built / "saved").eval()


@pytest.fixture(scope="session")
def pictures() -> list[LoadedImage]:
    chance = np.random.default_rng(0)
    collected = []
    for number in range(6):
        pixels = Image.fromarray(chance.integers(0, 255, (20, 24, 3), dtype=np.uint8))
        collected.append(LoadedImage(pixels, str(number), f"key{number}", 24, 20))
    return collected
