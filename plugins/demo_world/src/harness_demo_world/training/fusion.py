"""The last stage: SocialFusion's connector and LoRA, trained on all five training splits."""

from __future__ import annotations

import logging
import math
import time
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from harness.requests import Turn
from harness_socialfusion.checkpoint import create, load, save
from harness_socialfusion.settings import ConnectorSettings, LoraSettings, Part
from harness_socialfusion.settings import FusionSettings as ModelSettings

from harness_demo_world.training.corpus import QUESTIONS
from harness_demo_world.training.encoder import prepare
from harness_demo_world.training.pictures import Picture, pictures
from harness_demo_world.training.schedule import Optimiser
from harness_demo_world.training.validation import answer, validate
from harness_demo_world.world import COUNTS, frames

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from harness_socialfusion.encoder import VisualEncoder
    from harness_socialfusion.model import SocialFusionModel

_A_CHUNK = 200
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class FusionSettings:
    """Size of what is trained, and length of the training."""

    hidden: int = 384
    merge: int = 2
    rank: int = 16
    batch: int = 96
    steps: int = 350
    rate: float = 1e-3


SHARES = {"hagridv2": 0.22, "pisc": 0.08, "gazefollow": 0.5, "raf_db": 0.12, "jrdb_social": 0.08}
"""Share of each batch: classes are learnt within fifty steps, two numbers are not."""


def start(settings: FusionSettings, seed: int, place: Path) -> SocialFusionModel:
    """Return the untrained model of the encoder and language model that lie beside `place`."""
    parts = ModelSettings(
        encoder=Part(id="local-dir:../encoder"),
        language_model=Part(id="../language_model"),
        connector=ConnectorSettings(hidden=settings.hidden, merge=settings.merge),
        prompt_format="answer_line",
        dtype="float32",
    )
    place.mkdir(parents=True, exist_ok=True)
    lora = LoraSettings(rank=settings.rank, alpha=2 * settings.rank)
    return create(parts, base=place, lora=lora, seed=seed)


@torch.no_grad()
def features(encoder: VisualEncoder, shown: Sequence[Picture]) -> torch.Tensor:
    """Return the frozen encoder's patch tokens (B, N, W) in half precision."""
    found = []
    for low in range(0, len(shown), _A_CHUNK):
        pixels = np.stack([picture.pixels for picture in shown[low : low + _A_CHUNK]])
        found.append(encoder(prepare(torch.from_numpy(pixels))).half())
    return torch.cat(found)


def train(settings: FusionSettings, seed: int, folder: Path, workers: int) -> dict[str, Any]:
    """Train connector and LoRA on the five training splits, save them, return the record."""
    began = time.perf_counter()
    place = folder / "socialfusion"
    model = start(settings, seed, place).train()
    shown = {task: _split(task, seed, "train", workers) for task in SHARES}
    seen = {task: features(model.encoder, found) for task, found in shown.items()}
    trained = {id(weight) for weight in model.trainable_parameters()}
    named = [(name, weight) for name, weight in model.named_parameters() if id(weight) in trained]
    optimiser = Optimiser(named, settings.rate, settings.steps)
    chance = torch.Generator().manual_seed(seed)
    losses: list[dict[str, float]] = []
    for step in range(settings.steps):
        said = _step(model, settings, shown, seen, chance)
        optimiser.step()
        if step % 25 == 0 or step == settings.steps - 1:
            losses.append(said)
            _LOG.info("fusion step %d: losses %s", step, said)
    save(model, place, dtype=torch.float16)
    return {
        "settings": asdict(settings),
        "shares": SHARES,
        "trained_parameters": sum(weight.numel() for _, weight in named),
        "losses_every_25": losses,
        **measure(place, shown["gazefollow"], seed, workers),
        "seconds": round(time.perf_counter() - began, 1),
    }


def measure(
    place: Path, trained: Sequence[Picture], seed: int, workers: int
) -> dict[str, dict[str, dict[str, float]]]:
    """Return the figures of the saved model on unseen people and on the test split."""
    model = load(place)
    figures: dict[str, dict[str, dict[str, float]]] = {}
    for split, name in (("val", "on_unseen_people"), ("test", "test")):
        figures[name] = {}
        for task in SHARES:
            found = _split(task, seed, split, workers)
            figures[name][task] = validate(model, task, features(model.encoder, found), found)
            if task == "gazefollow":
                figures[name][task]["constant_guess_l2"] = _constant_guess(trained, found)
    return figures


def _constant_guess(trained: Sequence[Picture], asked: Sequence[Picture]) -> float:
    """Return the mean distance when every answer is the mean point of the training split."""
    points = [[float(part) for part in picture.label.split()] for picture in trained]
    x, y = np.mean(points, axis=0).tolist()
    aims = [[float(part) for part in picture.label.split()] for picture in asked]
    return round(sum(math.dist(aim, (x, y)) for aim in aims) / len(aims), 4)


def _split(task: str, seed: int, split: str, workers: int) -> list[Picture]:
    count = len(frames(split)) if task == "jrdb_social" else COUNTS[task].get(split, 200)
    return pictures(task, seed, split, count, workers)


def _step(
    model: SocialFusionModel,
    settings: FusionSettings,
    shown: Mapping[str, Sequence[Picture]],
    seen: Mapping[str, torch.Tensor],
    chance: torch.Generator,
) -> dict[str, float]:
    """Add the gradients of one mixed batch, task by task; return the loss of each task."""
    said: dict[str, float] = {}
    for task, share in SHARES.items():
        rows = torch.randint(len(shown[task]), (round(settings.batch * share),), generator=chance)
        turns = [Turn("user", QUESTIONS[task][0])]
        pairs = [model.pair(turns, answer(shown[task][row])) for row in rows.tolist()]
        with torch.autocast("cpu", torch.bfloat16):
            loss = model.loss(
                seen[task][rows], [prompt for prompt, _ in pairs], [ids for _, ids in pairs]
            )
        torch.autograd.backward(loss * share)
        said[task] = round(float(loss.detach()), 4)
    return said
