"""A place to work in, and trainings in name only."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plugins.studies.world import STUDY, World


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.chdir(tmp_path)
    for name in ("HARNESS_PROFILE", "HARNESS_RESULTS"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "small.yaml").write_text(STUDY, encoding="utf-8")
    return World(monkeypatch)
