"""What tests of several model plugins share: pictures, and logits without the engine."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from harness.requests import Turn
from harness.samples.images import LoadedImage

os.environ["HF_HUB_OFFLINE"] = "1"


@pytest.fixture
def no_gradients() -> Iterator[None]:
    import torch

    with torch.no_grad():
        yield


@pytest.fixture(scope="session")
def picture() -> Callable[..., LoadedImage]:
    def make(width: int, height: int, seed: int = 0) -> LoadedImage:
        noise = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
        image = Image.fromarray(noise).resize((width, height), Image.Resampling.BICUBIC)
        key = f"{width}x{height}#{seed}"
        return LoadedImage(image, key, key, width, height)

    return make


@pytest.fixture(scope="session")
def logits() -> Callable[..., np.ndarray]:
    """Every logit of a chat, by the contract's own parts and nothing of the engine."""
    import torch

    def run(model: Any, turns: Sequence[Turn]) -> np.ndarray:
        ids = model.prompt(turns, ()).prefix
        images = [image for turn in turns for image in turn.images]
        with torch.inference_mode():
            inputs = model.inputs(ids, model.connect(model.encode(images)) if images else [])
            outputs = model.forward(
                inputs.embeds[None],
                mask=torch.ones(1, inputs.length, dtype=torch.long),
                positions=inputs.positions[:, None],
                cache=None,
                extras={},
            )
        return np.asarray(outputs[0].float())

    return run


@pytest.fixture(scope="session")
def shard() -> Callable[[Path, str], list[Path]]:
    """Splits a checkpoint's one file into two with an index, as ``bin`` or ``safetensors``."""
    import torch
    from safetensors.torch import load_file, save_file

    def split(folder: Path, kind: str) -> list[Path]:
        weights = load_file(folder / "model.safetensors")
        (folder / "model.safetensors").unlink()
        stem, names = "pytorch_model" if kind == "bin" else "model", sorted(weights)
        files: list[Path] = []
        placed: dict[str, str] = {}
        for at, part in enumerate((names[::2], names[1::2]), 1):
            files.append(folder / f"{stem}-0000{at}-of-00002.{kind}")
            entries = {name: weights[name] for name in part}
            (torch.save if kind == "bin" else save_file)(entries, files[-1])
            placed |= dict.fromkeys(part, files[-1].name)
        index = {"metadata": {}, "weight_map": placed}
        (folder / f"{stem}.{kind}.index.json").write_text(json.dumps(index))
        return files

    return split
