"""Tiny random models behind the engine's contract, and prompts that share much and little."""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from harness.samples.images import LoadedImage

os.environ["HF_HUB_OFFLINE"] = "1"

if TYPE_CHECKING:
    from harness.engine.prefix_tree import Prompt

WIDTH, VOCABULARY = 32, 64


def language_model(family: str = "llama") -> Any:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM, MistralConfig, MistralForCausalLM

    torch.manual_seed(0)
    families: dict[str, Any] = {
        "llama": (LlamaConfig, LlamaForCausalLM),
        "mistral": (MistralConfig, MistralForCausalLM),
    }
    configure, make = families[family]
    config = configure(
        vocab_size=VOCABULARY,
        hidden_size=WIDTH,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        initializer_range=0.3,
        **({"sliding_window": 8} if family == "mistral" else {}),
    )
    made: Any = make(config)
    return made.eval()


@pytest.fixture(scope="session")
def make_model() -> Callable[..., Any]:
    """Makes a toy: characters are tokens, an image's features are noise of its own length."""
    import torch
    from torch import Tensor

    from harness.engine.contract import IMAGE, PromptError, VisionLanguageModel
    from harness.engine.tokenize import Joint, tokenize_jointly

    class Toy(VisionLanguageModel):
        def __init__(self, family: str, features_key: Any) -> None:
            self.language_model = language_model(family)
            self.context, self.ends, self.features_key = 200, frozenset({2}), features_key
            self.encoded: list[str] = []
            self.passes: list[tuple[int, ...]] = []

        def prompt(self, turns: Any, options: Any) -> Joint:
            text = "".join("\0" * len(turn.images) + turn.text for turn in turns)
            joint = tokenize_jointly(encode, text, options)
            return Joint(
                (1, *(IMAGE if token == 3 else token for token in joint.prefix)), joint.options
            )

        def decode(self, ids: Any) -> str:
            return "".join(chr(token + 61) for token in ids)

        def encode(self, images: Any) -> list[Tensor]:
            collected = []
            for image in images:
                if image.key == "bad":
                    raise PromptError("image_rejected", "no such picture")
                self.encoded.append(image.key)
                chance = torch.Generator().manual_seed(sum(map(ord, image.key)))
                collected.append(torch.randn(20 + len(image.key) % 3, WIDTH, generator=chance))
            return collected

        def connect(self, features: Any) -> list[Tensor]:
            return list(features)

        def forward(self, embeds: Tensor, **keywords: Any) -> Tensor:
            self.passes.append(tuple(embeds.shape[:2]))
            return super().forward(embeds, **keywords)

    def encode(text: str) -> list[int]:
        return [3 if letter == "\0" else (ord(letter) - 61) % 60 + 4 for letter in text]

    def make(family: str = "llama", features_key: Any = None) -> Any:
        return Toy(family, features_key)

    return make


@pytest.fixture(scope="session")
def model(make_model: Callable[..., Any]) -> Any:
    return make_model()


@pytest.fixture(params=["llama", "mistral"], scope="session")
def any_model(make_model: Callable[..., Any], request: pytest.FixtureRequest) -> Any:
    """Attention that takes masks of our own, and attention that does not."""
    return make_model(request.param)


OPTIONS = ((5,), (5, 6), (7, 8, 9, 2), (5, 6, 11), (1, 2, 3, 4, 5, 6, 7))


@pytest.fixture
def prompts() -> list[Prompt]:
    """One question about an image, many, none, shared shots, a prompt that begins another."""
    import torch

    from harness.engine.prefix_tree import Prompt
    from harness.engine.tokenize import IMAGE

    chance = torch.Generator().manual_seed(1)
    displayed = {
        key: torch.randn(17 + at, WIDTH, generator=chance) for at, key in enumerate("abcd")
    }

    def images(keys: str) -> tuple[tuple[str, torch.Tensor], ...]:
        return tuple((key, displayed[key]) for key in keys)

    arguments = [
        ((1, IMAGE, 9, 10), "a"),
        ((1, IMAGE, 9, 11, 12, 13), "a"),
        ((1, IMAGE, 9, 11, 12, 20, 21), "a"),
        ((1, IMAGE, 9, 11), "a"),
        ((1, IMAGE), "a"),
        ((1, IMAGE, 30, 31, 32), "b"),
        ((1, 40, 41), ""),
        ((1, 40, 41, 42, 43), ""),
        ((1, IMAGE, 5, IMAGE, 6), "cd"),
        ((1, IMAGE, 5, IMAGE, 7, 8), "cd"),
        ((1, IMAGE, 5, IMAGE, 6), "ca"),
        ((1, IMAGE, 9, 10), "a"),
    ]
    return [
        Prompt(ids, images(keys), OPTIONS[: 1 + at % len(OPTIONS)])
        for at, (ids, keys) in enumerate(arguments)
    ]


@pytest.fixture(scope="session")
def images() -> list[LoadedImage]:
    chance = np.random.default_rng(0)
    pixels = [Image.fromarray(chance.integers(0, 255, (8, 8, 3), dtype=np.uint8)) for _ in range(5)]
    return [LoadedImage(image, str(at), "k" * (at + 1), 8, 8) for at, image in enumerate(pixels)]
