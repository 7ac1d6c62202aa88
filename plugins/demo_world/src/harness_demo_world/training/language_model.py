"""Pre-training of the tiny language model on generated text."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import torch
from transformers import LlamaConfig, LlamaForCausalLM

from harness_demo_world.training import corpus, tokens
from harness_demo_world.training.schedule import Optimiser

if TYPE_CHECKING:
    from pathlib import Path

    from tokenizers import Tokenizer


@dataclass(frozen=True, slots=True)
class LanguageSettings:
    """Size of the model and length of its training."""

    width: int = 192
    layers: int = 4
    heads: int = 4
    inner: int = 512
    context: int = 512
    lines: int = 60_000
    batch: int = 64
    steps: int = 500
    rate: float = 2e-3


def build(settings: LanguageSettings, vocabulary: int) -> LlamaForCausalLM:
    """Return the untrained model."""
    config = LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=settings.width,
        intermediate_size=settings.inner,
        num_hidden_layers=settings.layers,
        num_attention_heads=settings.heads,
        num_key_value_heads=settings.heads,
        max_position_embeddings=settings.context,
        tie_word_embeddings=True,
        bos_token_id=tokens.BOS_ID,
        eos_token_id=tokens.EOS_ID,
        pad_token_id=tokens.PAD_ID,
        attn_implementation="sdpa",
    )
    return LlamaForCausalLM(config)


def _batch(made: Tokenizer, texts: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
    """Return ids (B, T) and labels (B, T) with -100 on padding."""
    rows = [[tokens.BOS_ID, *made.encode(text).ids, tokens.EOS_ID] for text in texts]
    longest = max(map(len, rows))
    ids = torch.full((len(rows), longest), tokens.PAD_ID)
    labels = torch.full((len(rows), longest), -100)
    for place, row in enumerate(rows):
        ids[place, : len(row)] = torch.tensor(row)
        labels[place, : len(row)] = torch.tensor(row)
    return ids, labels


def train(settings: LanguageSettings, seed: int, folder: Path) -> dict[str, Any]:
    """Train tokenizer and model from nothing, save both under `folder`, return the record."""
    start = time.perf_counter()
    texts = corpus.lines(seed, settings.lines)
    made = tokens.learn(texts)
    tokens.save(made, folder, settings.context, end=False)
    torch.manual_seed(seed)
    model = build(settings, made.get_vocab_size())
    optimiser = Optimiser(model.named_parameters(), settings.rate, settings.steps)
    order = torch.Generator().manual_seed(seed)
    losses: list[float] = []
    for step in range(settings.steps):
        chosen = torch.randint(len(texts), (settings.batch,), generator=order).tolist()
        ids, labels = _batch(made, [texts[index] for index in chosen])
        with torch.autocast("cpu", torch.bfloat16):
            loss = model(input_ids=ids, attention_mask=(labels != -100).long(), labels=labels).loss
        loss.backward()
        optimiser.step()
        if step % 50 == 0 or step == settings.steps - 1:
            losses.append(round(float(loss.detach()), 4))
    model.half().save_pretrained(folder)
    return {
        "settings": asdict(settings),
        "vocabulary": made.get_vocab_size(),
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "losses_every_50": losses,
        "seconds": round(time.perf_counter() - start, 1),
    }
