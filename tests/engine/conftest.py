"""A tiny random language model, and prefixes of several lengths."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"

if TYPE_CHECKING:
    from harness.engine.prefixes import Prefix

WIDTH, VOCABULARY = 32, 64


@pytest.fixture(scope="session")
def model() -> Any:
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=VOCABULARY,
        hidden_size=WIDTH,
        intermediate_size=48,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=128,
        initializer_range=0.3,
    )
    made: Any = LlamaForCausalLM(config)
    return made.eval()


@pytest.fixture(scope="session")
def prefixes() -> list[Prefix]:
    import torch

    from harness.engine.prefixes import Prefix

    chance = torch.Generator().manual_seed(1)
    found = []
    for number, length in enumerate((5, 17, 1, 9, 17, 3, 11)):
        whole = torch.randn(length, WIDTH, generator=chance)
        found.append(Prefix(number, length, lambda whole=whole: whole))  # type: ignore[misc]
    return found
