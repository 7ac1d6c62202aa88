"""Parts opened without their libraries: the libraries' numbers to the last bit, or left to them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from harness.models import Runtime

pytestmark = pytest.mark.torch
CPU = Runtime(device="cpu")


@pytest.fixture(scope="module")
def weights() -> Path:
    from harness_demo_world.weights import folder

    return folder()


def spoken(folder: Path, **options: Any) -> tuple[Any, Any]:
    """Return a saved model opened for answers, and as the libraries open it."""
    from harness_socialfusion.factory import SocialFusion

    model = SocialFusion({"path": str(folder), **options})
    return model._load_model(CPU, light=True), model.load_model(CPU)


@pytest.fixture(scope="module")
def both(weights: Path) -> Iterator[tuple[Any, Any]]:
    import torch

    with torch.inference_mode():
        yield spoken(weights / "socialfusion")


def is_light(model: Any) -> tuple[bool, bool]:
    """Return whether language model and encoder were opened without their libraries."""
    parts = (model.language_model, model.parts()["vision_tower"].visual)
    return tuple(type(part).__module__.startswith("harness_socialfusion.light") for part in parts)  # type: ignore[return-value]


def test_weights_names_and_identity_are_those_of_the_libraries(both: tuple[Any, Any]) -> None:
    import torch

    light, full = both
    assert is_light(light) == (True, True)
    assert is_light(full) == (False, False)
    ours, theirs = light.language_model.state_dict(), full.language_model.state_dict()
    assert ours.keys() == theirs.keys()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert json.dumps(light.features_key) == json.dumps(full.features_key)
    assert (light.ends, light.context) == (full.ends, full.context)


def test_features_of_images_are_equal_to_the_last_bit(both: tuple[Any, Any]) -> None:
    import torch

    random = np.random.default_rng(0)
    shapes = ((96, 96, 3), (300, 211, 3), (40, 60, 3))
    images = [Image.fromarray(random.integers(0, 256, shape, np.uint8)) for shape in shapes]
    images.append(images[1].convert("L"))
    light, full = (model._model.encode(images) for model in both)
    assert torch.equal(light, full)


@pytest.mark.parametrize("padding", [0, 4])
def test_logits_and_caches_are_equal_to_the_last_bit(both: tuple[Any, Any], padding: int) -> None:
    import torch
    from transformers import DynamicCache

    generator = torch.Generator().manual_seed(0)
    mask = torch.ones(2, 12, dtype=torch.long)
    mask[0, :padding] = 0
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    caches: list[Any] = [DynamicCache(), DynamicCache()]
    widths: dict[int, Any] = {12: mask, 1: None, 5: None}  # a prompt, a token, some tokens
    for width in widths:
        embeds = torch.randn(2, width, 160, generator=generator)
        if width < 12:
            mask = torch.cat([mask, torch.ones(2, width, dtype=torch.long)], dim=1)
            positions = positions[:, -1:] + 1 + torch.arange(width)
        light, full = (
            model.forward(
                embeds, mask=mask, positions=positions[None], cache=cache, extras={}, keep=2
            )
            for model, cache in zip(both, caches, strict=True)
        )
        assert torch.equal(light, full)
    for ours, theirs in zip(*(cache.layers for cache in caches), strict=True):
        assert torch.equal(ours.keys, theirs.keys)
        assert torch.equal(ours.values, theirs.values)

    tree = torch.zeros(2, 1, 3, mask.shape[1] + 3)
    tree[..., -1] = torch.finfo(torch.float32).min
    embeds = torch.randn(2, 3, 160, generator=generator)
    positions = (positions[:, -1:] + torch.tensor([1, 2, 2]))[None]
    light, full = (
        model.forward(embeds, mask=tree, positions=positions, cache=cache, extras={})
        for model, cache in zip(both, caches, strict=True)
    )
    assert torch.equal(light, full)


@pytest.mark.parametrize(
    ("file", "change", "expected"),
    [
        ("language_model/config.json", {"rms_norm_eps": "1e-6"}, (False, True)),
        ("language_model/tokenizer_config.json", {"tokenizer_class": "Other"}, (False, True)),
        ("language_model/config.json", {"sliding_window": 8}, (False, True)),
        ("encoder/open_clip_config.json", {"model_cfg": {}}, (True, False)),
        ("socialfusion/adapter/adapter_config.json", {"use_rslora": True}, (False, True)),
    ],
)
def test_what_is_not_plain_is_left_to_the_libraries(
    weights: Path, tmp_path: Path, file: str, change: dict[str, Any], expected: tuple[bool, bool]
) -> None:
    from harness_socialfusion.light.adapter import merge_adapter
    from harness_socialfusion.light.encoder import open_encoder
    from harness_socialfusion.light.language_model import open_language_model, open_tokenizer

    shutil.copytree(weights, tmp_path, dirs_exist_ok=True)
    config = json.loads((tmp_path / file).read_text())
    (tmp_path / file).write_text(json.dumps({**config, **change}))
    model = open_language_model(tmp_path / "language_model")
    words = model is not None and open_tokenizer(tmp_path / "language_model") is not None
    if words:
        words = merge_adapter(model, tmp_path / "socialfusion" / "adapter")  # type: ignore[arg-type]
    assert (words, open_encoder(tmp_path / "encoder") is not None) == expected


def test_the_random_state_is_as_it_was(weights: Path) -> None:
    import torch
    from harness_socialfusion.factory import SocialFusion

    before = torch.random.get_rng_state()
    SocialFusion({"path": str(weights / "socialfusion")}).load(CPU)
    assert torch.equal(torch.random.get_rng_state(), before)
