"""What an installed harness does outside the clone."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

import harness

ROOT = Path(__file__).parents[1]
PLUGINS = ("benchmarks", "socialfusion", "demo_world", "exports")
PROJECTS = (ROOT, *(ROOT / "plugins" / name for name in PLUGINS))


def command(*words: str | Path, cwd: Path, timeout: int = 300) -> str:
    """Run a command without this checkout on its path; return what it printed."""
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("PYTHON") and not name.startswith("HARNESS_")
    }
    done = subprocess.run(
        [str(word) for word in words],
        cwd=cwd,
        env=clean,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, f"{words}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_module_is_a_command(tmp_path: Path) -> None:
    message = command(sys.executable, "-m", "harness", "--version", cwd=tmp_path)
    assert harness.__version__ in message


def test_importing_the_harness_loads_nothing_heavy(tmp_path: Path) -> None:
    code = "import sys, harness, harness.plugins; harness.plugins.plugins(); print(*sys.modules)"
    loaded = set(command(sys.executable, "-c", code, cwd=tmp_path).split())
    assert not loaded & {"torch", "transformers", "scipy"}


@pytest.fixture(scope="module")
def wheels(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Wheels of these distributions, each built from its own source archive."""
    folder = tmp_path_factory.mktemp("wheels")
    # Where the build backend is at hand there is no need to fetch it.
    at_hand = importlib.util.find_spec("hatchling") is not None
    extra = ["--no-isolation"] if at_hand else []
    for project in PROJECTS:
        command(sys.executable, "-m", "build", *extra, "--outdir", folder, project, cwd=folder)
    return sorted(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def binaries(wheels: list[Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment with the wheels, and this one's other packages."""
    folder = tmp_path_factory.mktemp("environment") / "venv"
    command(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder.parent)
    python = folder / "bin" / "python"
    site = Path(
        command(
            python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=folder
        ).strip()
    )
    # A path in a .pth file is searched last, and editable installs behind it do not take part.
    borrowed = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (site / "borrowed.pth").write_text("\n".join(sorted(borrowed)) + "\n", encoding="utf-8")
    pip = (sys.executable, "-m", "pip", "--python", python)
    command(*pip, "install", "--quiet", "--no-deps", "--no-index", *wheels, cwd=folder)
    return python.parent


@pytest.mark.slow
def test_wheels_carry_all_that_the_main_job_needs(binaries: Path, tmp_path: Path) -> None:
    where = command(
        binaries / "python", "-c", "import harness; print(harness.__file__)", cwd=tmp_path
    )
    assert Path(where.strip()).is_relative_to(binaries.parent)
    assert "raf_db" in command(binaries / "harness", "tasks", cwd=tmp_path)
    run = ("run", "--model", "socialfusion", "--tasks", "social_all")
    command(binaries / "harness", *run, cwd=tmp_path, timeout=1800)
    assert (tmp_path / "results").is_dir()
    table = command(binaries / "harness", "leaderboard", "--format", "plain", cwd=tmp_path)
    assert "socialfusion" in table
    layout = ("leaderboard", "--layout", "socialfusion", "--format", "latex")
    assert r"\toprule" in command(binaries / "harness", *layout, cwd=tmp_path)
