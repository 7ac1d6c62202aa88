"""What a LLaVA is before its weights are loaded, and which mistakes are told then."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from harness_llava.factory import Llava
from safetensors.torch import load_file, save_file

from harness.errors import UserError
from harness.models import Runtime

SHARED = Path(__file__).parents[2] / "conformance" / "checkpoints"
ORIGINAL, HF = SHARED / "llava15_original_tiny", SHARED / "llava15_hf_tiny"


def identity(folder: Path, dtype: str = "float32", **options: Any) -> str:
    result = Llava({"path": str(folder), **options}).identity(Runtime(dtype=dtype))
    return json.dumps(result, sort_keys=True)


def test_every_option_that_changes_numbers_changes_the_identity() -> None:
    messages = [
        identity(ORIGINAL),
        identity(ORIGINAL, conversation="plain"),
        identity(ORIGINAL, image_aspect="crop"),
        identity(ORIGINAL, context=99),
        identity(ORIGINAL, score_eos=False),
        identity(ORIGINAL, dtype="bfloat16"),
        identity(HF),
    ]
    assert len(set(messages)) == len(messages)


def test_the_identity_follows_the_weights_of_checkpoint_and_tower(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(ORIGINAL, tmp_path / "copy"))
    messages = [identity(folder)]
    assert messages == [identity(ORIGINAL)]  # the same files elsewhere are the same model
    for path in (folder / "model.safetensors", folder / "clip-tiny" / "model.safetensors"):
        weights = load_file(path)
        save_file({name: tensor * 2 for name, tensor in weights.items()}, path)
        messages.append(identity(folder))
    assert len(set(messages)) == 3


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "needs a checkpoint"),
        ({"path": str(SHARED / "bunny_llama_tiny")}, "--model bunny reads it"),
        ({"path": str(ORIGINAL), "format": "transformers"}, "in the original format"),
        ({"path": str(HF), "format": "original"}, "in the transformers format"),
        ({"path": str(HF), "vision_tower": "x"}, "contains its tower"),
        ({"path": str(ORIGINAL), "conversation": "template"}, "no chat template"),
        ({"path": str(ORIGINAL), "revision": "main"}, "no revision"),
    ],
)
def test_a_checkpoint_that_does_not_fit_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        Llava(options).identity(Runtime())
