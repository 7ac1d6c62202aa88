"""The tutorials run as they stand: every block of a page, one after the other, in one folder.

A Python block that begins with the name of a file becomes that file, as YAML and TOML do; other
Python and commands run. The plugin of a page is installed by what its project file says.
"""

from __future__ import annotations

import os
import re
import shlex
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
    result = os.environ.get("PYTHONPATH", "")
    environment["PYTHONPATH"] = os.pathsep.join(filter(None, [str(tmp_path), str(ROOT), result]))
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


@pytest.mark.slow
@pytest.mark.torch
def test_the_commands_for_a_model_of_one_s_own_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A checkpoint and an endpoint, each by the page's own command."""
    pytest.importorskip("transformers")
    from harness.cli.main import invoke, main
    from tests.plugins.hf_vlm import families
    from tests.plugins.openai_api.server import FakeEndpoint, chat

    name, address = "docs/how-to/own-model.md", "http://127.0.0.1:8000/v1"
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-none")
    (tmp_path / "checkpoints").mkdir()
    families.llava(tmp_path / "checkpoints" / "my_vlm")
    texts = [block.text for block in blocks() if block.page == name and block.kind == "console"]
    lines = [text.strip() for text in texts if text.startswith("harness run --model ")]
    assert len(lines) == 2
    fake = FakeEndpoint(lambda _: chat("Happy"))
    try:
        for line in lines:
            words = shlex.split(line.replace(address, fake.url))
            if address in line:
                words += ["-o", "scores=label"]  # as the page says of a server without scores
            assert invoke(main, [*words[1:], "--results", "results"]) == 0, line
    finally:
        fake.close()
    assert fake.bodies
