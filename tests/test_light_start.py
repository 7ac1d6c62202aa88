"""What help and lists load: the complete set of others' modules, with all our plugins there."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
OURS = {path.name for path in (ROOT / "plugins").glob("*/src/harness_*")}

_PROBE = """
import contextlib, io, json, sys
before = set(sys.modules)
from harness.cli.main import invoke, main
found = {}
for line in sys.argv[1:]:
    with contextlib.redirect_stdout(io.StringIO()):
        assert invoke(main, line.split()) == 0, line
    new = {name.partition(".")[0] for name in set(sys.modules) - before}
    found[line] = sorted(new - sys.stdlib_module_names)
print(json.dumps(found))
"""


def loaded(lines: Sequence[str]) -> dict[str, set[str]]:
    """Return the top-level modules that a process has loaded after each command line, in turn."""
    done = subprocess.run(
        [sys.executable, "-c", _PROBE, *lines], capture_output=True, text=True, check=True
    )
    return {line: set(names) for line, names in json.loads(done.stdout).items()}


def of_others(names: set[str]) -> set[str]:
    """Return what is not this project's own; PyYAML's compiled half counts as PyYAML."""
    compiled = {"cython_runtime"}
    return {name for name in names - compiled if not name.startswith(("harness", "_"))}


@pytest.mark.parametrize(
    ("line", "allowed"),
    [
        ("--help", {"click", "pluggy"}),
        ("models", {"click", "pluggy", "rich"}),
        ("plugins", {"click", "pluggy", "rich"}),
        ("tasks", {"click", "pluggy", "rich", "yaml"}),
    ],
)
def test_a_list_loads_these_modules_of_others_and_no_more(line: str, allowed: set[str]) -> None:
    names = loaded([line])[line]
    assert names >= OURS, "a plugin of this project is not installed"
    assert of_others(names) == allowed


def test_help_of_every_command_loads_no_more_than_a_list() -> None:
    from harness.plugins import plugins
    from harness.targets import load_target

    lines = []
    for name, descriptor in plugins().commands().items():
        inner = getattr(load_target(descriptor), "commands", {})
        lines += [f"{name} --help", *(f"{name} {other} --help" for other in inner)]
    results = {line: of_others(names) for line, names in loaded(lines).items()}
    allowed = {"click", "pluggy", "rich"}
    assert {line: names - allowed for line, names in results.items() if names - allowed} == {}


def test_a_run_of_a_baseline_loads_no_library_that_it_does_not_compute_with(tmp_path: Path) -> None:
    code = (
        "import sys, harness; harness.run('null', 'raf_db', limit=4, profile='demo', results='r'); "
        "print({'scipy.stats', 'torch', 'pandas', 'pyarrow', 'matplotlib'} & set(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path
    )
    assert done.stdout.strip() == "set()"
