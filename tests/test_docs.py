"""Every code block of the pages does what it shows, as far as it can be tried without its data.

A block that cannot be tried says why, in the page's source, on the line before it::

    <!-- not tried: why -->
"""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest
from harness_checks.references import reference_problems
from harness_studies.files import read_study

from harness.api.run_files import read_models_file, read_run_file
from harness.cli.main import main
from harness.config.settings import load_settings
from harness.config.tasks import is_path
from harness.descriptors import parse_options
from harness.plugins import find, plugins
from harness.specs.catalog import load_catalog
from harness.specs.loader import check
from harness.specs.yaml_loader import parse_yaml
from harness.tables.layout import load_layout, load_published

ROOT = Path(__file__).parents[1]
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md", ROOT / "CONTRIBUTING.md"])
BLOCK = re.compile(
    r"(?:<!-- not tried: (?P<why>[^>]+) -->\n)?^```(?P<kind>\w+)\n(?P<text>.*?)^```",
    re.MULTILINE | re.DOTALL,
)
MADE_HERE = {".", "kappa"}  # the page's own package, and the one that a page has made
PLACEHOLDERS = {"MODEL", "RUN", "..."}


@dataclass(frozen=True)
class Block:
    """A block of a page, with the reason why it is not tried."""

    page: str
    number: int
    kind: str
    text: str
    why: str


def blocks() -> Iterator[Block]:
    for path in PAGES:
        result = BLOCK.finditer(path.read_text(encoding="utf-8"))
        for number, block in enumerate(result, 1):
            page = path.relative_to(ROOT).as_posix()
            yield Block(page, number, block["kind"], block["text"], block["why"] or "")


def of(*kinds: str) -> list[Any]:
    return [
        pytest.param(block, id=f"{block.page}-{block.number}")
        for block in blocks()
        if block.kind in kinds and not block.why
    ]


def test_every_block_is_of_a_kind_that_is_tried_or_says_why_not() -> None:
    kinds = {block.kind for block in blocks()}
    assert kinds <= {"console", "python", "toml", "yaml", "json", "text"}  # a text shows output
    assert all(len(block.why.split()) >= 3 for block in blocks() if block.why)
    fences = sum(
        line.startswith("```") and line.strip() != "```"
        for path in PAGES
        for line in path.read_text(encoding="utf-8").splitlines()
    )
    assert fences == len(list(blocks()))  # none that the pattern passes over


# --- commands -------------------------------------------------------------------------------------


def commands(text: str) -> Iterator[list[str]]:
    """Yield each command's words, without comments, variables before it, and launchers."""
    for line in text.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        while words and re.fullmatch(r"[A-Z_]+=.*", words[0]):
            words.pop(0)
        if words[:1] == ["torchrun"]:
            assert "-m" in words
            words = words[words.index("-m") + 1 :]
        if words:
            yield words


@pytest.fixture
def unblocked(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Undo what a command on a page blocks."""
    monkeypatch.setattr("harness.plugins._extra_blocked", set())
    yield
    plugins.cache_clear()


@pytest.mark.usefixtures("unblocked")
@pytest.mark.parametrize("block", of("console"))
def test_commands_are_there_with_their_options(block: Block) -> None:
    for words in commands(block.text):
        program, arguments = words[0], words[1:]
        if program == "harness":
            the_command_parses(arguments)
        elif program == "make":
            assert f"\n{arguments[0]}:" in (ROOT / "Makefile").read_text(encoding="utf-8")
        elif program.endswith("python"):
            assert arguments[:2] == ["-m", "pytest"]
            assert arguments[2] in MADE_HERE or (ROOT / arguments[2]).is_dir()
        else:
            assert words[:3] == ["pip", "install", "-e"], f"{words}: of another program"
            assert words[3].removesuffix("[test]") in MADE_HERE, f"{words}: of another program"


def the_command_parses(arguments: list[str]) -> None:
    """Let click read a command line to its end; the names in it must be there."""
    if arguments[-1] in PLACEHOLDERS:  # the beginning of a command
        arguments = [*arguments[:-1], "--help"]
    command: click.Command = main
    context = main.make_context("harness", list(arguments))
    while isinstance(command, click.Group):
        left = [*context._protected_args, *context.args]
        if not left:
            break
        name, inner, remainder = command.resolve_command(context, left)
        assert inner is not None, name
        if "--help" in remainder:
            return
        command = inner
        context = inner.make_context(name, remainder, parent=context)
    names_are_known(context.params)


def names_are_known(changes: dict[str, Any]) -> None:
    model = changes.get("model")
    for name in model.split(",") if isinstance(model, str) else ():
        if name in {"MODEL", "first"} or is_path(name):  # a file says which
            continue
        descriptor = find("model", name, plugins().models())
        options = dict(pair.split("=", 1) for pair in changes.get("options", ()))
        preset = options.pop("preset", None)
        assert preset is None or preset in descriptor.presets
        parse_options(descriptor.options, options, owner=name)
    recipe = changes.get("recipe")
    if isinstance(recipe, str):
        options = dict(pair.split("=", 1) for pair in changes.get("recipe_options", ()))
        parse_options(find("recipe", recipe, plugins().recipes()).options, options, owner=recipe)
    tasks = changes.get("tasks")
    if isinstance(tasks, str):
        tasks = ",".join(name for name in tasks.split(",") if not is_path(name)) or "raf_db"
        load_catalog(plugins().spec_folders()).expand([tasks])
    layouts = changes.get("layout")
    for layout in [layouts] if isinstance(layouts, str) else layouts or ():
        if not is_path(layout):  # a file of the page is read with its block
            load_layout(layout)


# --- files ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("block", of("yaml"))
def test_yaml_is_read(block: Block, tmp_path: Path) -> None:
    text = block.text
    if text.startswith("compare:"):  # a part of the page's study
        text = next(
            item.text for item in blocks() if item.page == block.page and "study:" in item.text
        )
        text += block.text
    document = parse_yaml(text)
    data: Any = document.data
    path = tmp_path / "block.yaml"
    path.write_text(text, encoding="utf-8")
    if "published" in data:
        assert load_published(path).rows
    elif "leaderboard" in data:
        (tmp_path / "published").mkdir()
        for name in data.get("reported", ()):
            (tmp_path / "published" / f"{name}.yaml").write_text(published(block.page, name))
        assert load_layout(str(path)).columns
    elif "study" not in data and {"model", "models"} & data.keys():
        assert read_run_file(path) if "tasks" in data else read_models_file(path)
    elif "id" in data:
        assert not [*check(document), *reference_problems(document, plugins())]
    else:
        assert read_study(document).id


def published(page: str, name: str) -> str:
    (results,) = [
        block.text
        for block in blocks()
        if block.page == page and block.text.startswith(f"published: {name}\n")
    ]
    return results


@pytest.mark.parametrize("block", of("toml", "json"))
def test_settings_are_read(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if block.kind == "json":
        json.loads(block.text)
        return
    if "project" in tomllib.loads(block.text):
        # Installed below, and by tests/test_tutorials.py.
        assert block.page in {"docs/plugins.md", "docs/how-to/own-metric.md"}
        return
    monkeypatch.chdir(tmp_path)
    (tmp_path / "harness.toml").write_text(block.text, encoding="utf-8")
    assert set(load_settings().data) == set(tomllib.loads(block.text)["data"])


@pytest.mark.torch
@pytest.mark.parametrize("block", of("python"))
def test_python_runs(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("HARNESS_PROFILE", "HARNESS_RESULTS"):
        monkeypatch.delenv(name, raising=False)
    exec(compile(block.text, block.page, "exec"), {"__name__": "page"})  # noqa: S102  our own page


# --- the plugin of the page -----------------------------------------------------------------------


@pytest.fixture
def first(tmp_path: Path) -> dict[str, str]:
    """Install the page's plugin as its own project file says; return an environment with it."""
    page = [block for block in blocks() if block.page == "docs/plugins.md"]
    code = next(block.text for block in page if block.kind == "python")
    project = tomllib.loads(next(block.text for block in page if block.kind == "toml"))["project"]
    ((name, module),) = project["entry-points"]["harness"].items()
    (tmp_path / f"{module}.py").write_text(code, encoding="utf-8")
    info = tmp_path / f"{project['name'].replace('-', '_')}-{project['version']}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    (info / "entry_points.txt").write_text(f"[harness]\n{name} = {module}\n")
    path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, "HARNESS_RESULTS": str(tmp_path / "results")}


def harness(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "harness", *arguments],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_first_model_passes_the_project_s_own_kit(first: dict[str, str]) -> None:
    done = harness(first, "plugin", "check", "first", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    checks = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert not [check for check in checks.values() if check["status"] == "failed"]
    assert checks["capabilities"]["status"] == checks["option_order"]["status"] == "ok"


def test_the_first_model_runs_as_the_page_says(first: dict[str, str]) -> None:
    assert "Takes" in harness(first, "models").stdout
    done = harness(first, "run", "--model", "first", "--tasks", "raf_db", "--limit", "3", "--json")
    assert done.returncode == 0, done.stderr
