from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from harness_socialfusion import harness_models
from harness_socialfusion.factory import SocialFusion
from harness_socialfusion.options import PRESETS
from harness_socialfusion.sources import resolve_path

from harness.descriptors import Json
from harness.errors import UserError
from harness.models import Runtime

pytestmark = pytest.mark.torch  # the checkpoints are built with it


def identity(folder: Path, runtime: Runtime | None = None, **options: Any) -> Any:
    arguments = {"path": str(folder), **options}
    return SocialFusion(arguments).identity(runtime or Runtime(cache=folder.parent / "cache"))


def test_identity_imports_nothing_heavy(built: Path) -> None:
    code = (
        "import sys, json\n"
        "from harness.descriptors import parse_options\n"
        "from harness.targets import load_target\n"
        "from harness.models import Runtime\n"
        "from harness.plugins import plugins\n"
        "model = plugins().models()['socialfusion']\n"
        "options = parse_options(model.options, {'path': sys.argv[1]}, owner='socialfusion')\n"
        "print(json.dumps(load_target(model)(options).identity(Runtime())))\n"
        "heavy = {'torch', 'transformers', 'open_clip', 'peft'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(built / "saved")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["dtype"] == "float32"
    assert str(built) not in done.stdout


def test_what_changes_numbers_changes_the_identity(root: Path) -> None:
    folder = root / "saved"
    cache = root / "cache"
    plain = identity(folder)
    assert identity(folder, Runtime(cache=cache, batch_size=3, device="cpu")) == plain
    others = [
        identity(folder, Runtime(cache=cache, dtype="bfloat16")),
        identity(folder, score_eos=False),
        identity(folder, prompt_format="plain"),
    ]
    path = folder / "connector.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    others.append(identity(folder))
    assert all(other != plain for other in others)
    assert len({json.dumps(other) for other in others}) == len(others)


def test_a_moved_model_is_the_same(built: Path, root: Path) -> None:
    assert identity(built / "saved") == identity(root / "saved")


def test_another_encoder_is_refused(root: Path) -> None:
    path = root / "encoder" / "open_clip_model.safetensors"
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(UserError, match=r"encoder.*not the one this checkpoint was trained with"):
        identity(root / "saved")


def test_wrong_folders_are_said(root: Path) -> None:
    with pytest.raises(UserError, match="there is no folder"):
        identity(root / "nowhere")
    with pytest.raises(UserError, match="not a SocialFusion checkpoint"):
        identity(root / "encoder")
    config = root / "saved" / "socialfusion.json"
    content = json.loads(config.read_text())
    config.write_text(json.dumps({**content, "format": 99}))
    with pytest.raises(UserError, match="format is 99"):
        identity(root / "saved")
    config.write_text(json.dumps({**content, "foreign": 1}))
    with pytest.raises(UserError, match="not a SocialFusion configuration"):
        identity(root / "saved")
    config.write_text("{")
    with pytest.raises(UserError, match="JSON"):
        identity(root / "saved")


def test_damaged_weights_are_said(root: Path) -> None:
    path = root / "saved" / "connector.safetensors"
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(UserError, match="not a whole safetensors file"):
        identity(root / "saved")


def test_pickled_weights_are_not_read(root: Path) -> None:
    path = root / "encoder" / "open_clip_model.safetensors"
    path.rename(path.with_suffix(".bin"))
    with pytest.raises(UserError, match=r"holds no \.safetensors"):
        identity(root / "saved")


def test_a_device_that_is_not_there_is_said(built: Path) -> None:
    with pytest.raises(UserError, match="not available"):
        SocialFusion({"path": str(built / "saved")}).load(Runtime(device="cuda:99"))


def test_parts_need_a_trained_connector_or_the_users_word(built: Path) -> None:
    parts: dict[str, Json] = {
        "encoder": f"local-dir:{built / 'encoder'}",
        "language_model": str(built / "language_model"),
    }
    with pytest.raises(UserError, match="no trained connector"):
        SocialFusion(parts).identity(Runtime())
    with pytest.raises(UserError, match="not both"):
        SocialFusion({**parts, "path": "x"})
    changes: dict[str, Json] = {
        "encoder_layer": 0, "merge": 2, "connector": "attention", "queries": 1,
    }  # fmt: skip
    for name, value in changes.items():
        with pytest.raises(UserError, match=f"leave out path, or {name}"):
            SocialFusion({"path": "x", name: value})
    with pytest.raises(UserError, match="'language_model' is not given"):
        SocialFusion({"encoder": "x"}).identity(Runtime())
    message: dict[str, Json] = {**parts, "untrained": True}
    identity = SocialFusion({**message, "seed": 1}).identity(Runtime())
    assert identity != SocialFusion({**message, "seed": 2}).identity(Runtime())
    answerer = SocialFusion(message).load(Runtime(device="cpu"))
    answerer.close()
    with pytest.raises(UserError, match="NAME:TAG"):
        SocialFusion({**message, "encoder": "ViT-B-32"}).identity(Runtime())


def test_a_path_inside_a_package_is_found_without_importing_it() -> None:
    assert resolve_path("package:harness/engine").name == "engine"
    with pytest.raises(UserError, match="not installed"):
        resolve_path("package:no_such_package/x")
    with pytest.raises(UserError, match="no folder"):
        resolve_path("package:harness/no_such_folder")


def test_the_descriptor_is_whole() -> None:
    (model,) = harness_models()
    names = {option.name for option in model.options}
    assert all(set(options) <= names for options in PRESETS.values())
    assert set(model.preset_marks) <= set(model.presets)
