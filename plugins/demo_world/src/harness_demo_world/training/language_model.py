"""Pre-training of the tiny language model on generated text."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import torch
from torch.nn import functional
from transformers import LlamaConfig, LlamaForCausalLM

from harness_demo_world.training import corpus, tokens
from harness_demo_world.training.schedule import Optimiser, portion

if TYPE_CHECKING:
    from pathlib import Path

    from tokenizers import Tokenizer


_LOG = logging.getLogger(__name__)
_BATCHES = 12


@dataclass(frozen=True, slots=True)
class LanguageSettings:
    """Size of the model and length of its training."""

    width: int = 160
    layers: int = 4
    heads: int = 4
    inner: int = 416
    context: int = 512
    lines: int = 40_000
    batch: int = 64
    steps: int = 1400
    rate: float = 1.5e-3
    caption_weight: float = 0.05


def tokenizer(settings: LanguageSettings, seed: int) -> Tokenizer:
    """Return the tokenizer of the corpus; the encoder's text tower uses it too."""
    texts = corpus.examples(seed, settings.lines)
    return tokens.learn([text + answer for text, answer in texts])


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
    )
    return LlamaForCausalLM(config)


def _batch(
    made: Tokenizer, texts: list[tuple[str, str]], weight: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return ids (B, T) and the weight (B, T) of each token in the loss.

    Answers follow from their text, captions come by chance: `weight` keeps captions from
    drowning the answers.
    """
    rows: list[tuple[list[int], int]] = []
    for text, answer in texts:
        start = [tokens.BOS_ID, *made.encode(text).ids]
        rows.append(([*start, *made.encode(answer).ids, tokens.EOS_ID], len(start)))
    longest = max(len(row) for row, _ in rows)
    ids = torch.full((len(rows), longest), tokens.PAD_ID)
    weights = torch.zeros(len(rows), longest)
    for index, (row, start_length) in enumerate(rows):
        ids[index, : len(row)] = torch.tensor(row)
        weights[index, 1 : len(row)] = weight
        weights[index, start_length : len(row)] = 1.0
    return ids, weights


def _of_like_length(
    texts: list[tuple[str, str]], batch: int, order: torch.Generator
) -> list[list[tuple[str, str]]]:
    """Return batches by chance, each of texts of about one length: less padding to compute."""
    chosen = torch.randint(len(texts), (batch * _BATCHES,), generator=order).tolist()
    ranked = sorted((texts[index] for index in chosen), key=lambda pair: len("".join(pair)))
    batches = [ranked[low : low + batch] for low in range(0, len(ranked), batch)]
    return [
        batches[position] for position in torch.randperm(len(batches), generator=order).tolist()
    ]


def train(seed: int, out: Path, workers: int, cache: Path, share: float) -> dict[str, Any]:
    """Train tokenizer and model from nothing, save both under `out`, return the record."""
    del workers, cache
    settings, folder = LanguageSettings(), out / "language_model"
    settings = replace(settings, steps=portion(settings.steps, share))
    texts = corpus.examples(seed, settings.lines)
    made = tokenizer(settings, seed)
    tokens.save(made, folder, settings.context, end=False)
    torch.manual_seed(seed)
    model = build(settings, made.get_vocab_size())
    optimiser = Optimiser(model.named_parameters(), settings.rate, settings.steps)
    order = torch.Generator().manual_seed(seed)
    losses: list[float] = []
    waiting: list[list[tuple[str, str]]] = []
    for step in range(settings.steps):
        if not waiting:
            waiting = _of_like_length(texts, settings.batch, order)
        ids, weights = _batch(made, waiting.pop(), settings.caption_weight)
        with torch.autocast("cpu", torch.bfloat16):
            # Padding is on the right, so causal attention needs no mask.
            scores = model(input_ids=ids).logits[:, :-1]
        each = functional.cross_entropy(
            scores.transpose(1, 2).float(), ids[:, 1:], reduction="none"
        )
        loss = (each * weights[:, 1:]).sum() / weights[:, 1:].sum()
        torch.autograd.backward(loss)
        optimiser.step()
        if step % 50 == 0 or step == settings.steps - 1:
            losses.append(round(float(loss.detach()), 4))
            _LOG.info("language model step %d: loss %s", step, losses[-1])
    halved: Any = model
    halved.half().save_pretrained(folder)
    return {
        "settings": asdict(settings),
        "vocabulary": made.get_vocab_size(),
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "losses_every_50": losses,
    }
