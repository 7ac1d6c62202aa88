"""A random LLaVA with a frozen encoder to train, its examples, and one epoch of it."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from harness_training.loop import Optimiser, Stage, run_epoch
from harness_training.module import Item, TrainingModule
from harness_training.processes import Processes
from harness_training.settings import LEARNING_RATE, TrainingSettings
from harness_training.weights import Trained, prepare
from PIL import Image
from torch import Tensor, nn

from benchmarks._engine_models import RandomLlava, ask, drawn_images
from harness.engine.contract import VisionLanguageModel
from harness.engine.features import FeatureCache
from harness.samples.images import LoadedImage
from harness.training import Epoch, Recipe

LORA = Trained(("connector", "lora"), rank=16)


class FrozenLlava(RandomLlava):
    """The random LLaVA of the engine's benchmarks, with the parts that training asks for.

    Four neighbouring positions become one, as in connectors that merge patches.
    """

    def __init__(self, heads: int = 8, layers: int = 8) -> None:
        super().__init__(heads, layers)
        self.features_key = {"tower": [heads, layers]}

    def connect(self, features: Sequence[Tensor]) -> list[Tensor]:
        """Return each image's positions, a quarter of the tower's."""
        merged = torch.stack(list(features)).unflatten(1, (-1, 4)).mean(2)  # type: ignore[no-untyped-call]
        return list(self.projector(merged))

    def parts(self) -> dict[str, nn.Module]:
        """Return the three."""
        return {
            "vision_tower": self.tower,
            "connector": self.projector,
            "language_model": self.language_model,
        }


def examples(model: VisionLanguageModel, count: int, side: int = 640) -> list[Item]:
    """Return examples of distinct JPEG images, opened and decoded whenever they are asked for."""
    drawn = []
    for number, image in enumerate(drawn_images(count)):
        buffer = io.BytesIO()
        image.pixels.resize((side, side)).save(buffer, "JPEG", quality=90)
        request = ask(image, number)
        option = request.want.options[0]  # type: ignore[union-attr]
        joint = model.prompt(request.turns, (option,))
        answer = (*joint.options[0], model.end)
        opened = partial(_open, buffer.getvalue(), image.key)
        drawn.append(Item(str(number), joint.prefix, answer, (image.key,), opened))
    return drawn


def _open(data: bytes, key: str) -> tuple[LoadedImage, ...]:
    pixels = Image.open(io.BytesIO(data)).convert("RGB").resize((224, 224))
    np.asarray(pixels)
    return (LoadedImage(pixels, hashlib.sha256(data).hexdigest(), key, 224, 224),)


def staged(  # noqa: PLR0913  each is another setting of a training
    model: VisionLanguageModel,
    folder: Path,
    batch: int,
    features: FeatureCache | None,
    steps: int,
    *,
    device: str = "cpu",
    precision: Literal["float32", "bfloat16"] = "float32",
    trained: Trained = LORA,
) -> tuple[Stage, Optimiser]:
    """Return a training, of LoRA and connector by default, that is ready for its first epoch."""
    prepare(model, trained)
    stage = Stage(
        module=TrainingModule(model, features),
        trained=trained,
        recipe=Recipe(),
        settings=TrainingSettings(
            batch_size=batch,
            micro_batch=batch,
            device=device,
            precision=precision,
            learning_rate=LEARNING_RATE,
        ),
        folder=folder,
        steps=steps,
        report=lambda _: None,
        micro_batch=batch,
        processes=Processes(),
    )
    return stage, Optimiser(stage)


def epoch_of(items: Sequence[Item]) -> tuple[Epoch, Callable[[int, float], Item]]:
    """Return an epoch that sees every item once, and what makes its items."""
    return Epoch(range(len(items))), lambda place, _: items[place]


__all__ = ["LORA", "FrozenLlava", "epoch_of", "examples", "run_epoch", "staged"]
