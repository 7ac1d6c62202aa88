"""Features on disk: what was put comes back, in any order, and damage is only a miss."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from harness_analyses import features
from harness_analyses.features import Column, FeatureStore
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.errors import UserError

pytestmark = pytest.mark.torch
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


@settings(max_examples=20, deadline=None)
@given(st.lists(st.sampled_from("abcdef"), min_size=1))
def test_rows_come_in_the_order_asked(
    tmp_path_factory: pytest.TempPathFactory, keys: list[str]
) -> None:
    made = store(tmp_path_factory.mktemp("f"))
    for column in (ONE, OTHER):
        result = made.matrix(column, keys)
        assert result.dtype == np.float32
        np.testing.assert_array_equal(result, [vector(key, column) for key in keys])


def test_encoders_and_columns_are_kept_apart(tmp_path: Path) -> None:
    made = FeatureStore(tmp_path, {"encoder": "e"})
    store(tmp_path)
    assert not FeatureStore(tmp_path, {"encoder": "other"}).has("a", [ONE])
    assert not made.has("a", [ONE, Column(2, "mean")])
    assert all(made.has(name, [ONE, OTHER]) for name in "abcdef")


def test_a_damaged_shard_is_missing_and_made_again(tmp_path: Path) -> None:
    store(tmp_path)
    next(tmp_path.glob("*/*.safetensors")).write_bytes(b"[1, 2]")
    assert not FeatureStore(tmp_path, {"encoder": "e"}).has("a", [ONE])
    assert store(tmp_path).has("a", [ONE, OTHER])


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "f").write_text("a file")
    with pytest.raises(UserError, match="features cannot be written"):
        store(tmp_path / "f")
