"""The arena at its smallest: an encoder and a generative model, methods and one training."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from harness_studies.files import open_study

from harness.cli.main import entry

ROWS = ("As is", "FT", "Prompt", "Post-hoc", "Projection", "Calibrated")
TASKS = ("scounter", "pope", "fairface_retrieval", "retrieval")


@pytest.mark.slow
def test_the_arena_runs_at_its_smallest_size(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    document = open_study("debias_arena_demo")
    raw = yaml.safe_load(document.path.read_text()) if document.path else {}
    raw["recipes"] = [recipe for recipe in raw["recipes"] if recipe["label"] in ROWS]
    for part in (*raw["models"], *raw["recipes"]):
        if "tasks" in part:
            part["tasks"] = [name for name in part["tasks"] if name in TASKS]
    raw["tasks"] = [recipe for recipe in raw["tasks"] if recipe["task"] in TASKS]
    raw["compare"] = [
        recipe for recipe in raw["compare"] if {recipe["row"], recipe["against"]} <= set(ROWS)
    ]
    raw["seeds"] = [0]
    raw["training"]["limit"], raw["evaluation"]["limit"] = 16, 8
    file = tmp_path / "small.yaml"
    file.write_text(yaml.safe_dump(raw))
    out = tmp_path / "tables"
    with pytest.raises(SystemExit) as ended:
        entry(["study", str(file), "--results", str(tmp_path / "r"), "--out", str(out)])
    assert not ended.value.code
    capsys.readouterr()
    table = (out / "table.md").read_text()
    for row in ("LLaVA demo + Post-hoc", "Encoder demo + Calibrated", "LLaVA demo + FT"):
        assert row in table
