"""Tiny encoders of both formats, and pictures."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from harness_demo_world.weights import folder
from PIL import Image

from harness.samples.images import LoadedImage

os.environ["HF_HUB_OFFLINE"] = "1"

WORDS = ["a photo of a happy person", "a photo of an angry child", "two people talking"] * 3


@pytest.fixture(scope="session")
def original() -> Path:
    """The demo world's encoder, in open_clip's format."""
    return folder("encoder")


@pytest.fixture
def copy(original: Path, tmp_path: Path) -> Path:
    """The same, free to be damaged."""
    return Path(shutil.copytree(original, tmp_path / "encoder"))


@pytest.fixture(scope="session")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """A tiny random CLIP, SigLIP or SigLIP 2 as ``save_pretrained`` writes it."""
    made: dict[str, Path] = {}

    def make(kind: str) -> Path:
        if kind not in made:
            made[kind] = tmp_path_factory.mktemp(kind)
            _save(kind, made[kind])
        return made[kind]

    return make


@pytest.fixture(scope="session")
def pictures() -> list[LoadedImage]:
    chance = np.random.default_rng(0)
    found = []
    for number, size in enumerate(((24, 20), (40, 40), (16, 60), (33, 21))):
        noise = chance.integers(0, 255, (6, 6, 3), dtype=np.uint8)
        pixels = Image.fromarray(noise).resize(size)
        found.append(LoadedImage(pixels, str(number), f"key{number}", *size))
    return found


def _save(kind: str, place: Path) -> None:
    import torch
    import transformers as library
    from tokenizers import ByteLevelBPETokenizer
    from tokenizers.processors import TemplateProcessing

    transformers: Any = library
    trained = ByteLevelBPETokenizer()
    special = ["<pad>", "<bos>", "<eos>", "<unk>", "<mask>"]
    trained.train_from_iterator(WORDS, vocab_size=300, min_frequency=2, special_tokens=special)
    inner = trained._tokenizer
    inner.post_processor = TemplateProcessing(
        single="<bos> $A <eos>" if kind == "clip" else "$A <eos>",
        special_tokens=[("<bos>", 1), ("<eos>", 2)],
    )
    names = {f"{name}_token": f"<{name}>" for name in ("pad", "bos", "eos", "unk", "mask")}
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=inner, **names)
    tokenizer.model_max_length = 48
    tokenizer.save_pretrained(place)
    sizes = {
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "initializer_range": 0.3,
    }
    text = {"vocab_size": 300, "max_position_embeddings": 48, "projection_size": 32, **sizes}
    text |= {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    vision = {"patch_size": 8, **sizes}
    names_ = {"clip": "CLIP", "siglip": "Siglip", "siglip2": "Siglip2"}
    name = names_[kind]
    vision |= {"num_patches": 16} if kind == "siglip2" else {"image_size": 32}
    torch.manual_seed(0)
    config = getattr(transformers, f"{name}Config")(text_config=text, vision_config=vision)
    model = getattr(transformers, f"{name}Model")(config)
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    model.save_pretrained(place)
    if kind == "siglip2":
        processor = transformers.Siglip2ImageProcessorPil(patch_size=8, max_num_patches=16)
    else:
        square = {"height": 32, "width": 32}
        processor = getattr(transformers, f"{name}ImageProcessorPil")(
            size={"shortest_edge": 32} if kind == "clip" else square,
            **({"crop_size": square} if kind == "clip" else {}),
        )
    processor.save_pretrained(place)
