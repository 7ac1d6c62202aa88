"""The tutorials run as they stand: every block of a page, one after the other, in one folder.

A Python block that begins with the name of a file becomes that file, as YAML and TOML do; other
Python and commands run. The plugin of a page is installed by what its project file says.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.test_docs import ROOT, Block, blocks

PAGES = ("own-metric", "paper-table", "lora", "pandas")


@pytest.mark.slow
@pytest.mark.torch
@pytest.mark.parametrize("page", PAGES)
def test_a_tutorial_runs_from_top_to_bottom(page: str, tmp_path: Path) -> None:
    if page == "pandas":
        pytest.importorskip("pandas")
    name = f"docs/how-to/{page}.md"
    environment = {
        key: value for key, value in os.environ.items() if not key.startswith("HARNESS_")
    }
    tools = str(Path(sys.executable).parent)
    environment["PATH"] = os.pathsep.join([tools, os.environ["PATH"]])
    found = os.environ.get("PYTHONPATH", "")
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(tmp_path), str(ROOT), found]))
    tried = [block for block in blocks() if block.page == name]
    assert tried
    for block in tried:
        run(block, tmp_path, environment)


def run(block: Block, folder: Path, environment: dict[str, str]) -> None:
    first = block.text.partition("\n")[0]
    if block.kind == "toml":
        install(tomllib.loads(block.text)["project"], folder)
    elif block.kind == "yaml":
        (key,) = re.findall(r"^(?:leaderboard|id): (\w+)$", block.text, re.MULTILINE)
        (folder / f"{key}.yaml").write_text(block.text, encoding="utf-8")
    elif block.kind == "python" and re.fullmatch(r"# \w+\.py", first):
        (folder / first.removeprefix("# ")).write_text(block.text, encoding="utf-8")
    elif block.text.strip() != "pip install -e .":
        command = ["bash", "-e", "-c", commands(block.text)]
        if block.kind == "python":
            command = [sys.executable, "-c", block.text]
        done = subprocess.run(
            command,
            cwd=folder, env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, f"{block.page}, block {block.number}\n{done.stderr}"


def commands(text: str) -> str:
    """Return commands with this environment's own harness in the place of the installed script."""
    return re.sub(r"^harness ", f"{sys.executable} -m harness ", text, flags=re.MULTILINE)


def install(project: dict[str, object], folder: Path) -> None:
    """Leave what an installation of the page's plugin would."""
    name, version = str(project["name"]), str(project["version"])
    points: object = project["entry-points"]
    assert isinstance(points, dict)
    ((plugin, module),) = points["harness"].items()
    info = folder / f"{name.replace('-', '_')}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    (info / "entry_points.txt").write_text(f"[harness]\n{plugin} = {module}\n")
