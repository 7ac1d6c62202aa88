"""A default is written once: in a descriptor, or in the settings that all doors share."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
from harness_analyses.gradients import GradientSettings
from harness_analyses.mir import MirSettings
from harness_analyses.probe import ProbeSettings
from harness_training.parts import LoraSettings
from harness_training.settings import TrainingSettings

from harness.arguments import defaults
from harness.evaluation.run_settings import RunSettings
from harness.models import Runtime
from harness.plugins import plugins
from harness.targets import load_target

ROOT = Path(__file__).parents[1]
KINDS = ("models", "readers", "metrics", "extractors", "recipes", "answer_methods")
SHARED: Mapping[str, tuple[type, ...]] = {
    "run": (RunSettings, Runtime),
    "train": (TrainingSettings,),
    "probe": (ProbeSettings, Runtime),
    "gradients": (GradientSettings, Runtime),
    "mir": (MirSettings, Runtime),
}


def names_with_defaults() -> set[str]:
    described = [item for kind in KINDS for item in getattr(plugins(), kind)().values()]
    options = [option for item in described for option in item.options]
    return {option.name for option in options if option.default is not None}


def second_copies(tree: ast.AST, names: set[str]) -> Iterator[str]:
    """Yield ``options.get(NAME, default)`` and ``options.get(NAME) or default``."""
    for node in ast.walk(tree):
        content = node.values[0] if isinstance(node, ast.BoolOp) else node
        if not (
            isinstance(content, ast.Call)
            and isinstance(content.func, ast.Attribute)
            and content.func.attr == "get"
            and ast.unparse(content.func.value).endswith("options")
            and isinstance(content.args[0], ast.Constant)
            and content.args[0].value in names
        ):
            continue
        falls_back = isinstance(node, ast.BoolOp) and isinstance(node.values[1], ast.Constant)
        if len(content.args) == 2 or falls_back:
            yield ast.unparse(node)


def test_a_second_copy_is_found() -> None:
    lines = 'options.get("a", 1)\nself.options.get("a") or 1\noptions.get("a")\noptions["a"]'
    result = list(second_copies(ast.parse(lines), {"a"}))
    assert result == ["options.get('a', 1)", "self.options.get('a') or 1"]


def test_no_code_repeats_a_default_that_a_descriptor_has() -> None:
    names = names_with_defaults()
    result = {
        f"{path.relative_to(ROOT)}: {line}"
        for folder in ("harness/metrics", "harness/models", "plugins")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for line in second_copies(ast.parse(path.read_text("utf-8")), names)
    }
    assert result == set()


@pytest.mark.parametrize("command", SHARED)
def test_a_flag_has_the_default_of_the_settings(command: str) -> None:
    content: Any = load_target(plugins().commands()[command])
    # click has a mark of its own where an option names no default.
    plain = str | int | float
    flags = {
        param.name: param.default if isinstance(param.default, plain) else None
        for param in content.params
    }
    for settings in SHARED[command]:
        expected = defaults(settings)
        # A batch size that is the model's own is "auto" on the command line, and None here.
        shared = {field.name for field in fields(settings)} & flags.keys() & expected.keys()
        # A runtime that nobody tells leaves threads alone; a run tells it what the settings say.
        shared -= {"batch_size", *({"threads"} if settings is Runtime else ())}
        differs = {name for name in shared if (flags[name] or None) != (expected[name] or None)}
        assert not differs


def test_no_flag_of_a_run_or_a_training_repeats_a_default() -> None:
    expected = {"--batch-size", "--variants"}  # words of the command line: auto, and nothing
    training = ROOT / "plugins" / "training" / "src" / "harness_training"
    for path in (ROOT / "harness" / "cli" / "run.py", training / "command.py"):
        tree = ast.parse(path.read_text("utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "click.option":
                flag = ast.literal_eval(node.args[0])
                default = {word.arg: word.value for word in node.keywords}.get("default")
                assert not isinstance(default, ast.Constant) or flag in expected, flag


def test_adapters_of_a_training_have_the_defaults_of_their_settings() -> None:
    command: Any = load_target(plugins().commands()["train"])
    flags = {param.name: param.default for param in command.params}
    expected = defaults(LoraSettings)
    assert {name: flags[f"lora_{name}"] for name in expected} == expected
