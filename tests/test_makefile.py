"""What ``make`` would do, asked with ``make -n`` beside files that stand for an installation."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LEFT = ("results/evaluations/x", "results/table.tex", "results/site/index.html")
pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="no make")


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A clone in which everything is installed and the demo has been run."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    sources = ("constraints.txt", "pyproject.toml", "plugins/a/pyproject.toml", "harness.toml")
    trees = ("harness/a.py", "plugins/a/src/b.py", "task_specs/c.yaml", "leaderboards/d.yaml")
    stamps = (".venv/.ready", ".venv/.ready-dev", "results/.demo")
    for age, names in ((40, (*sources, *trees)), (30, stamps[:1]), (20, (*stamps[1:], *LEFT))):
        for name in names:
            touch(tmp_path / name, age)
    return tmp_path


def touch(path: Path, age: float) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    os.utime(path, (time.time() - age, time.time() - age))


def would(clone: Path, target: str) -> str:
    # Called by another make (as under `make test`), make prints folders before what it would do.
    alone = {name: value for name, value in os.environ.items() if not name.startswith("MAKE")}
    done = subprocess.run(
        ["make", "-n", target], cwd=clone, capture_output=True, text=True, check=True, env=alone
    )
    return done.stdout


def test_where_nothing_has_changed_the_demo_is_one_command(clone: Path) -> None:
    commands = would(clone, "demo")
    assert commands.count("bin/harness leaderboard --tasks social_all") == 1
    assert "pip" not in commands
    assert "harness run" not in commands
    assert "site build" not in commands


@pytest.mark.parametrize("changed", ["harness/a.py", "plugins/a/src/b.py", "leaderboards/d.yaml"])
def test_the_demo_is_run_again_when_the_code_has_changed(clone: Path, changed: str) -> None:
    touch(clone / changed, 0)
    commands = would(clone, "demo")
    assert "harness run --model socialfusion" in commands
    assert "harness run --model majority,random,human" in commands
    assert "pip" not in commands


@pytest.mark.parametrize("gone", [*LEFT, "results"])
def test_the_demo_is_run_again_when_something_it_left_is_gone(clone: Path, gone: str) -> None:
    path = clone / gone
    if gone == LEFT[0]:
        path = path.parent
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert "site build" in would(clone, "demo")


def test_the_demo_needs_no_development_tools_and_tests_install_them(clone: Path) -> None:
    shutil.rmtree(clone / ".venv")
    demo, test = would(clone, "demo"), would(clone, "test")
    assert "dev]" not in demo
    assert "6 GB" in demo
    assert "--quiet" not in demo + test
    assert test.index('".[torch,plot]"') < test.index('".[torch,dev]"') < test.index("-m pytest")
