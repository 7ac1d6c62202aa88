"""The image side of a dual encoder as it is probed, released or trained."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from harness_analyses.encoders import find_encoder
from harness_analyses.features import Column
from harness_analyses.towers import Tower

from harness.cli.main import invoke, main
from harness.config.settings import load_settings
from harness.errors import UserError
from harness.evaluation.task import Task
from harness.models import Runtime
from harness.plugins import plugins
from harness.samples.images import LoadedImage
from harness.specs.catalog import load_catalog

pytestmark = pytest.mark.torch


def tower_of(name: str) -> Tower:
    settings = load_settings()
    task = Task(load_catalog(plugins().spec_folders()).task("raf_db", {}), settings)
    result = find_encoder(f"model:open_clip,{name}", settings, Runtime(device="cpu"), task)
    tower: Tower = result.load()
    return tower


@pytest.mark.parametrize(
    ("kind", "side"),
    [("clip", "vision_model"), ("siglip", "vision_model"), ("flava", "image_model")],
)
def test_a_layer_is_a_hidden_state_of_the_library(  # noqa: PLR0917
    kind: str, side: str, converted: Callable[[str], Path], pictures: list[LoadedImage],
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    import torch
    import transformers
    from transformers import AutoConfig, AutoImageProcessor

    monkeypatch.chdir(tmp_path)
    folder = converted(kind)
    name = (AutoConfig.from_pretrained(folder).architectures or [""])[0]
    model: Any = getattr(transformers, name).from_pretrained(folder).eval()
    model = getattr(model, "flava", model)
    processor: Any = AutoImageProcessor
    displayed = processor.from_pretrained(folder, backend="pil")(
        images=[picture.pixels for picture in pictures], return_tensors="pt"
    )
    with torch.inference_mode():
        states = getattr(model, side)(
            pixel_values=displayed["pixel_values"], output_hidden_states=True
        ).hidden_states
    before = 0 if kind == "siglip" else 1  # SigLIP has no class token
    tower = tower_of(f"path={folder}")
    assert tower.layers == (0, 1)
    for layer in tower.layers:
        column = Column(layer, "mean")
        stacked = np.stack([picture[column] for picture in tower.features(pictures, [column])])
        expected = states[layer + 1][:, before:].mean(1).numpy()
        np.testing.assert_allclose(stacked, expected, atol=1e-5)


def test_the_tower_of_a_training_is_the_trained_one(
    pictures: list[LoadedImage], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command = ["train", "--model", "open_clip", "-o", "preset=demo", "--recipe", "contrastive"]
    command += ["--tasks", "raf_db", "--limit", "16", "--batch-size", "8", "--out", "trained"]
    assert invoke(main, [*command, "--learning-rate", "0.001", "--device", "cpu"]) == 0
    column = Column(0, "mean")
    before, after = (
        np.stack([item[column] for item in tower_of(name).features(pictures, [column])])
        for name in ("preset=demo", "preset=demo,checkpoint=trained")
    )
    assert np.abs(after - before).max() > 1e-4


def test_an_image_side_without_transformer_blocks_is_refused(
    converted: Callable[[str], Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"feature maps|no stack of transformer blocks"):
        tower_of(f"path={converted('align')}")
