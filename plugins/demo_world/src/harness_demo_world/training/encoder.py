"""Contrastive pre-training of the tiny image encoder on captions and on phrases with a place.

Two objectives share one text tower. Captions against whole images, as in CLIP, where every
caption that is true of an image counts as a positive. And phrases against the patches of one
image ("the thing the person looks at", "the hand"): the phrase must find its patch, which is
what leaves positions in the patch tokens.
"""

from __future__ import annotations

import json
import logging
import math
import time
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from open_clip.model import CLIP
from safetensors.torch import save_file
from torch.nn import functional

from harness_demo_world.drawing.gaze import SIZE
from harness_demo_world.training import language_model, tokens, words
from harness_demo_world.training.pictures import Picture, pictures
from harness_demo_world.training.schedule import Optimiser, portion
from harness_demo_world.world import frames

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from tokenizers import Tokenizer

MEAN = (0.48, 0.46, 0.41)
STD = (0.27, 0.26, 0.27)
_CONTEXT = 24
_LOG = logging.getLogger(__name__)
_SLOTS = 8


@dataclass(frozen=True, slots=True)
class EncoderSettings:
    """Size of the model, its images and the length of its training."""

    width: int = 160
    layers: int = 4
    head_width: int = 40
    patch: int = 12
    mlp_ratio: float = 3.0
    embed: int = 128
    text_width: int = 128
    text_layers: int = 2
    batch: int = 96
    steps: int = 800
    rate: float = 1e-3
    phrase_weight: float = 0.8


DRAWN = {
    "hagridv2": 34 * 500,
    "pisc": 3600,
    "gazefollow": 12_000,
    "raf_db": 7 * 900,
    "person": 8000,
    "table": 6000,
    "street": 3000,
}
"""Images drawn for this stage; more than the released training split, same training people."""

SHARES = {
    "hagridv2": 0.3,
    "pisc": 0.07,
    "gazefollow": 0.2,
    "raf_db": 0.12,
    "jrdb_social": 0.07,
    "person": 0.12,
    "table": 0.08,
    "street": 0.04,
}
"""Share of each batch: the harder a task is to read, the more."""


def config(settings: EncoderSettings, vocabulary: int) -> dict[str, Any]:
    """Return open_clip's own configuration of the model."""
    return {
        "model_cfg": {
            "embed_dim": settings.embed,
            "vision_cfg": {
                "image_size": SIZE,
                "patch_size": settings.patch,
                "width": settings.width,
                "layers": settings.layers,
                "head_width": settings.head_width,
                "mlp_ratio": settings.mlp_ratio,
                "pool_type": "avg",
                "pos_embed_type": "sin_cos_2d",
            },
            "text_cfg": {
                "context_length": _CONTEXT,
                "vocab_size": vocabulary,
                "width": settings.text_width,
                "heads": 4,
                "layers": settings.text_layers,
                "pool_type": "eos",
                "eos_id": tokens.EOS_ID,
                "pad_id": tokens.PAD_ID,
                "hf_tokenizer_name": "tokenizer.json beside this file",
            },
        },
        "preprocess_cfg": {
            "mean": list(MEAN),
            "std": list(STD),
            "interpolation": "bicubic",
            "resize_mode": "squash",
        },
    }


class _Facts:
    """Images of all tasks as tensors: pixels, true captions, and phrases with their place."""

    def __init__(self, images: Mapping[str, Sequence[Picture]], made: Tokenizer) -> None:
        everything = [picture for task in SHARES for picture in images[task]]
        self.pixels = torch.from_numpy(np.stack([picture.pixels for picture in everything]))
        self.captions: dict[str, int] = {}
        self.true = torch.full((len(everything), _SLOTS), -1)
        self.place = torch.full((len(everything), _SLOTS, 3), -1.0)
        self.rows: dict[str, tuple[int, int]] = {}
        start = 0
        for task in SHARES:
            self.rows[task] = (start, start + len(images[task]))
            start += len(images[task])
        for row, picture in enumerate(everything):
            for slot, caption in enumerate(picture.captions):
                self.true[row, slot] = self._number(caption)
            for slot, (phrase, x, y) in enumerate(picture.places):
                self.place[row, slot] = torch.tensor([self._number(phrase), x, y])
        self.texts = tokenize(made, list(self.captions))

    def _number(self, text: str) -> int:
        return self.captions.setdefault(text, len(self.captions))

    def sample(self, batch: int, chance: torch.Generator) -> torch.Tensor:
        """Return rows of a batch that mixes the tasks."""
        rows = []
        for task, share in SHARES.items():
            low, high = self.rows[task]
            rows.append(torch.randint(low, high, (round(batch * share),), generator=chance))
        return torch.cat(rows)


def tokenize(made: Tokenizer, texts: Sequence[str]) -> torch.Tensor:
    """Return ids (B, context) with begin and end tokens."""
    ids = torch.full((len(texts), _CONTEXT), tokens.PAD_ID)
    for row, text in enumerate(texts):
        ids_of_text = [
            tokens.BOS_ID,
            *made.encode(text, add_special_tokens=False).ids,
            tokens.EOS_ID,
        ]
        ids[row, : len(ids_of_text)] = torch.tensor(ids_of_text[:_CONTEXT])
    return ids


def prepare(pixels: torch.Tensor) -> torch.Tensor:
    """Return normalised images (B, 3, H, W) of pixels (B, H, W, 3) uint8."""
    images = pixels.permute(0, 3, 1, 2).float() / 255
    return (images - torch.tensor(MEAN).view(1, 3, 1, 1)) / torch.tensor(STD).view(1, 3, 1, 1)


def look(model: CLIP, images: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Return unit vectors of images (B, E) and of their patches (B, N, E)."""
    model.visual.output_tokens = True
    pooled, patches = model.visual(images)
    model.visual.output_tokens = False
    patches = patches @ model.visual.proj
    return functional.normalize(pooled.float(), dim=-1), functional.normalize(
        patches.float(), dim=-1
    )


def caption_loss(scores: torch.Tensor, true: torch.Tensor) -> torch.Tensor:
    """Return the two-way contrastive loss of scores (images, captions) with many positives.

    Every true caption must beat all false ones: it is not enough that one of them does, or a
    image would keep only the easiest of the things that can be said about it.
    """
    total = scores.new_zeros(())
    for side in (1, 0):
        wrong = scores.masked_fill(true, -1e4).logsumexp(side, keepdim=True)
        each = functional.softplus(wrong - scores) * true
        total = total + (each.sum(side) / true.sum(side).clamp(min=1)).mean() / 2
    return total


def cell(places: torch.Tensor, side: int) -> torch.Tensor:
    """Return the patch number of places (K, 2), x and y as shares, on a side x side grid."""
    at = (places.clamp(0, 0.999) * side).long()
    return at[:, 1] * side + at[:, 0]


def _loss(
    model: CLIP, facts: _Facts, rows: torch.Tensor, chance: torch.Generator, weight: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the caption loss and the weighted sum with the phrase loss of one batch."""
    true = facts.true[rows]
    picks = torch.rand(true.shape, generator=chance).masked_fill(true < 0, -1).topk(2, 1).indices
    captions = torch.unique(true.gather(1, picks))
    captions = captions[captions >= 0]
    holds = (true[:, :, None] == captions).any(1)
    places = facts.place[rows]
    picture, slot = torch.where(places[:, :, 0] >= 0)
    phrases, which = torch.unique(places[picture, slot, 0].long(), return_inverse=True)
    with torch.autocast("cpu", torch.bfloat16):
        pooled, patches = look(model, prepare(facts.pixels[rows]))
        texts = model.encode_text(facts.texts[torch.cat([captions, phrases])])
    texts = functional.normalize(texts.float(), dim=-1)
    scale = model.logit_scale.exp().clamp(max=50)
    first = caption_loss(scale * pooled @ texts[: len(captions)].T, holds)
    phrase_vectors = texts[len(captions) :][which]
    similarity = scale * torch.einsum("kd,knd->kn", phrase_vectors, patches[picture])
    side = math.isqrt(patches.shape[1])
    second = functional.cross_entropy(similarity, cell(places[picture, slot, 1:], side))
    return first, first + weight * second


def _drawn(seed: int, split: str, counts: Mapping[str, int], workers: int) -> dict[str, Any]:
    return {task: pictures(task, seed, split, count, workers) for task, count in counts.items()}


@torch.no_grad()
def validate(
    model: CLIP, made: Tokenizer, images: Mapping[str, Sequence[Picture]]
) -> dict[str, float]:
    """Return zero-shot accuracy a task, and for gaze the mean distance of the pointed patch."""
    model.eval()
    figures: dict[str, float] = {}
    for task, of_task in images.items():
        pooled, patches = [], []
        for start in range(0, len(of_task), 100):
            pixels = np.stack([picture.pixels for picture in of_task[start : start + 100]])
            vectors = look(model, prepare(torch.from_numpy(pixels)))
            pooled.append(vectors[0])
            patches.append(vectors[1])
        if task == "gazefollow":
            text = model.encode_text(tokenize(made, [words.LOOKED_AT]), normalize=True)[0]
            best = (torch.cat(patches) @ text).argmax(1)
            side = SIZE // model.visual.patch_size[0]
            point = torch.stack([(best % side + 0.5) / side, (best // side + 0.5) / side], 1)
            aim = torch.tensor([[float(value) for value in p.label.split()] for p in of_task])
            figures[task] = round(float((point - aim).norm(dim=1).mean()), 4)
            continue
        caption = {picture.label: picture.captions[0] for picture in of_task if picture.label}
        labels = sorted(caption)
        texts = model.encode_text(tokenize(made, [caption[k] for k in labels]), normalize=True)
        guess = (torch.cat(pooled) @ texts.T).argmax(1).tolist()
        hits = [labels[g] == p.label for g, p in zip(guess, of_task, strict=True) if p.label]
        figures[task] = round(sum(hits) / len(hits), 4)
    model.train()
    return figures


def train(seed: int, out: Path, workers: int, cache: Path, share: float) -> dict[str, Any]:
    """Train the encoder from nothing, save it under `out`, return the record."""
    del cache
    settings, folder = EncoderSettings(), out / "encoder"
    settings = replace(settings, steps=portion(settings.steps, share))
    made = language_model.tokenizer(language_model.LanguageSettings(), seed)
    start = time.perf_counter()
    totals = {**DRAWN, "jrdb_social": len(frames("train"))}
    counts = {task: portion(count, share, 2 * settings.batch) for task, count in totals.items()}
    facts = _Facts(_drawn(seed, "train", counts, workers), made)
    unseen_counts = {"hagridv2": 408, "pisc": 300, "gazefollow": 400, "raf_db": 420,
            "jrdb_social": 50, "person": 300, "street": 240}  # fmt: skip
    unseen = _drawn(seed, "val", unseen_counts, workers)
    drawn = time.perf_counter()
    torch.manual_seed(seed)
    setup = config(settings, made.get_vocab_size())
    model = CLIP(
        **{k: dict(v) if isinstance(v, dict) else v for k, v in setup["model_cfg"].items()}
    )
    optimiser = Optimiser(model.named_parameters(), settings.rate, settings.steps)
    chance = torch.Generator().manual_seed(seed)
    losses: list[list[float]] = []
    for step in range(settings.steps):
        rows = facts.sample(settings.batch, chance)
        first, loss = _loss(model, facts, rows, chance, settings.phrase_weight)
        torch.autograd.backward(loss)
        optimiser.step()
        if step % 50 == 0 or step == settings.steps - 1:
            losses.append([round(float(first.detach()), 4), round(float(loss.detach()), 4)])
            _LOG.info("encoder step %d: losses %s", step, losses[-1])
    figures = validate(model, made, unseen)
    save(model, setup, made, folder)
    return {
        "settings": asdict(settings),
        "pictures": {**counts, "jrdb_social": "frames"},
        "shares": SHARES,
        "parameters": sum(weight.numel() for weight in model.parameters()),
        "losses_every_50": losses,
        "zero_shot_on_unseen_people": figures,
        "drawing_seconds": round(drawn - start, 1),
    }


def save(model: CLIP, setup: Mapping[str, Any], made: Tokenizer, folder: Path) -> None:
    """Write the folder that open_clip loads as `local-dir:`; weights in half precision."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(setup, indent=2) + "\n"
    (folder / "open_clip_config.json").write_text(text, encoding="utf-8")
    state = {name: weight.half().contiguous() for name, weight in model.state_dict().items()}
    save_file(state, folder / "open_clip_model.safetensors", metadata={"format": "pt"})
    tokens.save(made, folder, _CONTEXT, end=True)
