"""Adapters over any family, under the names that peft sees and those that checkpoints have."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from harness_hf_vlm.chats import to_device
from harness_hf_vlm.factory import HfVlm

from harness.errors import UserError
from harness.models import Runtime
from harness.requests import Turn
from tests.plugins.hf_vlm.families import FAMILIES
from tests.plugins.hf_vlm.tiny import picture
from tests.plugins.lora import compare, rewrite, write

pytestmark = pytest.mark.torch
CPU = Runtime(device="cpu", dtype="float32")
TURNS = (Turn("user", "what is this?", (picture(0),)),)
LAYERS = {
    "llava": r".*(q_proj|v_proj)",
    "paligemma": r".*(q_proj|v_proj)",
    "gemma3": r".*(q_proj|v_proj)",
    "idefics3": r".*(q_proj|v_proj)",
    "mllama": r".*(q_proj|v_proj)",
    "qwen2_vl": r".*(q_proj|qkv)",
    "blip2": r".*(q_proj|qkv|attention.query)",
    "internvl": r".*(q_proj|v_proj)",
}


def load(folder: Path, **options: Any) -> Any:
    return HfVlm({"path": str(folder), **options}).load_parts(CPU)


@torch.no_grad()
def logits(loaded: Any, turns: Any) -> np.ndarray:
    text = loaded.chats.render(turns)
    arguments = to_device(loaded.chats.inputs(text, list(turns[0].images)), loaded.model)
    return np.asarray(loaded.model(**arguments).logits)


@pytest.mark.parametrize("family", LAYERS)
def test_what_peft_saves_of_the_whole_model_is_the_merged_model(
    tmp_path: Path, family: str
) -> None:
    import peft

    base = FAMILIES[family](tmp_path / "base")
    loaded = load(base)
    before = logits(loaded, TURNS)
    torch.manual_seed(0)
    config = peft.LoraConfig(r=2, target_modules=LAYERS[family], init_lora_weights=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # peft asks transformers by an attribute's old name
        adapted: Any = peft.get_peft_model(loaded.model, config)
        adapted.save_pretrained(tmp_path / "adapter")
    wanted = logits(loaded, TURNS)  # its layers are changed in place
    computed = logits(load(base, adapter=str(tmp_path / "adapter")), TURNS)
    assert np.allclose(computed, wanted, rtol=1e-4, atol=1e-4)
    assert np.abs(computed - before).max() > 1e-3


@pytest.mark.parametrize("family", LAYERS)
def test_names_of_the_checkpoint_s_own_files_lead_to_the_same(tmp_path: Path, family: str) -> None:
    base = FAMILIES[family](tmp_path / "base")
    written = write(base, tmp_path, LAYERS[family], targets=LAYERS[family])
    compare(logits, load, TURNS, base, written)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda name: name.replace("q_proj", "query_key_value"), "for no layer of this model"),
        (lambda name: name.replace("lora_B", "lora_C"), "for no layer of this model"),
    ],
)
def test_an_adapter_of_another_architecture_is_refused(
    tmp_path: Path, change: Callable[[str], str], message: str
) -> None:
    base = FAMILIES["idefics3"](tmp_path / "base")
    written = write(base, tmp_path, LAYERS["idefics3"], targets=LAYERS["idefics3"])
    rewrite(written, lambda content: {change(name): tensor for name, tensor in content.items()})
    with pytest.raises(UserError, match=message):
        load(base, adapter=str(written.adapter))
