"""Features of frozen encoders: they come back as they were, whoever wrote them, within the cap."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from harness.descriptors import Json
from harness.engine.features import FeatureCache

pytestmark = pytest.mark.torch

ABOUT: dict[str, Json] = {"encoder": "x", "layer": -1}


def shards(root: Path) -> list[Path]:
    return sorted(root.rglob("*.safetensors"))


def kept(root: Path, *keys: str, size: int = 8, **named: int) -> FeatureCache:
    cache = FeatureCache(root, ABOUT, **named)
    for key in keys:
        cache.put(key, torch.full((size,), float(len(key))))
    cache.flush()
    return cache


def test_features_come_back_as_they_were(tmp_path: Path) -> None:
    for dtype in (torch.float32, torch.bfloat16):
        item = torch.randn(4, 3).to(dtype)
        writer = FeatureCache(tmp_path, ABOUT)
        writer.put(f"k{dtype}", item)
        assert torch.equal(writer.get(f"k{dtype}"), item)  # type: ignore[arg-type]
        writer.flush()
        for reader in (writer, FeatureCache(tmp_path, ABOUT)):
            content = reader.get(f"k{dtype}")
            assert content is not None
            assert content.dtype == dtype
            assert torch.equal(content, item)


def test_many_images_share_a_file(tmp_path: Path) -> None:
    kept(tmp_path, *"abcdef")
    assert len(shards(tmp_path)) == 1
    kept(tmp_path, *"ghijkl", shard=64)
    assert len(shards(tmp_path)) == 1 + 3  # two of 32 bytes fill one of 64


def test_a_run_writes_no_more_than_the_cap_and_counts_the_rest(tmp_path: Path) -> None:
    cache = FeatureCache(tmp_path, ABOUT, cap=1000, shard=64)
    for number in range(20):
        cache.put(f"k{number}", torch.ones(8))
        assert sum(path.stat().st_size for path in shards(tmp_path)) <= 1000
    cache.flush()
    names = {path.name for path in shards(tmp_path)}
    written = [key for key in map("k{}".format, range(20)) if cache.get(key) is not None]
    assert written == [f"k{number}" for number in range(len(written))]  # none gave way to another
    assert len(written) + cache.left_out == 20
    assert 0 < cache.left_out < 20
    cache.put("late", torch.ones(8))
    cache.flush()
    assert len(written) + cache.left_out == 21
    assert {path.name for path in shards(tmp_path)} == names


def test_writers_do_not_meet_and_readers_see_all(tmp_path: Path) -> None:
    first, other = (FeatureCache(tmp_path, ABOUT) for _ in range(2))
    first.put("a", torch.ones(1))
    other.put("a", torch.ones(1))
    other.put("b", torch.ones(1))
    first.flush()
    other.flush()
    reader = FeatureCache(tmp_path, ABOUT)
    assert all(reader.get(key) is not None for key in "ab")


def test_other_encoders_share_nothing(tmp_path: Path) -> None:
    kept(tmp_path, "k")
    assert FeatureCache(tmp_path, {**ABOUT, "layer": -2}).get("k") is None


def test_a_damaged_shard_is_a_miss(tmp_path: Path) -> None:
    cache = kept(tmp_path, "k")
    (path,) = shards(tmp_path)
    content = path.read_bytes()
    path.write_bytes(content[:-4])
    assert FeatureCache(tmp_path, ABOUT).get("k") is None
    path.write_bytes(b"")
    assert cache.get("k") is None
    path.unlink()
    assert cache.get("k") is None


def test_a_shard_removed_by_another_process_is_read_by_whoever_has_it_open(tmp_path: Path) -> None:
    cache = kept(tmp_path, "k")
    wanted = cache.get("k")
    assert wanted is not None
    (path,) = shards(tmp_path)
    path.unlink()
    result = cache.get("k")
    assert result is not None
    assert torch.equal(result, wanted)
    assert FeatureCache(tmp_path, ABOUT).get("k") is None


def test_more_shards_than_may_be_open_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.engine.features._OPEN", 2)
    for key in "abc":
        kept(tmp_path, key)
    reader = FeatureCache(tmp_path, ABOUT)
    for key in "abcabc":
        assert reader.get(key) is not None


def test_no_folder_keeps_nothing() -> None:
    cache = FeatureCache(None, ABOUT)
    cache.put("k", torch.ones(1))
    cache.flush()
    assert cache.get("k") is None


def test_the_oldest_go_when_the_cap_is_reached(tmp_path: Path) -> None:
    for number in range(6):
        kept(tmp_path, str(number), size=50, cap=1000)
        for path in shards(tmp_path):
            stat = path.stat()
            os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns - 10**9))
    assert sum(path.stat().st_size for path in shards(tmp_path)) <= 1200
    reader = FeatureCache(tmp_path, ABOUT)
    assert reader.get("0") is None
    assert reader.get("5") is not None


def test_a_folder_that_cannot_be_written_costs_nothing(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("")
    cache = FeatureCache(blocked, ABOUT)
    cache.put("k", torch.ones(1))
    cache.flush()
    assert cache.get("k") is None
