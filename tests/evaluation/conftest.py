"""A hand-made RAF-DB folder, and a place to work in that sees nothing of the real cache."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

FACES = 150  # three blocks


@pytest.fixture
def faces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[int], Path]:
    """Return a maker of a RAF-DB folder with so many test faces and seven train faces."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HARNESS_PROFILE", raising=False)
    monkeypatch.delenv("HARNESS_RESULTS", raising=False)

    def make(number: int = FACES) -> Path:
        root = tmp_path / "raf"
        images = root / "basic" / "Image" / "aligned"
        images.mkdir(parents=True)
        rows = [f"train_{index:05d}.jpg {index % 7 + 1}" for index in range(1, 15)]
        rows += [f"test_{index:04d}.jpg {index % 7 + 1}" for index in range(1, number + 1)]
        labels = root / "basic" / "EmoLabel" / "list_patition_label.txt"
        labels.parent.mkdir(parents=True)
        labels.write_text("\n".join(rows) + "\n")
        for index in range(1, number + 1):
            shade = (index % 256, 100, 50)
            Image.new("RGB", (12, 10), shade).save(images / f"test_{index:04d}_aligned.jpg")
        return root

    return make
