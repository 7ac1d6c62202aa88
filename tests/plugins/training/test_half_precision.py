"""Weights that are stored with half the digits train with all of them."""

from __future__ import annotations

import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from harness_training.module import Item, TrainingModule
from harness_training.weights import Trained, chosen_parts, keep_whole_numbers, prepare, weights
from safetensors.torch import load_file, save_file

from harness.models import Runtime
from harness.requests import Turn
from harness.training import Recipe
from tests.plugins.training.test_losses_of_models import (
    ASKED,
    CHECKPOINTS,
    built,
    bunny,
    hf_vlm,
    llava,
    qwen3_vl,
    qwen_vl,
    socialfusion,
)
from tests.plugins.training.test_train import train

__all__ = ["built"]
pytestmark = pytest.mark.torch


@pytest.fixture
def halved(tmp_path: Path) -> Path:
    """A LLaVA checkpoint that is stored in bfloat16."""
    root = Path(shutil.copytree(CHECKPOINTS / "llava15_hf_tiny", tmp_path / "llava"))
    tensors = load_file(root / "model.safetensors")
    halves = {name: value.bfloat16() for name, value in tensors.items()}
    save_file(halves, root / "model.safetensors", metadata={"format": "pt"})
    config = (root / "config.json").read_text()
    (root / "config.json").write_text(config.replace('"float32"', '"bfloat16"'))
    return root


@pytest.mark.parametrize("precision", ["bfloat16", "float32"])
def test_updates_of_a_millionth_survive(
    halved: Path, faces: Path, tmp_path: Path, precision: str
) -> None:
    ask = ["train", "--model", "llava", "-o", f"path={halved}", "--recipe", "ft", "--tasks"]
    ask += ["raf_db", "--data", f"raf_db={faces}", "--limit", "4", "--batch-size", "4"]
    ask += ["--train-parts", "connector", "--device", "cpu", "--precision", precision]
    assert train(*ask, "--learning-rate", "1e-8", "--warmup", "0", "--out", "out") == 0
    before = load_file(halved / "model.safetensors")
    seen = 0
    for name, weight in load_file(tmp_path / "out" / "connector.safetensors").items():
        stored = next(value for key, value in before.items() if key.endswith(name)).float()
        if name.endswith("weight"):
            seen += 1
            assert weight.dtype == torch.float32
            change = (weight - stored).abs() / stored.abs()
            assert 0 < float(change.nanmedian()) < 1e-5
            assert torch.equal(weight.bfloat16(), stored.bfloat16())
    assert seen == 2
    record = json.loads((tmp_path / "out" / "train.json").read_text())
    frozen = "bfloat16" if precision == "bfloat16" else "float32"
    wanted = {"trained": ["float32"], "frozen": [frozen], "computed": precision}
    assert record["dtypes"] == wanted


@pytest.mark.parametrize("make", [socialfusion, llava, bunny, qwen_vl, qwen3_vl, hf_vlm])
@pytest.mark.parametrize("parts", ["auto", "full"])
def test_every_model_trains_whole_weights_among_halved_ones(
    make: Any, parts: str, built: Path, tmp_path: Path
) -> None:
    if make is socialfusion and parts == "auto":
        parts = "connector"  # the saved adapter is kept apart from weights with half the digits
    losses = []
    for precision in ("float32", "bfloat16"):
        folder = tmp_path / precision
        folder.mkdir()
        runtime = Runtime(device="cpu", dtype=precision)
        model: Any = make(built, folder).load_model(runtime)
        trained = Trained(chosen_parts(model, parts), rank=2)
        prepare(model, trained)
        keep_whole_numbers(model, trained)
        question, images, answer = ASKED[0]
        joint = model.prompt((Turn("user", question, images),), (answer,))
        keys = tuple(image.key for image in images)
        item = Item("0", joint.prefix, joint.options[0], keys, partial(tuple, images))
        module = TrainingModule(model, None, precision).train()
        logprobs, mask = module([item])
        loss = Recipe().loss(logprobs, mask, torch.ones(1))
        torch.autograd.backward(loss)
        entries = [weight for _, _, weight in weights(model, trained)]
        assert {weight.dtype for weight in entries} == {torch.float32}
        assert any(weight.grad is not None and weight.grad.any() for weight in entries)
        losses.append(float(loss.detach()))
    assert losses[1] == pytest.approx(losses[0], rel=0.05)
