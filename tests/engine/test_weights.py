from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save_file

from harness.engine import weights as weights_module
from harness.engine.weights import hash_file, hash_files, read_header
from harness.errors import UserError
from harness.models.devices import resolve_device, resolve_dtype


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    path = tmp_path / "model.safetensors"
    save_file({"a": np.zeros((2, 3), np.float32), "b": np.ones(4, np.float16)}, path)
    return path


@pytest.fixture
def all_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remember small files too."""
    monkeypatch.setattr(weights_module, "_SMALL", 0)


@pytest.mark.usefixtures("all_remembered")
def test_a_hash_is_remembered_until_the_file_changes(weights: Path, tmp_path: Path) -> None:
    memo = tmp_path / "memo"
    assert hash_file(weights, memo) == hashlib.sha256(weights.read_bytes()).hexdigest()
    content = json.loads((memo / "weight_hashes.json").read_text())
    assert len(content) == 1
    weights.write_bytes(b"other, and of another length")
    assert hash_file(weights, memo) == hashlib.sha256(weights.read_bytes()).hexdigest()


def test_only_large_files_are_remembered(weights: Path, tmp_path: Path) -> None:
    hash_file(weights, tmp_path)
    assert not (tmp_path / "weight_hashes.json").exists()
    weights.write_bytes(bytes(weights_module._SMALL + 1))
    hash_file(weights, tmp_path)
    assert len(json.loads((tmp_path / "weight_hashes.json").read_text())) == 1


@pytest.mark.usefixtures("all_remembered")
def test_the_oldest_hashes_are_forgotten(
    weights: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(weights_module, "_REMEMBERED", 2)
    memo, collected = tmp_path / "memo" / "weight_hashes.json", []
    for name in ("one", "two", "three"):
        file = tmp_path / name
        file.write_text(name)
        hash_file(file, memo.parent)
        hash_file(weights, memo.parent)
        collected.append([key.split("|")[0] for key in json.loads(memo.read_text())])
    assert collected[0] == [str(tmp_path / "one"), str(weights)]
    assert collected[1] == [str(weights), str(tmp_path / "two")]
    assert collected[2] == [str(tmp_path / "three"), str(weights)]


@pytest.mark.usefixtures("all_remembered")
def test_a_file_of_equal_size_and_time_in_its_place_is_hashed_anew(
    weights: Path, tmp_path: Path
) -> None:
    memo, before = tmp_path / "memo", weights.stat()
    hash_file(weights, memo)
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    os.utime(weights, ns=(before.st_atime_ns, before.st_mtime_ns))  # as cp -p and rsync do
    assert hash_file(weights, memo) == hashlib.sha256(content).hexdigest()


@pytest.mark.usefixtures("all_remembered")
def test_a_damaged_memory_is_ignored(weights: Path, tmp_path: Path) -> None:
    (tmp_path / "weight_hashes.json").write_text("{")
    assert hash_file(weights, tmp_path) == hash_file(weights)


def test_names_and_contents_enter_the_hash_of_files(weights: Path, tmp_path: Path) -> None:
    other = tmp_path / "other.safetensors"
    other.write_bytes(weights.read_bytes())
    assert hash_files([weights, other]) == hash_files([other, weights])
    assert hash_files([weights]) != hash_files([other])


def test_a_header_names_the_tensors(weights: Path) -> None:
    assert {name: entry["shape"] for name, entry in read_header(weights).items()} == {
        "a": [2, 3],
        "b": [4],
    }


@pytest.mark.parametrize("cut", [0, 4, 30, -3])
def test_a_file_cut_short_is_refused(weights: Path, cut: int) -> None:
    weights.write_bytes(weights.read_bytes()[:cut])
    with pytest.raises(UserError, match="safetensors"):
        read_header(weights)


def test_noise_is_no_weight_file(tmp_path: Path) -> None:
    path = tmp_path / "x.safetensors"
    path.write_bytes(b"\xff" * 100)
    with pytest.raises(UserError, match="not a whole safetensors"):
        read_header(path)
    with pytest.raises(UserError, match="not there"):
        read_header(tmp_path / "none.safetensors")


def test_dtype_is_as_asked_then_the_checkpoints() -> None:
    assert resolve_dtype("auto", "torch.bfloat16") == "bfloat16"
    assert resolve_dtype("float32", "bfloat16") == "float32"
    assert resolve_dtype("auto", None) == "float32"
    with pytest.raises(UserError, match="dtype"):
        resolve_dtype("int8", None)


@pytest.mark.torch
def test_a_process_s_own_cuda_device_is_taken_without_asking(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    import torch

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 3)
    assert resolve_device("auto") == torch.device("cuda", 3)


@pytest.mark.torch
def test_devices_that_are_not_there_are_said() -> None:
    assert resolve_device("cpu").type == "cpu"
    with pytest.raises(UserError, match="not available"):
        resolve_device("cuda:99")
    with pytest.raises(UserError, match="device"):
        resolve_device("toaster")
