"""What an encoder is before its weights are loaded, and which mistakes are told then."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from harness_open_clip.factory import DualEncoder

from harness.errors import UserError
from harness.models import Runtime

SHARED = Path(__file__).parents[2] / "conformance" / "checkpoints"
CPU = Runtime(device="cpu")


def identity(path: Path | str, dtype: str = "auto", **options: Any) -> str:
    arguments = {"path": str(path), "templates": "a photo of {}", **options}
    result = DualEncoder(arguments).identity(Runtime(dtype=dtype))
    return json.dumps(result, sort_keys=True)


def test_every_option_that_changes_numbers_changes_the_identity(
    original: Path, converted: Callable[[str], Path]
) -> None:
    messages = [
        identity(original),
        identity(original, templates="{}"),
        identity(original, templates="a photo of {}|{}"),
        identity(original, dtype="bfloat16"),
        identity(converted("clip")),
        identity(converted("siglip")),
        identity("ViT-B-32:openai"),
        identity("ViT-B-32:laion2b_e16"),
    ]
    assert len(set(messages)) == len(messages)


def test_the_identity_follows_the_weights_not_the_place(original: Path, copy: Path) -> None:
    from safetensors.torch import load_file, save_file

    assert identity(copy) == identity(original) == identity(f"local-dir:{copy}")
    path = copy / "open_clip_model.safetensors"
    save_file({name: tensor * 2 for name, tensor in load_file(path).items()}, path)
    assert identity(copy) != identity(original)


def test_neither_descriptor_nor_identity_imports_torch(
    original: Path, converted: Callable[[str], Path]
) -> None:
    paths = [str(original), str(converted("clip")), "ViT-B-32:openai"]
    code = (
        "import sys; from harness_open_clip import harness_models; harness_models();"
        "from harness.models import Runtime; from harness_open_clip.factory import DualEncoder;"
        f"[DualEncoder(dict(path=p, templates='{{}}')).identity(Runtime()) for p in {paths!r}];"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "needs an encoder"),
        ({"path": "/not/there"}, "the folder does not exist"),
        ({"path": "nowhere"}, "there is no folder 'nowhere', and it is not a hub id"),
        ({"path": "package:not_a_package/encoder"}, "not installed"),
        ({"path": str(Path(__file__))}, "an encoder must be a folder, and this is a file"),
        ({"path": str(Path(__file__).parent)}, "neither open_clip_config.json nor config.json"),
        ({"path": str(SHARED / "llava15_hf_tiny")}, "--model llava reads it"),
        ({"path": "ViT-B-32:openai", "revision": "main"}, "has no revision"),
        ({"path": "package:harness_demo_world/weights/encoder", "revision": "x"}, "no revision"),
        ({"path": "ViT-B-32:openai", "templates": "a photo"}, "needs exactly one {}"),
        ({"path": "ViT-B-32:openai", "templates": " | "}, "an empty list"),
        ({"path": "nobody/nothing"}, "cannot fetch 'nobody/nothing' from the hub"),
    ],
)
def test_a_wrong_option_is_told_in_one_message(options: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message):
        DualEncoder({"templates": "{}", **options}).identity(CPU)


def test_a_config_that_asks_for_code_is_refused(
    converted: Callable[[str], Path], tmp_path: Path
) -> None:
    config = json.loads((converted("clip") / "config.json").read_text())
    config["auto_map"] = {"AutoModel": "evil.Model"}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match="never sets trust_remote_code"):
        DualEncoder({"path": str(tmp_path), "templates": "{}"}).identity(CPU)


@pytest.mark.parametrize("kind", ["vit", "clip_vision_model"])
def test_an_encoder_without_a_text_side_is_refused(tmp_path: Path, kind: str) -> None:
    config = {"model_type": kind, "image_size": 32, "hidden_size": 16}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "model.safetensors").write_bytes(b"")
    with pytest.raises(UserError, match=f"no text side .* model_type is '{kind}'") as caught:
        identity(tmp_path)
    assert "dual encoder whole" in str(caught.value.fix)


def test_damaged_folders_are_told(copy: Path) -> None:
    weights = copy / "open_clip_model.safetensors"
    content = weights.read_bytes()
    weights.write_bytes(content[:-8])
    with pytest.raises(UserError, match="not a whole safetensors file"):
        identity(copy)
    weights.unlink()
    with pytest.raises(UserError, match="holds no weights"):
        identity(copy)
    (copy / "open_clip_config.json").write_text("{}")
    with pytest.raises(UserError, match="no model_cfg"):
        identity(copy)


def test_missing_and_foreign_tensors_are_listed(copy: Path) -> None:
    from safetensors.torch import load_file, save_file

    path = copy / "open_clip_model.safetensors"
    tensors = load_file(path)
    gone = next(name for name in tensors if name.startswith("visual.transformer.resblocks.1."))
    tensors["visual.extra.weight"] = tensors.pop(gone)
    save_file(tensors, path)
    model = DualEncoder({"path": str(copy), "templates": "{}"})
    with pytest.raises(UserError, match="1 tensor is missing") as caught:
        model.load(CPU)
    assert "visual.transformer.resblocks.*" in str(caught.value)
    assert "visual.extra" in str(caught.value)


def test_a_gpu_that_is_not_there_is_told(original: Path) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has a GPU")
    model = DualEncoder({"path": str(original), "templates": "{}"})
    with pytest.raises(UserError, match="PyTorch sees 0 CUDA devices"):
        model.load(Runtime(device="cuda"))
