from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from harness.descriptors import Json
from harness.engine.features import FeatureCache

pytestmark = pytest.mark.torch

ABOUT: dict[str, Json] = {"encoder": "x", "layer": -1}


def test_features_come_back_as_they_were(tmp_path: Path) -> None:
    for dtype in (torch.float32, torch.bfloat16):
        one = torch.randn(4, 3).to(dtype)
        FeatureCache(tmp_path, ABOUT).put(f"k{dtype}", one)
        held = FeatureCache(tmp_path, ABOUT).get(f"k{dtype}")
        assert held is not None
        assert held.dtype == dtype
        assert torch.equal(held, one)


def test_other_encoders_share_nothing(tmp_path: Path) -> None:
    FeatureCache(tmp_path, ABOUT).put("k", torch.ones(1))
    assert FeatureCache(tmp_path, {**ABOUT, "layer": -2}).get("k") is None


def test_a_damaged_file_is_a_miss(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path, ABOUT)
    cache.put("k", torch.ones(8))
    path = next(tmp_path.rglob("*.safetensors"))
    path.write_bytes(path.read_bytes()[:-4])
    assert cache.get("k") is None
    path.write_bytes(b"")
    assert cache.get("k") is None


def test_no_folder_keeps_nothing() -> None:
    cache = FeatureCache(None, ABOUT)
    cache.put("k", torch.ones(1))
    assert cache.get("k") is None


def test_the_oldest_go_when_the_cap_is_reached(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path, ABOUT, cap=1000)
    for number in range(6):
        cache.put(str(number), torch.zeros(50))
        for path in tmp_path.rglob("*.safetensors"):
            stat = path.stat()
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns - 10**9))
    held = sum(path.stat().st_size for path in tmp_path.rglob("*.safetensors"))
    assert held <= 1000
    assert cache.get("0") is None
    assert cache.get("5") is not None


def test_a_folder_that_cannot_be_written_costs_nothing(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    cache = FeatureCache(blocked, ABOUT)
    cache.put("k", torch.ones(1))
    assert cache.get("k") is None
