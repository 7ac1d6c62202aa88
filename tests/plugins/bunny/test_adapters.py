"""Adapters over Bunny, as its own fine-tuning saves them and as peft does."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from harness_bunny.factory import Bunny

from harness.models import Runtime
from harness.requests import Turn
from harness.samples.images import LoadedImage
from tests.plugins.lora import compare, write

pytestmark = pytest.mark.torch
RUNTIME = Runtime(device="cpu", dtype="float32")
TINY = Path(__file__).parents[2] / "conformance" / "checkpoints" / "bunny_llama_tiny"
LANGUAGE = r"model\.layers.*(q_proj|down_proj)"


def load(folder: Path, **options: Any) -> Any:
    return Bunny({"path": str(folder), **options}).load_model(RUNTIME)


@pytest.mark.parametrize(
    ("layers", "more"),
    [
        (LANGUAGE, {}),
        (LANGUAGE, {"extras": r"model\.mm_projector.*"}),
        (LANGUAGE, {"whole": r"lm_head.*", "modules_to_save": ["lm_head"]}),
        (
            r"model\.layers.*q_proj|model\.mm_projector.*",
            {"targets": r"model\.layers.*q_proj|model\.mm_projector\.\d"},
        ),
        (r".*layers\.\d+\..*q_proj", {}),
        (
            r".*vision_model\.encoder.*fc1",
            {"targets": ".*encoder.*fc1", "called": lambda n: n.replace("vision_tower.", "", 1)},
        ),
    ],
)
def test_an_adapter_is_the_merged_model(
    tmp_path: Path,
    picture: Callable[..., LoadedImage],
    logits: Callable[..., Any],
    layers: str,
    more: dict[str, Any],
) -> None:
    turns = [Turn("user", "Who?", (picture(40, 30),))]
    compare(logits, load, turns, TINY, write(TINY, tmp_path, layers, **more))


def test_an_adapter_over_phi_is_the_merged_model(
    tmp_path: Path,
    picture: Callable[..., LoadedImage],
    logits: Callable[..., Any],
    tiny: Callable[..., Path],
) -> None:
    turns = [Turn("user", "Who?", (picture(40, 30),))]
    base = tiny("phi")
    compare(logits, load, turns, base, write(base, tmp_path, r"model\.layers.*(q_proj|dense|fc2)"))
