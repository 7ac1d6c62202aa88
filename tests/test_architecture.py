"""The house rules that a reader relies on, held by machine."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import harness
from harness import hookspecs
from harness.models import Runtime
from harness.plugins import Plugins
from harness.requests import Choose, Request, Response, Scores
from harness.targets import load_target

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "harness"
PAGE = (ROOT / "docs" / "plugins.md").read_text(encoding="utf-8")

# Importing goes downwards or stays on a level; docs/architecture.md says the same in words.
LEVELS = (
    {"cli", "commands", "contracts"},
    {"studies"},
    {"api", "testing", "workers"},
    {"figures"},
    {"training", "analysis"},
    {"evaluation"},
    {"config", "specs", "readers", "models", "metrics", "runs", "tables"},
    {"samples", "requests", "stats"},
    {
        "arguments", "descriptors", "errors", "guard", "hookspecs", "events", "jsonfiles", "lazy",
        "packages", "plugin_code", "plugin_info", "plugins", "progress", "resources", "targets",
        "_version",
    },
)  # fmt: skip
BASE = LEVELS[-1]
DEPTH = {name: depth for depth, names in enumerate(LEVELS) for name in names}
# Modules that tie all parts together: the built-in plugin, and entry points of the package.
TIES = {"builtin", "__init__", "__main__"}


def files(*places: str) -> list[Path]:
    results = [path for position in places for path in (ROOT / position).rglob("*.py")]
    return sorted(path for path in results if "build" not in path.relative_to(ROOT).parts)


def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), str(path))


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imports(tree: ast.AST) -> Iterator[str]:
    """Yield every module imported anywhere in a tree; names from ``harness`` count as modules."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "harness":
                yield from (f"harness.{alias.name}" for alias in node.names)
            else:
                yield node.module


def at_import_time(tree: ast.Module) -> ast.Module:
    """Return a module without function bodies and without what only type checkers see."""

    class Strip(ast.NodeTransformer):
        def visit_FunctionDef(self, _: ast.FunctionDef) -> None:
            return None

        def visit_AsyncFunctionDef(self, _: ast.AsyncFunctionDef) -> None:
            return None

        def visit_If(self, node: ast.If) -> ast.AST | None:
            if "TYPE_CHECKING" in ast.unparse(node.test):
                return None
            return self.generic_visit(node)

    stripped = Strip().visit(tree)
    assert isinstance(stripped, ast.Module)
    return stripped


def part(module: str) -> str | None:
    names = module.split(".")
    return names[1] if names[0] == "harness" and len(names) > 1 else None


@pytest.mark.parametrize("path", files("harness"), ids=module_of)
def test_imports_go_downwards(path: Path) -> None:
    relative = path.relative_to(PACKAGE).with_suffix("")
    name = relative.parts[0]
    if name in TIES:
        return
    wrong = []
    for module in imports(parsed(path)):
        other = part(module)
        if other is None or other == name or other not in {*DEPTH, "engine"}:
            continue
        if name == "engine":
            allowed = other in {"models", "requests", "samples"} | BASE
        elif other == "engine":
            allowed = False  # it is for plugins
        else:
            allowed = DEPTH[other] >= DEPTH[name]
        if not allowed:
            wrong.append(module)
    assert not wrong, f"{module_of(path)} must not import {wrong}"


def test_no_circle_joins_parts_of_the_package() -> None:
    """What imports something is not imported by it, however far around; types count as well."""
    arrows: dict[str, set[str]] = {}
    for path in files("harness"):
        name = path.relative_to(PACKAGE).with_suffix("").parts[0]
        if name not in TIES:
            arrows.setdefault(name, set()).update(
                other for module in imports(parsed(path)) if (other := part(module)) is not None
            )
    arrows = {name: (others & arrows.keys()) - {name} for name, others in arrows.items()}
    while free := {name for name, others in arrows.items() if not others & arrows.keys()}:
        arrows = {name: others for name, others in arrows.items() if name not in free}
    assert not arrows, f"a circle, or what leads to one: {sorted(arrows)}"


def test_the_core_stays_as_small_as_the_page_declares() -> None:
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    declared = re.search(r"at most ([\d,]+) lines", page)
    assert declared is not None
    most = int(declared[1].replace(",", ""))
    lines = sum(len(path.read_text(encoding="utf-8").splitlines()) for path in files("harness"))
    assert lines <= most, (
        f"the core has {lines} lines: new things are plugins (docs/architecture.md)"
    )
    assert lines > most - 1000, f"the core has {lines} lines: declare less in docs/architecture.md"


def test_every_part_of_the_package_has_its_level() -> None:
    parts = {path.relative_to(PACKAGE).with_suffix("").parts[0] for path in files("harness")}
    assert parts - TIES - {"engine", "_data"} <= set(DEPTH)


TORCH = {"accelerate", "peft", "safetensors", "torch", "torchvision", "transformers"}


def declared_torch_modules() -> set[str]:
    """Return the modules that docs/architecture.md declares to import torch when imported."""
    page = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)/` \| (`.*`) \|$", page.partition("## Torch")[2], re.MULTILINE)
    return {
        f"harness.{folder}.{name}" for folder, names in rows for name in re.findall(r"\w+", names)
    }


def test_the_modules_that_import_torch_are_those_the_page_declares() -> None:
    """Any other module imports torch, and these modules, inside functions only."""
    declared = declared_torch_modules()
    needing_torch = set()
    for path in files("harness"):
        imported = set(imports(at_import_time(parsed(path))))
        if imported & declared or {name.partition(".")[0] for name in imported} & TORCH:
            needing_torch.add(module_of(path))
    assert needing_torch == declared


def test_the_core_imports_matplotlib_in_functions_alone() -> None:
    for path in files("harness"):
        result = {name.split(".")[0] for name in imports(at_import_time(parsed(path)))}
        assert "matplotlib" not in result, path.relative_to(ROOT)


def test_files_and_functions_stay_short() -> None:
    for path in files("harness", "plugins", "tests"):
        text = path.read_text(encoding="utf-8")
        assert len(text.splitlines()) <= 600, path.relative_to(ROOT)
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                assert length <= 80, f"{path.relative_to(ROOT)}: {node.name}"


def test_durations_are_measured_by_a_clock_that_cannot_be_set() -> None:
    for path in files("harness", "plugins"):
        for node in ast.walk(parsed(path)):
            called = ast.unparse(node.func) if isinstance(node, ast.Call) else ""
            assert called != "time.time", path.relative_to(ROOT)


def test_json_of_strangers_comes_through_one_door() -> None:
    """Where a file's bytes go straight to ``json``, whoever wrote them can end the command."""
    door = {PACKAGE / "jsonfiles.py"}
    # What the same process has just written, and what is part of the package itself.
    mine = {PACKAGE / "packages.py"}
    result = {
        path
        for path in files("harness")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.Call)
        and ast.unparse(node.func) in {"json.loads", "json.load"}
        and "read_" in ast.unparse(node)
    }
    engine = {path for path in result if path.is_relative_to(PACKAGE / "engine")}
    assert result - door - mine - engine == set()


def test_the_version_is_said_once() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["version"] == harness.__version__
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {harness.__version__}\n" in citation


@pytest.mark.parametrize(
    "page", ["README.md", "CONTRIBUTING.md", "docs/index.md", "docs/plugins.md"]
)
def test_pages_show_commands_and_options_that_exist(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    displayed = re.findall(
        r"(?:^|[ `/])harness((?: [^`\n#]+)?)", "\n".join(code_of(text)), re.MULTILINE
    )
    commands = Plugins().commands()
    for line in displayed:
        words = line.split()
        if not words or words[0] not in commands:
            assert not words or words[0] in {"COMMAND", "--block-plugin"}, line
            continue
        command = load_target(commands[words[0]])
        # A group's own sub-command may take the options.
        listed = {
            name
            for value in [command, *getattr(command, "commands", {}).values()]
            for option in value.params
            for name in option.opts
        }
        assert {word for word in words if word.startswith("-")} <= listed | {"--help"}, line


def code_of(text: str) -> list[str]:
    return re.findall(r"```console\n(.*?)```", text, re.DOTALL) + re.findall(
        r"`harness[^`]*`", text
    )


# --- hooks and the plugin author's page -----------------------------------------------------------


def hooks() -> list[ast.FunctionDef]:
    tree = parsed(Path(hookspecs.__file__))
    return [
        node
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("harness_")
    ]


@pytest.mark.parametrize("hook", hooks(), ids=lambda hook: hook.name)
def test_every_hook_is_documented(hook: ast.FunctionDef) -> None:
    docstring = ast.get_docstring(hook) or ""
    assert ".. versionadded:: " in docstring
    assert hook.returns is not None
    signature = f"{hook.name}({ast.unparse(hook.args)}) -> {ast.unparse(hook.returns)}"
    assert f"`{signature}`" in PAGE


def test_the_page_names_no_hook_that_is_not_there() -> None:
    named = set(re.findall(r"`(harness_\w+)\(", PAGE))
    assert named == {hook.name for hook in hooks()}


def test_the_model_on_the_page_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    block = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert block is not None
    (tmp_path / "first_model.py").write_text(block.group(1), encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    point = importlib.metadata.EntryPoint("first_model", "first_model", "harness")
    try:
        loaded = Plugins(points=[point])
        assert [info.problem for info in loaded.infos] == ["", ""]
        model: Any = load_target(loaded.models()["first"])({})
        assert model.identity(Runtime())
        request = Request("1", "1", "task", (), Choose(("happy", "sad", "none")))
        assert list(model.load(Runtime()).answer([request])) == [
            Response("1", Scores("label", (1.0, 0.0, 0.0)))
        ]
    finally:
        sys.modules.pop("first_model", None)
