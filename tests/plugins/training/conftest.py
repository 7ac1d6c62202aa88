"""Small folders of RAF-DB and SocialCounterfactuals, and a tiny SocialFusion model to train."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image

from tests.plugins.benchmarks.people import counterfactuals, shard
from tests.plugins.socialfusion.conftest import built

__all__ = ["built"]


@pytest.fixture
def faces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a RAF-DB folder with 13 train and 6 test faces, in a place of its own."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    for name in ("HARNESS_PROFILE", "HARNESS_RESULTS"):
        monkeypatch.delenv(name, raising=False)
    root = tmp_path / "raf"
    images = root / "basic" / "Image" / "aligned"
    images.mkdir(parents=True)
    rows = []
    for split, count in (("train", 13), ("test", 6)):
        for index in range(1, count + 1):
            name = f"{split}_{index:05d}"
            rows.append(f"{name}.jpg {index % 7 + 1}")
            shade = (index * 19 % 256, 100, 50 if split == "train" else 90)
            Image.new("RGB", (16, 16), shade).save(images / f"{name}_aligned.jpg")
    labels = root / "basic" / "EmoLabel" / "list_patition_label.txt"
    labels.parent.mkdir(parents=True)
    labels.write_text("\n".join(rows) + "\n")
    return root


@pytest.fixture
def sets(tmp_path: Path) -> Path:
    """Return a folder of SocialCounterfactuals with 12 sets of 12 people."""
    root = tmp_path / "sets"
    root.mkdir()
    shard(root, [row for number in range(12) for row in counterfactuals("chef", number)])
    return root
