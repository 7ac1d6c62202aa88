"""Adapters over the first Qwen-VL and over later ones give what the merged checkpoint gives."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from harness_qwen_vl.factory import QwenVL

from harness.errors import UserError
from harness.models import Runtime
from harness.requests import Turn
from harness.samples.images import LoadedImage
from tests.plugins.hf_vlm.tiny import qwen
from tests.plugins.lora import compare, rewrite, write

pytestmark = pytest.mark.torch
RUNTIME = Runtime(device="cpu", dtype="float32")
FIRST = Path(__file__).parents[2] / "conformance" / "checkpoints" / "qwen_vl_v1_tiny"


def load(folder: Path, **options: Any) -> Any:
    return QwenVL({"path": str(folder), **options}).load_model(RUNTIME)


@pytest.fixture
def turns(picture: Callable[..., LoadedImage]) -> list[Turn]:
    return [Turn("user", "Who?", (picture(40, 30),))]


def converted(name: str) -> str:
    """Names of transformers' Qwen2, in those of the first Qwen-VL."""
    for old, new in (
        ("transformer.h.", "model.layers."),
        ("attn.c_proj", "self_attn.o_proj"),
        ("mlp.w1", "mlp.up_proj"),
        ("mlp.c_proj", "mlp.down_proj"),
    ):
        name = name.replace(old, new)
    return name


@pytest.mark.parametrize(
    ("layers", "more"),
    [
        (  # what the release's own fine-tuning adapts
            r"transformer\.h\..*(attn\.c_attn|attn\.c_proj|w1|w2)",
            {"targets": ["c_attn", "attn.c_proj", "w1", "w2"]},
        ),
        (
            r"transformer\.h\..*c_attn",
            {"whole": r"transformer\.wte.*|lm_head.*", "modules_to_save": ["wte", "lm_head"]},
        ),
        (
            r"transformer\.h\..*(attn\.c_proj|w1)",
            {"called": converted, "targets": ["o_proj", "up_proj"]},
        ),
        (r"transformer\.visual\.transformer.*(in_proj|c_fc)", {}),
        (r"transformer\.h\..*c_attn", {"extras": r"transformer\.visual\.(ln_post|proj).*"}),
    ],
)
def test_an_adapter_over_the_first_one_is_the_merged_model(
    tmp_path: Path,
    turns: list[Turn],
    logits: Callable[..., Any],
    layers: str,
    more: dict[str, Any],
) -> None:
    written = write(FIRST, tmp_path, layers, **more)
    compare(logits, load, turns, FIRST, written)


def test_a_fused_layer_of_another_size_is_refused(tmp_path: Path) -> None:
    written = write(FIRST, tmp_path, r"transformer\.h\..*c_attn")
    rewrite(
        written, lambda content: {n: t[:-1].clone() if "_B" in n else t for n, t in content.items()}
    )
    with pytest.raises(UserError, match=r"c_attn.lora_B.weight has the shape"):
        load(FIRST, adapter=str(written.adapter))


def old(name: str) -> str:
    """Names before transformers 4.52."""
    return name.replace("model.language_model.", "model.").replace("model.visual.", "visual.")


def current(name: str) -> str:
    """Names since, whichever the checkpoint was saved with."""
    if name.startswith("model.layers."):
        return name.replace("model.", "model.language_model.", 1)
    return f"model.{name}" if name.startswith("visual.") else name


@pytest.mark.parametrize("kind", ["qwen2_vl", "qwen2_5_vl", "qwen3_vl"])
@pytest.mark.parametrize("called", [old, current])
@pytest.mark.parametrize("layers", [r".*(q_proj|up_proj)", r".*visual.*(qkv|proj)"])
def test_an_adapter_over_later_ones_is_the_merged_model(
    tmp_path: Path,
    *,
    turns: list[Turn],
    logits: Callable[..., Any],
    kind: str,
    called: Callable[[str], str],
    layers: str,
) -> None:
    base = qwen(tmp_path / "base", kind)
    targets = (
        ".*(q_proj|up_proj)" if "visual" not in layers else r".*visual\.blocks.*(qkv|attn\.proj)"
    )
    if "visual" in layers:
        layers = r".*visual\.blocks.*(qkv|attn\.proj)"
    written = write(base, tmp_path, layers, called=called, targets=targets)
    compare(logits, load, turns, base, written)
