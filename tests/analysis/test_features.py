"""Features on disk: what was put comes back, in any order, and damage is only a miss."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.analysis import features
from harness.analysis.features import Column, FeatureStore

ONE, OTHER = Column(0, "mean"), Column(1, "class")


def vector(name: str, column: Column) -> features.Features:
    seed = sum(map(ord, name)) + column.layer
    return np.random.default_rng(seed).normal(size=3).astype(np.float32)


def store(root: Path, names: str = "abcdef", identity: str = "e") -> FeatureStore:
    made = FeatureStore(root, {"encoder": identity})
    for name in names:
        made.put(name, {column: vector(name, column) for column in (ONE, OTHER)})
    made.flush()
    return made


@settings(max_examples=20)
@given(st.lists(st.sampled_from("abcdef"), min_size=1))
def test_rows_come_in_the_order_asked(
    tmp_path_factory: pytest.TempPathFactory, keys: list[str]
) -> None:
    made = store(tmp_path_factory.mktemp("f"))
    for column in (ONE, OTHER):
        found = made.matrix(column, keys, made.places([ONE, OTHER]))
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found, [vector(key, column) for key in keys])


def test_shards_join(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(features, "SHARD_BYTES", 48)
    made = store(tmp_path)
    assert len(list(tmp_path.glob("*/*/keys.json"))) == 3
    found = made.matrix(ONE, list("fa"), made.places([ONE]))
    np.testing.assert_array_equal(found, [vector(key, ONE) for key in "fa"])


def test_encoders_and_columns_are_kept_apart(tmp_path: Path) -> None:
    made = store(tmp_path)
    assert not FeatureStore(tmp_path, {"encoder": "other"}).places([ONE])
    assert not made.places([ONE, Column(2, "mean")])
    assert set(made.places([ONE])) == set("abcdef")


@pytest.mark.parametrize("damage", [b"", b"\x93NUMPY", b"[1, 2]"])
@pytest.mark.parametrize("name", ["keys.json", "000-mean.npy"])
def test_a_damaged_shard_is_missing_and_made_again(
    tmp_path: Path, damage: bytes, name: str
) -> None:
    made = store(tmp_path)
    next(tmp_path.glob(f"*/*/{name}")).write_bytes(damage)
    assert not made.places([ONE])
    again = store(tmp_path)
    assert set(again.places([ONE])) == set("abcdef")
    assert not list(tmp_path.glob(".part-*"))
