"""Commands in ``fix:`` lines can be typed: command, sub-command and flags are there."""

from __future__ import annotations

import ast
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

from harness.cli.main import invoke, main
from harness.plugins import plugins
from harness.targets import load_target

ROOT = Path(__file__).parents[2]
SOURCES = sorted({*ROOT.glob("harness/**/*.py"), *ROOT.glob("plugins/*/src/**/*.py")})
COMMAND = re.compile(r"(?<![\w-])harness ([a-z]+)([^;,|()`]*)")
Capture = pytest.CaptureFixture[str]


def texts(node: ast.AST) -> str:
    """Return what an expression says, with VALUE for what only a run knows."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.FormattedValue):
        return "VALUE"
    return " ".join(map(texts, ast.iter_child_nodes(node))) if not isinstance(
        node, ast.JoinedStr
    ) else "".join(map(texts, node.values))  # fmt: skip


def fixes() -> Iterator[tuple[str, str]]:
    """Yield the place and the text of every ``fix=`` in the code."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.keyword) and node.arg == "fix":
                yield f"{path.relative_to(ROOT)}:{node.value.lineno}", texts(node.value)


def problem_with(words: list[str]) -> str:
    """Return what is wrong with a command line; empty for nothing."""
    command: Any = load_target(plugins().commands()[words[0]])
    remainder = words[1:]
    while isinstance(command, click.Group) and remainder and remainder[0] in command.commands:
        command, remainder = command.commands[remainder[0]], remainder[1:]
    if isinstance(command, click.Group) and not command.invoke_without_command:
        return f"{words} names no sub-command of {sorted(command.commands)}"
    flags = {flag for parameter in command.params for flag in parameter.opts}
    unknown = [word for word in remainder if word.startswith("-") and word not in flags]
    return f"{words}: no such flags: {unknown}" if unknown else ""


def test_every_command_in_a_fix_is_one() -> None:
    lines = [(position, match) for position, text in fixes() for match in COMMAND.finditer(text)]
    assert len(lines) > 30
    for position, match in lines:
        assert match[1] in plugins().commands(), (position, match[0])
        assert problem_with([match[1], *match[2].split()]) == "", position


def test_the_data_of_a_task_of_ones_own_are_found_by_the_command_that_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = Path("my faces")
    folder.mkdir()
    spec = (ROOT / "task_specs/social/raf_db.yaml").read_text().replace("id: raf_db", "id: faces")
    Path(folder, "faces.yaml").write_text(spec)
    model = ["--model", "majority", "--profile", "full", "--tasks", f"./{folder}/faces.yaml"]
    assert invoke(main, ["run", *model]) == 2
    streams = re.search(r"harness (data where [^;]+);", capsys.readouterr().err)
    assert streams is not None
    invoke(main, [*shlex.split(streams[1]), "--profile", "full"])
    printed = capsys.readouterr()
    assert "faces: raf_db, split" in printed.out
    assert "unknown task" not in printed.err


@pytest.mark.parametrize(
    "command",
    [
        "run --model socialfusion --tasks raf_db --checkpoint nowhere",
        "site serve nowhere",
        "plot loss nowhere --out x.pdf",
        "plot epochs nowhere --out x.pdf",
        "plot degradation nowhere --out x.pdf",
        "review nowhere",
        "validate nowhere",
        "new task nowhere --yes",
        "reproductions --genderbias-vl nowhere",
    ],
)
def test_a_folder_that_is_not_there_is_said_not_to_be(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("nowheres").mkdir()
    assert invoke(main, command.split()) == 2
    err = capsys.readouterr().err
    assert "nowhere: the file or folder does not exist" in err
    assert "did you mean 'nowheres'?" in err
    assert [path.name for path in tmp_path.iterdir()] == ["nowheres"]


@pytest.mark.parametrize(
    "command",
    ["run --model majority --tasks raf_db --ids", "compare a b --tasks", "plot forest --out",
     "export . --out out --format", "results list --results", "rescore . --metrics",
     "data where raf_db --data", "leaderboard --layout", "run --tasks raf_db --model"],
)  # fmt: skip
def test_an_option_without_a_value_is_the_fault_that_is_named(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(tmp_path)
    for blank in ("", " "):
        assert invoke(main, [*command.split(), blank]) == 2
        flag = command.rsplit(maxsplit=1)[-1]
        assert f"{flag} is given without a value" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("words", "fix"),
    [
        ("tasks list", "fix: harness tasks, or with show ID for one"),
        ("tasks shwo", "fix: harness tasks, or with show ID for one"),
        ("models lst", "fix: harness models, or with show ID for one"),
        ("tasks raf_db", "fix: harness tasks show raf_db"),
    ],
)
def test_a_group_that_lists_by_itself_says_how(
    words: str, fix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(main, words.split()) == 2
    assert fix in capsys.readouterr().err


def test_a_near_miss_of_a_command_is_said_once(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(main, ["results", "lst"]) == 2
    assert capsys.readouterr().err.casefold().count("did you mean") == 1
