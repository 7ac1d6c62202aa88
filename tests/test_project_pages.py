"""What belongs to a project that others join: its pages build, its change fragments are read."""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parent.parent
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))


def kinds_of_change() -> set[str]:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    return {kind["directory"] for kind in settings["tool"]["towncrier"]["type"]}


def test_every_change_fragment_has_a_kind_that_the_changelog_knows() -> None:
    for file in (ROOT / "changes").glob("*"):
        _, kind, suffix = file.name.rsplit(".", 2)
        assert suffix == "md", file
        assert kind in kinds_of_change(), file
        assert file.read_text("utf-8").strip(), file


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda file: file.stem)
def test_a_workflow_runs_a_target_of_the_makefile(workflow: Path) -> None:
    jobs = yaml.safe_load(workflow.read_text("utf-8"))["jobs"]
    assert jobs
    for job in jobs.values():
        (command,) = [step["run"] for step in job["steps"] if "run" in step]
        assert f"\n{command.removeprefix('make ')}:" in (ROOT / "Makefile").read_text("utf-8")


@pytest.mark.parametrize("form", FORMS, ids=lambda file: file.stem)
def test_an_issue_form_asks_for_something(form: Path) -> None:
    body = yaml.safe_load(form.read_text("utf-8"))
    if form.stem != "config":
        assert body["name"]
        assert body["description"]
        assert any(field.get("validations", {}).get("required") for field in body["body"])


@pytest.mark.slow
def test_the_documentation_builds_without_a_warning(tmp_path: Path) -> None:
    shutil.copy(ROOT / "mkdocs.yml", tmp_path)
    for name in ("docs", "harness"):
        shutil.copytree(ROOT / name, tmp_path / name)
    subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--strict"],
        cwd=tmp_path,
        check=True,
        timeout=300,
    )
    page = (tmp_path / "site" / "reference" / "api" / "index.html").read_text("utf-8")
    assert "harness.leaderboard" in page


@pytest.mark.slow
def test_the_changelog_of_a_release_can_be_drafted() -> None:
    drafted = subprocess.run(
        [sys.executable, "-m", "towncrier", "build", "--draft", "--version", "1.2.3"],
        cwd=ROOT, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert "1.2.3" in drafted.stdout
