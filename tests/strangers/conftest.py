"""An installed distribution of a stranger's plugin, in this process."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest

from harness import errors
from harness.plugins import plugins

HERE = Path(__file__).parent


@pytest.fixture
def strange(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Install the plugin and go where its data lie; return its module, without a fault."""
    points = entry_points(group="harness")
    used = {"benchmarks", "checks", "exports", "figures", "studies"}
    others = [point.name for point in points if point.name not in used]
    monkeypatch.setenv("HARNESS_BLOCK_PLUGINS", ",".join(others))
    monkeypatch.setenv("HARNESS_CACHE", str(tmp_path / "cache"))
    for name in ("HARNESS_PROFILE", "HARNESS_RESULTS", errors.DEBUG_VARIABLE):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(errors, "_debugging", False)
    info = tmp_path / "site" / "dist_strange-1.2.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: dist-strange\nVersion: 1.2\n")
    (info / "entry_points.txt").write_text("[harness]\nstrange = strange\n")
    (tmp_path / "world").mkdir()
    (tmp_path / "world" / "labels.txt").write_text("six\n")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.syspath_prepend(str(HERE))
    monkeypatch.chdir(tmp_path)
    module: Any = importlib.import_module("strange")

    module.FAULTS.clear()
    plugins.cache_clear()
    yield module
    module.FAULTS.clear()
    plugins.cache_clear()
    for name in ("strange", "strange_newer"):
        sys.modules.pop(name, None)
