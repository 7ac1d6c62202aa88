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

FAMILIES = (
    "align", "altclip", "chinese_clip", "clipseg", "flava", "groupvit", "metaclip_2",
    "vision-text-dual-encoder",
)  # fmt: skip
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
    collected = []
    for number, size in enumerate(((24, 20), (40, 40), (16, 60), (33, 21))):
        noise = chance.integers(0, 255, (6, 6, 3), dtype=np.uint8)
        pixels = Image.fromarray(noise).resize(size)
        collected.append(LoadedImage(pixels, str(number), f"key{number}", *size))
    return collected


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
        single="$A <eos>" if kind.startswith("siglip") else "<bos> $A <eos>",
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
    if kind in FAMILIES:
        _save_family(kind, place, text, {**vision, "image_size": 32})
        return
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


def _save_family(kind: str, place: Path, text: dict[str, Any], vision: dict[str, Any]) -> None:
    """Write a tiny random checkpoint as the originals are written, FLAVA and CLIPSeg as wholes."""
    import torch
    import transformers as library

    transformers: Any = library
    text = {key: value for key, value in text.items() if key != "projection_size"}
    parts: dict[str, Any] = {"text_config": text, "vision_config": vision, "projection_dim": 24}
    name = {
        "altclip": "AltCLIP", "chinese_clip": "ChineseCLIP", "metaclip_2": "MetaClip2",
        "clipseg": "CLIPSeg", "align": "Align", "flava": "Flava",
        "groupvit": "GroupViT", "vision-text-dual-encoder": "VisionTextDualEncoder",
    }[kind]  # fmt: skip
    ending = "Model"
    if kind == "align":
        parts["vision_config"] = {
            "image_size": 32, "width_coefficient": 0.1, "depth_coefficient": 0.1,
            "depth_divisor": 4, "hidden_dim": 24, "in_channels": [8, 4], "out_channels": [4, 8],
            "kernel_sizes": [3, 3], "strides": [1, 2], "num_block_repeats": [1, 1],
            "expand_ratios": [1, 2], "depthwise_padding": [],
        }  # fmt: skip
        parts["projection_dim"] = 4  # this image side has no projection of its own
    elif kind == "altclip":
        parts["text_config"] = {**text, "project_dim": 32}
    elif kind == "clipseg":
        ending = "ForImageSegmentation"
        parts |= {"extract_layers": [0, 1], "reduce_dim": 8, "decoder_num_attention_heads": 2,
                  "decoder_intermediate_size": 16}  # fmt: skip
    elif kind == "groupvit":
        stages = {
            "depths": [1, 1, 1],
            "num_group_tokens": [4, 2, 0],
            "num_output_groups": [4, 2, 2],
        }
        parts["vision_config"] = {**vision, **stages}
        parts["projection_intermediate_dim"] = 16
    elif kind == "vision-text-dual-encoder":
        parts["vision_config"] = {**vision, "model_type": "clip_vision_model"}
        parts["text_config"] = {**text, "model_type": "bert"}
    elif kind == "flava":
        ending = "ForPreTraining"
        names = ("hidden_size", "intermediate_size", "num_hidden_layers", "num_attention_heads")
        sizes = {key: text[key] for key in names}
        codebook = {"hidden_size": 8, "vocab_size": 16, "num_groups": 4, "num_blocks_per_group": 1}
        parts = {"text_config": text, "image_config": vision, "multimodal_config": sizes,
                 "image_codebook_config": codebook, "projection_dim": 24,
                 "hidden_size": 32}  # fmt: skip
    torch.manual_seed(0)
    model = getattr(transformers, f"{name}{ending}")(
        getattr(transformers, f"{name}Config")(**parts)
    )
    for weight in model.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    model.save_pretrained(place)
    square = {"height": 32, "width": 32}
    processors: dict[str, tuple[str, dict[str, Any]]] = {
        "align": ("EfficientNet", {"size": square}),
        "chinese_clip": ("ChineseCLIP", {"size": square, "crop_size": square}),
        "clipseg": ("ViT", {"size": square}),
        "flava": ("Flava", {"size": square, "crop_size": square}),
    }
    clip = ("CLIP", {"size": {"shortest_edge": 32}, "crop_size": square})
    processor, sizes_of = processors.get(kind, clip)
    getattr(transformers, f"{processor}ImageProcessorPil")(**sizes_of).save_pretrained(place)
