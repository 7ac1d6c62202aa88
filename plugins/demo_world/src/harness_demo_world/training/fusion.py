"""SocialFusion's connector and LoRA, trained on the training splits of all tasks."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from harness.requests import Turn
from harness_socialfusion.checkpoint import create, save
from harness_socialfusion.settings import ConnectorSettings, LoraSettings, Part
from harness_socialfusion.settings import FusionSettings as ModelSettings

from harness_demo_world.training.encoder import prepare
from harness_demo_world.training.exercises import Exercises, collect
from harness_demo_world.training.schedule import Optimiser, portion
from harness_demo_world.training.validation import validate

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from harness_socialfusion.encoder import VisualEncoder
    from harness_socialfusion.model import SocialFusionModel
    from numpy.typing import NDArray

_A_CHUNK = 200
_LOG = logging.getLogger(__name__)

SHARES = {
    "hagridv2": 0.2,
    "pisc_fine": 0.06,
    "gazefollow": 0.26,
    "raf_db": 0.09,
    "jrdb_social": 0.06,
    "cmsc": 0.09,
    "scounter": 0.06,
    "vqav2": 0.09,
    "textvqa": 0.03,
    "mmbench": 0.04,
    "visogender": 0.02,
}
"""Share of each batch: classes are learnt within fifty steps, two numbers are not."""


@dataclass(frozen=True, slots=True)
class FusionSettings:
    """Size of what is trained, and length of the training."""

    hidden: int = 320
    merge: int = 2
    rank: int = 16
    batch: int = 100
    steps: int = 400
    rate: float = 1e-3


def start(settings: FusionSettings, seed: int, folder: Path) -> SocialFusionModel:
    """Return the untrained model of the encoder and language model that lie beside `place`."""
    parts = ModelSettings(
        encoder=Part(id="local-dir:../encoder"),
        language_model=Part(id="../language_model"),
        connector=ConnectorSettings(hidden=settings.hidden, merge=settings.merge),
        prompt_format="answer_line",
        dtype="float32",
    )
    folder.mkdir(parents=True, exist_ok=True)
    lora = LoraSettings(rank=settings.rank, alpha=2 * settings.rank)
    return create(parts, base=folder, lora=lora, seed=seed)


@torch.no_grad()
def features(encoder: VisualEncoder, pixels: Sequence[NDArray[np.uint8]]) -> torch.Tensor:
    """Return the frozen encoder's patch tokens (B, N, W) in half precision."""
    chunks = []
    for low in range(0, len(pixels), _A_CHUNK):
        chunk = torch.from_numpy(np.stack(pixels[low : low + _A_CHUNK]))
        chunks.append(encoder(prepare(chunk)).half())
    return torch.cat(chunks)


def train(seed: int, out: Path, workers: int, cache: Path, share: float) -> dict[str, Any]:
    """Train connector and LoRA, save them under `out`, return the record."""
    del workers
    settings, folder = FusionSettings(), out / "socialfusion"
    settings = replace(settings, steps=portion(settings.steps, share))
    made = collect(seed, cache, share)
    model = start(settings, seed, folder).train()
    made.seen = features(model.encoder, made.pixels)
    _LOG.info("%d images, %s", len(made.pixels), {k: len(v) for k, v in made.questions.items()})
    trained = {id(weight) for weight in model.trainable_parameters()}
    named = [(name, weight) for name, weight in model.named_parameters() if id(weight) in trained]
    optimiser = Optimiser(named, settings.rate, settings.steps)
    chance = torch.Generator().manual_seed(seed)
    losses: list[dict[str, float]] = []
    for step in range(settings.steps):
        step_losses = _step(model, settings.batch, made, chance)
        optimiser.step()
        if step % 25 == 0 or step == settings.steps - 1:
            losses.append(step_losses)
            _LOG.info("fusion step %d of %d: losses %s", step, settings.steps, step_losses)
    save(model, folder, dtype=torch.float16)
    return {
        "settings": asdict(settings),
        "shares": SHARES,
        "questions": {task: len(asked) for task, asked in made.questions.items()},
        "data": made.fingerprints,
        "trained_parameters": sum(weight.numel() for _, weight in named),
        "losses_every_25": losses,
        "validation": validate("socialfusion", folder, seed, share),
    }


def _step(
    model: SocialFusionModel,
    batch: int,
    made: Exercises,
    chance: torch.Generator,
) -> dict[str, float]:
    """Add the gradients of one mixed batch, task by task; return the loss of each task."""
    losses: dict[str, float] = {}
    for task, share in SHARES.items():
        questions = made.questions[task]
        rows = torch.randint(len(questions), (max(1, round(batch * share)),), generator=chance)
        chosen = [questions[row] for row in rows.tolist()]
        pairs = [model.pair([Turn("user", question)], answer) for _, question, answer in chosen]
        image_features = made.seen[torch.tensor([picture for picture, _, _ in chosen])]
        with torch.autocast("cpu", torch.bfloat16):
            loss = model.loss(
                image_features, [prompt for prompt, _ in pairs], [ids for _, ids in pairs]
            )
        torch.autograd.backward(loss * share)
        losses[task] = round(float(loss.detach()), 4)
    return losses
