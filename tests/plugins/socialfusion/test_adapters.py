"""Adapters over SocialFusion: over its parts, and beside the adapters that it was saved with."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from harness_socialfusion.factory import SocialFusion

from harness.engine.adapters import apply_adapter
from harness.errors import UserError
from harness.models import Runtime
from harness.requests import Turn

pytestmark = pytest.mark.torch


def load(root: Path, dtype: str, **options: Any) -> Any:
    plugin = SocialFusion({"path": str(root / "saved"), **options})
    return plugin.load_model(Runtime(device="cpu", dtype=dtype))


def save(module: Any, folder: Path, targets: Any) -> Path:
    import peft

    config = peft.LoraConfig(r=2, target_modules=targets, init_lora_weights=False)
    torch.manual_seed(3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # peft asks transformers by an attribute's old name
        peft.get_peft_model(module, config).save_pretrained(str(folder))
    return folder


@pytest.mark.parametrize("merged", [True, False])
@pytest.mark.parametrize(
    "targets",
    [
        r"language_model.*(q_proj|down_proj)",
        r"(language_model.*q_proj|connector\.project\.[02]|encoder\.visual\..*c_fc)",
    ],
)
@torch.no_grad()
def test_an_adapter_of_the_whole_model_acts_beside_its_own(
    root: Path,
    *,
    pictures: Any,
    tmp_path: Path,
    logits: Any,
    monkeypatch: pytest.MonkeyPatch,
    merged: bool,
    targets: str,
) -> None:
    from harness_socialfusion import checkpoint

    turns = (Turn("user", "what is this?", (pictures[0],)),)
    plain = logits(load(root, "float32"), turns)
    model = load(root, "float32")._model
    adapter = save(model, tmp_path / "adapter", targets)
    wanted = logits(_spoken(model), turns)
    if not merged:  # as in half precision, but with all digits
        monkeypatch.setattr(checkpoint, "load", _unmerged(checkpoint.load))
    computed = logits(load(root, "float32", adapter=str(adapter)), turns)
    assert np.abs(wanted - plain).max() > 1e-2
    assert np.allclose(computed, wanted, atol=1e-4)


def _unmerged(load_saved: Any) -> Any:
    def unmerged(*positional: Any, **more: Any) -> Any:
        return load_saved(*positional, **{**more, "merge": False})

    return unmerged


def _spoken(whole: Any) -> Any:
    from harness_socialfusion.sources import Source
    from harness_socialfusion.spoken import SpokenModel

    return SpokenModel(whole.eval(), encoder=Source("e", None, "", ""), score_eos=True)


def test_features_of_an_adapted_encoder_are_kept_apart(root: Path, tmp_path: Path) -> None:
    plain = load(root, "float32")
    adapter = save(load(root, "float32")._model, tmp_path / "adapter", r"encoder\.visual.*c_fc")
    assert load(root, "float32", adapter=str(adapter)).features_key != plain.features_key


def test_names_below_visual_are_the_encoder_s(root: Path, tmp_path: Path) -> None:
    encoder = load(root, "float32")._model.encoder
    adapter = save(encoder, tmp_path / "adapter", r"visual.*c_fc")
    before = {name for name, _ in load(root, "float32")._model.named_parameters()}
    model = load(root, "float32", adapter=str(adapter))._model
    added = {name for name, _ in model.named_parameters()} - before
    assert sum("lora_A" in name for name in added) == 3


def test_a_saved_model_that_lost_its_adapter_is_refused(root: Path) -> None:
    import shutil

    shutil.rmtree(root / "saved" / "adapter")
    with pytest.raises(UserError, match="the saved adapter is not there"):
        load(root, "float32")


def test_an_adapter_over_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no LoRA adapter"):
        apply_adapter({"": torch.nn.Linear(2, 2)}, tmp_path)
