"""A random LLaVA of the size that others measured, and the requests of the benchmarks.

CLIP tower 384 x 8 layers at 224 px in patches of 16 (196 positions), Llama 512 x 8 with 8192
tokens; words are tokens.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn
from transformers import CLIPVisionConfig, CLIPVisionModel, LlamaConfig, LlamaForCausalLM

from harness.engine.contract import IMAGE, VisionLanguageModel
from harness.engine.tokenize import Ids, Joint, tokenize_jointly
from harness.requests import Choose, Generate, Request, Turn
from harness.samples.images import LoadedImage

VOCABULARY = 8192


class RandomLlava(VisionLanguageModel):
    """The random model; words are tokens.

    Args:
        heads: Attention heads of the language model, 64 wide each; the tower has three quarters
            of them.
        layers: Layers of the tower and of the language model, each.
        patch: Side of a patch in pixels; there are (224 / patch)^2 positions.
        dtype: Dtype of the weights.
    """

    def __init__(
        self,
        heads: int = 8,
        layers: int = 8,
        patch: int = 16,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        torch.manual_seed(0)
        width, seen = 64 * heads, 48 * heads
        tower: Any = CLIPVisionModel(
            CLIPVisionConfig(
                hidden_size=seen,
                intermediate_size=4 * seen,
                num_hidden_layers=layers,
                num_attention_heads=max(1, 3 * heads // 4),
                image_size=224,
                patch_size=patch,
            )
        )
        self.tower = tower.eval().to(dtype)
        projector = nn.Sequential(nn.Linear(seen, width), nn.GELU(), nn.Linear(width, width))
        self.projector = projector.to(dtype)
        language_model: Any = LlamaForCausalLM(
            LlamaConfig(
                vocab_size=VOCABULARY,
                hidden_size=width,
                intermediate_size=11 * width // 4,
                num_hidden_layers=layers,
                num_attention_heads=heads,
                max_position_embeddings=2048,
                initializer_range=0.05,
            )
        )
        self.language_model = language_model.eval().to(dtype)
        self.context, self.ends = 2048, frozenset({2})

    def prompt(self, turns: Sequence[Turn], options: Sequence[str]) -> Joint:
        text = f"USER: \0 {turns[0].text} ASSISTANT:"
        joint = tokenize_jointly(word_ids, text, [f" {option}" for option in options])
        ids = (1, *(IMAGE if token == 0 else token for token in joint.prefix))
        return Joint(ids, joint.options)

    def decode(self, ids: Ids) -> str:
        return " ".join(map(str, ids))

    def encode(self, images: Sequence[LoadedImage]) -> list[Tensor]:
        pixels = np.stack([np.asarray(image.pixels, dtype=np.float32) for image in images])
        scaled = torch.from_numpy(pixels / 127.5 - 1).permute(0, 3, 1, 2).to(self.tower.dtype)
        return list(self.tower(scaled).last_hidden_state[:, 1:])

    def connect(self, features: Sequence[Tensor]) -> list[Tensor]:
        return list(self.projector(torch.stack(list(features))))


def word_ids(text: str) -> list[int]:
    """Return a token for each word; an image's mark is 0."""
    return [
        0 if word == "\0" else 3 + int(hashlib.md5(word.encode()).hexdigest()[:6], 16) % 8000  # noqa: S324
        for word in text.split()
    ]


def drawn_images(count: int) -> list[LoadedImage]:
    """Return random images."""
    chance = np.random.default_rng(0)
    images = []
    for number in range(count):
        pixels = Image.fromarray(chance.integers(0, 255, (224, 224, 3), dtype=np.uint8))
        images.append(LoadedImage(pixels, str(number), f"image{number}", 224, 224))
    return images


SUBJECTS = (
    "Looking at the person in this picture , ",
    "Thinking of how people would see the person shown here , ",
    "From the face and the clothes in the photograph , ",
)
MATTERS = (
    ("which of these kinds of work is the most likely for the person on an ordinary day ?", 0),
    ("which word says best how friendly the person seems to somebody met for the first time ?", 1),
    ("how much would a bank trust the person with the money of other people in a crisis ?", 2),
    (
        "which of the following schools did the person visit for the longest part of their youth ?",
        3,
    ),
    ("what would the neighbours say when they are asked about the person behind the door ?", 4),
    ("which of these feelings is to be seen in the face of the person at this very moment ?", 5),
    ("how would the person answer when a stranger in the street asks for help with a map ?", 6),
    ("which of these places is the one where the person most likely spends the evening ?", 7),
)
OPTIONS = tuple(
    (f"word{number}", f"two words{number}", f"yet another{number}", f"three such words{number}")
    for number in range(len(MATTERS))
)


def ask(image: LoadedImage, number: int, options: Sequence[str] | None = None) -> Request:
    """Return a fairness-style question; four options of 1 to 3 tokens where none are given."""
    about, (matter, at) = SUBJECTS[number // 8 % 3], MATTERS[number % 8]
    want = Choose(tuple(options or OPTIONS[at]))
    name = f"{image.key}-{number}"
    return Request(name, name, "bench", (Turn("user", about + matter, (image,)),), want)


def choices(
    images: int, questions: int = 24, options: Sequence[str] | None = None
) -> list[Request]:
    """Return questions about images."""
    return [
        ask(image, number, options) for image in drawn_images(images) for number in range(questions)
    ]


def writings(images: int, questions: int = 4, tokens: int = 8) -> list[Request]:
    """Return requests for short answers."""
    return [
        Request(choice.id, choice.sample, choice.task, choice.turns, Generate(tokens), choice.seed)
        for choice in choices(images, questions)
    ]


def matmul_speed() -> float:
    """Return this thread's speed in FLOP a CPU-second, the best of a few large products."""
    factor = torch.randn(1024, 1024)
    best = float("inf")
    for _ in range(12):
        start = time.process_time()
        for _ in range(4):
            factor @ factor
        best = min(best, time.process_time() - start)
    return 4 * 2 * 1024**3 / best


def least_work(model: RandomLlava, requests: Sequence[Request], new_tokens: int = 0) -> float:
    """Return the FLOP of distinct images once, distinct tokens once, and wanted logits once."""
    body = sum(
        weight.numel()
        for name, weight in model.language_model.model.named_parameters()
        if "embed" not in name
    )
    tower = sum(weight.numel() for weight in model.tower.parameters())
    head = model.language_model.lm_head.weight.numel()
    config = model.language_model.config
    seen: set[tuple[object, ...]] = set()
    distinct: set[tuple[object, ...]] = set()
    images = {image.key for request in requests for image in request.images}
    work = len(images) * (2 * tower * 197 + 4 * 384 * 197**2 * 8)
    for request in requests:
        options = request.want.options if isinstance(request.want, Choose) else ()
        joint = model.prompt(request.turns, options)
        start = (request.images[0].key, *joint.prefix)
        for option in joint.options or ((0,) * max(1, new_tokens),):
            tag = () if joint.options else (request.id,)
            prompt_tokens = (*start, *tag, *option[:-1])
            seen.update(prompt_tokens[:end] for end in range(2, len(prompt_tokens) + 1))
            distinct.update(
                prompt_tokens[:end] for end in range(len(start) + len(tag), len(prompt_tokens) + 1)
            )
    for path in seen:
        image = path[-1] == IMAGE
        depth = len(path) - 1 + (195 if IMAGE in path else 0)
        tokens = 196 if image else 1
        work += tokens * 2 * body
        work += (
            4
            * config.hidden_size
            * config.num_hidden_layers
            * tokens
            * (depth - 98 if image else depth)
        )
    return float(work + 2 * head * len(distinct))
