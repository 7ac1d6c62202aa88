"""What a Bunny is before its weights are loaded, and which mistakes are told then."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from harness_bunny.factory import Bunny
from safetensors.torch import load_file, save_file

from harness.errors import UserError
from harness.models import Runtime

SHARED = Path(__file__).parents[2] / "conformance" / "checkpoints"
TINY = SHARED / "bunny_llama_tiny"


def identity(folder: Path, dtype: str = "float32", **options: Any) -> str:
    result = Bunny({"path": str(folder), **options}).identity(Runtime(dtype=dtype))
    return json.dumps(result, sort_keys=True)


def test_every_option_that_changes_numbers_changes_the_identity() -> None:
    messages = [
        identity(TINY),
        identity(TINY, image_aspect="resize"),
        identity(TINY, context=99),
        identity(TINY, score_eos=False),
        identity(TINY, dtype="bfloat16"),
    ]
    assert len(set(messages)) == len(messages)


def test_the_identity_follows_the_weights_and_the_towers_preprocessing(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(TINY, tmp_path / "copy"))
    messages = [identity(folder)]
    assert messages == [identity(TINY)]  # the same files elsewhere are the same model
    weights = load_file(folder / "model.safetensors")
    doubled = {name: tensor * 2 for name, tensor in weights.items()}
    save_file(doubled, folder / "model.safetensors")
    messages.append(identity(folder))
    path = folder / "siglip-tiny" / "preprocessor_config.json"
    path.write_text(path.read_text().replace("0.5", "0.4"))
    messages.append(identity(folder))
    assert len(set(messages)) == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "needs a checkpoint"),
        ({"path": str(SHARED / "llava15_hf_tiny")}, "--model llava reads it"),
        ({"path": str(TINY / "siglip-tiny")}, "bunny cannot read this checkpoint"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Bunny(options).identity(Runtime())
