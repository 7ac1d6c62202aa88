"""A page keeps what a person wrote and holds all that the command measured."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from harness_studies.loader import load_study
from harness_studies.pages import check_page
from harness_studies.plan import plan_study

from harness.errors import UserError
from tests.plugins.studies.test_compare import differs
from tests.plugins.studies.test_run import study
from tests.plugins.studies.world import STUDY, World


def test_a_page_holds_tables_trainings_command_and_file(world: World) -> None:
    assert study("small.yaml", "--page", "page.md") == 0
    text = Path("page.md").read_text()
    assert text.startswith("# A small study\n")
    assert "| Model + Joint |" in text
    assert "| Model + Joint (Both), seed 0 | 16 | 8 |" in text
    assert "harness study small --page page.md" in text
    assert STUDY.strip() in text
    content = json.loads(Path("page.json").read_text())
    assert len(content["study"]["trials"]) == 6
    assert content["tables"][0]["title"] == "A small study"


def test_what_a_person_wrote_stays(world: World) -> None:
    study("small.yaml", "--page", "page.md")
    made = Path("page.md").read_text()
    Path("page.md").write_text(made.replace("# A small study", "# Mine\n\nIt did nothing.", 1))
    study("small.yaml", "--page", "page.md")
    text = Path("page.md").read_text()
    assert text.startswith("# Mine\n\nIt did nothing.\n")
    assert text.count("made by the command from here on") == 1


def test_a_page_of_something_else_is_refused_before_work(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("letter.md").write_text("Dear reader")
    assert study("small.yaml", "--page", "letter.md") == 2
    assert "no marker for the study's tables" in capsys.readouterr().err
    assert world.trained == []
    assert Path("letter.md").read_text() == "Dear reader"
    for wrong in ("page.html", "nowhere/page.md"):
        with pytest.raises(UserError):
            check_page(load_study("small.yaml"), Path(wrong))


def test_a_study_of_another_environment_is_refused(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = STUDY + "environment: {SMALL_WORLD: '7'}\n"
    Path("small.yaml").write_text(text)
    monkeypatch.delenv("SMALL_WORLD", raising=False)
    with pytest.raises(UserError, match="SMALL_WORLD=7"):
        plan_study(load_study("small.yaml"), None)
    assert "SMALL_WORLD" not in os.environ
    monkeypatch.setenv("SMALL_WORLD", "7")
    assert plan_study(load_study("small.yaml"), None)


def test_a_figure_shows_each_change_over_seeds(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    differs(0.0, 0.2, monkeypatch)
    Path("small.yaml").write_text(STUDY + "compare: [{row: Joint, against: Base}]\n")
    assert study("small.yaml", "--page", "page.md") == 0
    drawn = Path("page.svg").read_text()
    assert "Joint against Base (Both)" in drawn
    assert "bootstrap" not in drawn
    assert "![A small study](page.svg)" in Path("page.md").read_text()
