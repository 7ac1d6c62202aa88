"""A command's body is one call of the public function: what it prints is all it does beside it."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path

import pytest

import harness
from harness.plugins import plugins

DOORS = {
    "compare": {"compare"},
    "data": {"data_check"},
    "export": {"export"},
    "gradients": {"gradients"},
    "leaderboard": {"leaderboard"},
    "mir": {"mir"},
    "plot": {"plot"},
    "probe": {"probe"},
    "run": {"plan"},
    "site": {"build_site"},
    "list": {"installed"},
    "results": {"evaluations"},
    "schema": {"schema"},
    "submission": {"submission"},
    "study": {"plan_study"},
    "train": {"plan_training"},
    "transfer": {"transfer"},
    "validate": {"validate"},
}
"""Command to the public functions that it calls."""
PRESENTATION = (
    "harness.api",
    "harness.arguments",
    "harness.cli",
    "harness.commands",
    "harness.descriptors",
    "harness.errors",
    "harness.evaluation.run_settings",  # settings have the defaults of flags
    "harness_studies.comparisons",  # a claim is put into words
    "harness_studies.seeds",  # a kind of comparison is printed in its own way
    "harness.models.contract",
    "harness_training.parts",
    "harness.plugins",  # ids of formats
    "harness.progress",
    "harness_site.live",  # like the next, the server for this machine
    "harness_site.serve",
    "harness.stats.equivalence",  # verdicts are printed in words
    "harness_studies.files",  # names of shipped studies
    "harness.tables",
    "harness_training.figures",
    "harness_training.settings",
    "harness_training.steps",
)
LISTS = {"data", "results"}  # their sub-commands look at settings, specs and folders


def tree_of(command: str) -> ast.Module:
    module = importlib.import_module(plugins().commands()[command].target.partition(":")[0])
    assert module.__file__ is not None
    return ast.parse(Path(module.__file__).read_text(encoding="utf-8"))


@pytest.mark.parametrize("command", DOORS)
def test_a_command_calls_its_public_function_and_no_other(command: str) -> None:
    called = {
        node.func.attr
        for node in ast.walk(tree_of(command))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "harness"
    }
    assert called == DOORS[command]
    assert called <= set(harness.__all__)


@pytest.mark.parametrize("command", sorted(DOORS.keys() - LISTS))
def test_a_command_imports_what_it_prints_with_and_no_machinery(command: str) -> None:
    tree = tree_of(command)
    typing = [node for node in tree.body if isinstance(node, ast.If)]
    for block in typing:
        tree.body.remove(block)
    modules = {
        node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("harness")
    }
    ours = {  # `import commands`, and settings of a plugin's functions
        "harness", "harness_analyses.api", "harness_analyses.options", "harness_training.api",
    }  # fmt: skip
    private = {name for name in modules - ours if name and not name.startswith(PRESENTATION)}
    assert not private
