"""Random models of full size, made on the device: shapes of released models, not their weights.

What a shape leaves out: Qwen2.5-VL's windowed vision attention and its three-part positions, and
SocialFusion's trained connector. Widths, depths, heads, vocabularies and positions are theirs.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from transformers import (
    AutoModelForCausalLM,
    CLIPVisionConfig,
    CLIPVisionModel,
    LlamaConfig,
    Qwen2Config,
)

from benchmarks._engine_models import RandomLlava, ask
from harness.requests import Choose, Generate, Request
from harness.samples.images import LoadedImage


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of a vision-language model.

    Attributes:
        tower: Width, layers, heads and inner width of the vision transformer.
        side: Side of an image in pixels.
        patch: Side of a patch; the image takes (side / patch)^2 positions in the tower.
        merge: Positions of the tower that become one of the language model.
        text: Width, layers, heads, key and value heads and inner width of the language model.
        vocabulary: Number of tokens.
        family: ``llama`` or ``qwen2``.
    """

    tower: tuple[int, int, int, int]
    side: int
    patch: int
    merge: int
    text: tuple[int, int, int, int, int]
    vocabulary: int
    family: str = "llama"

    @property
    def seen(self) -> int:
        """Positions of an image in the tower."""
        return (self.side // self.patch) ** 2

    @property
    def positions(self) -> int:
        """Positions of an image in the language model."""
        return self.seen // self.merge


FULL = {
    "LLaVA-1.5-7B": Shape((1024, 24, 16, 4096), 336, 14, 1, (4096, 32, 32, 32, 11008), 32064),
    "Qwen2.5-VL-7B": Shape(
        (1280, 32, 16, 3420), 448, 14, 4, (3584, 28, 28, 4, 18944), 152064, "qwen2"
    ),
    "SocialFusion (ViT-L, 7B)": Shape(
        (1024, 24, 16, 4096), 336, 14, 4, (4096, 32, 32, 32, 11008), 32000
    ),
}


def tiny(shape: Shape) -> Shape:
    """Return a shape with the same proportions that a CPU answers in seconds."""
    heads = max(1, shape.text[2] // 14)
    keys = heads if shape.text[2] == shape.text[3] else 1
    return replace(
        shape,
        tower=(64, 2, 1, 128),
        side=56,
        text=(64 * heads, 2, heads, keys, 128 * heads),
        vocabulary=8192,
    )


class ShapedModel(RandomLlava):
    """A model of a given shape with random weights.

    Args:
        shape: Its sizes.
        device: Where its weights are made.
        dtype: Dtype of the weights.
        attention: Attention kernel of the language model.
    """

    def __init__(
        self, shape: Shape, device: torch.device, dtype: torch.dtype, attention: str = "sdpa"
    ) -> None:
        torch.manual_seed(0)
        self.shape = shape
        width = shape.text[0]
        with _made_as(device, dtype):
            tower: Any = CLIPVisionModel(_tower_config(shape))
            self.tower = tower.eval()
            self.projector = nn.Sequential(
                nn.Linear(shape.tower[0] * shape.merge, width), nn.GELU(), nn.Linear(width, width)
            )
            auto: Any = AutoModelForCausalLM
            self.language_model = auto.from_config(
                _text_config(shape), attn_implementation=attention
            )
        self.language_model.eval()
        self.context, self.ends = 4096, frozenset()
        self.features_key = None

    def encode(self, images: Sequence[LoadedImage]) -> list[Tensor]:
        """Return what the tower says of each image ``(N, W)``."""
        pixels = np.stack([np.asarray(image.pixels, dtype=np.float32) for image in images])
        batch = torch.from_numpy(pixels / 127.5 - 1).permute(0, 3, 1, 2)
        weight = self.tower.get_input_embeddings().weight
        return list(self.tower(batch.to(weight.device, weight.dtype)).last_hidden_state[:, 1:])

    def connect(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Return each image's positions in the language model; neighbours are merged."""
        stacked = torch.stack(list(features))
        merged = stacked.reshape(len(stacked), self.shape.positions, -1)
        return list(self.projector(merged))

    def parts(self) -> dict[str, nn.Module]:
        """Return the three."""
        return {
            "vision_tower": self.tower,
            "connector": self.projector,
            "language_model": self.language_model,
        }


def images(shape: Shape, count: int) -> list[LoadedImage]:
    """Return random images of the shape's size."""
    chance = np.random.default_rng(0)
    drawn = []
    for number in range(count):
        values = chance.integers(0, 255, (shape.side, shape.side, 3), dtype=np.uint8)
        key = f"image{number}"
        drawn.append(LoadedImage(Image.fromarray(values), key, key, shape.side, shape.side))
    return drawn


def choices(
    shape: Shape, count: int, questions: int, options: Sequence[str] | None = None
) -> list[Request]:
    """Return questions about images; four options of 1 to 3 tokens where none are given."""
    return [
        ask(image, number, options) for image in images(shape, count) for number in range(questions)
    ]


def writings(shape: Shape, count: int, questions: int, tokens: int) -> list[Request]:
    """Return requests for short answers."""
    return [replace(request, want=Generate(tokens)) for request in choices(shape, count, questions)]


def least_flop(model: ShapedModel, requests: Sequence[Request], new_tokens: int = 0) -> float:
    """Return the FLOP of distinct images once, distinct tokens once, and wanted logits once.

    Attention among text positions is left out: it is under a hundredth of this.
    """
    shape = model.shape
    width, layers, _, _, _ = shape.text
    body = sum(
        weight.numel()
        for name, weight in model.language_model.model.named_parameters()
        if "embed" not in name
    )
    tower = sum(weight.numel() for weight in model.tower.parameters())
    count = len({image.key for request in requests for image in request.images})
    flop = count * (2 * tower * shape.seen + 4 * shape.tower[0] * shape.seen**2 * shape.tower[1])
    flop += count * shape.positions * (2 * body + 2 * width * layers * shape.positions)
    tokens: set[tuple[object, ...]] = set()
    logits: set[tuple[object, ...]] = set()
    for request in requests:
        options = request.want.options if isinstance(request.want, Choose) else ()
        joint = model.prompt(request.turns, options)
        start = (request.images[0].key, *joint.prefix)
        tag = () if joint.options else (request.id,)
        for option in joint.options or ((0,) * max(1, new_tokens),):
            path = (*start, *tag, *option[:-1])
            tokens.update(path[:end] for end in range(2, len(path) + 1))
            logits.update(path[:end] for end in range(len(start) + len(tag), len(path) + 1))
    flop += 2 * body * len(tokens) + 2 * width * shape.vocabulary * len(logits)
    return float(flop)


@contextmanager
def _made_as(device: torch.device, dtype: torch.dtype) -> Any:
    """Make every new tensor on a device and in a dtype."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with device:
            yield
    finally:
        torch.set_default_dtype(before)


def _tower_config(shape: Shape) -> CLIPVisionConfig:
    width, layers, heads, inner = shape.tower
    return CLIPVisionConfig(
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        intermediate_size=inner,
        image_size=shape.side,
        patch_size=shape.patch,
    )


def _text_config(shape: Shape) -> LlamaConfig | Qwen2Config:
    width, layers, heads, keys, inner = shape.text
    kind: Any = Qwen2Config if shape.family == "qwen2" else LlamaConfig
    return kind(  # type: ignore[no-any-return]
        vocab_size=shape.vocabulary,
        hidden_size=width,
        num_hidden_layers=layers,
        num_attention_heads=heads,
        num_key_value_heads=keys,
        intermediate_size=inner,
        max_position_embeddings=4096,
        initializer_range=0.05,
    )
