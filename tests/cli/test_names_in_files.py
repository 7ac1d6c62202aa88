"""Each name in a run file, a group, harness.toml and a layout, changed, is refused or said."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.cli.main import invoke, main
from harness.resources import data_folder

Path_ = tuple[str | int, ...]
Change = tuple[str, Path_]
WRONG = "zzz"

RUN: dict[str, Any] = {
    "models": [
        {"model": "socialfusion", "options": {"preset": "demo"}, "device": "cpu",
         "dtype": "float32"},
        {"model": "majority"},
        "random",
    ],
    "tasks": ["raf_db", "hagrid*", "social_all"],
    "spec_options": {"pisc_fine.absent_class": "zero"},
    "profile": "demo",
    "limit": 3,
    "device": "cpu",
    "dtype": "float32",
    "variants": "blur",
    "options_order": "sorted",
    "on": "processes",
    "executor_options": {"workers": 2},
}  # fmt: skip
METHOD: dict[str, Any] = {
    "model": {"model": "llava", "options": {"preset": "demo", "attention": "sdpa"},
              "method": "prompt_debias", "method_options": {"turn": "system"}},
    "tasks": "raf_db",
    "ids": ["test_0001"],
    "track": ["tensorboard"],
}  # fmt: skip
SETTINGS: dict[str, Any] = {
    "profile": "demo",
    "data": {"source": "demo_world", "raf_db": "."},
    "models": {"llava": {"preset": "demo", "attention": "sdpa"}, "random": {"seed": 3}},
    "tasks": {"include": ["specs"]},
}
GROUP = data_folder("task_specs") / "groups" / "papers_all.yaml"
EXECUTORS = {
    "processes": ("workers=2", "gpus=0", "patience=9"),
    "ray": ("workers=2", "gpus=0", "cpus=1", "wait=9"),
    "slurm": ("workers=2", "gpus=0", "cluster=local", "minutes=9", "patience=9"),
}
NEEDS = {"ray": "ray", "slurm": "submitit"}
"""What an executor imports before it looks at its options."""


def changes(node: Any, path: Path_ = ()) -> Iterator[Change]:
    """Yield each key and each text, with its path."""
    pairs = list(node.items()) if isinstance(node, dict) else list(enumerate(node))
    for key, value in pairs:
        if isinstance(node, dict):
            yield "key", (*path, key)
        if isinstance(value, dict | list):
            yield from changes(value, (*path, key))
        elif isinstance(value, str):
            yield "text", (*path, key)


def changed(content: Any, change: Change) -> Any:
    kind, path = change
    other = copy.deepcopy(content)
    inner = other
    for key in path[:-1]:
        inner = inner[key]
    if kind == "text":
        inner[path[-1]] += WRONG
    else:
        inner[f"{path[-1]}{WRONG}"] = inner.pop(path[-1])
    return other


def named(content: Any) -> list[Any]:
    return [
        pytest.param(change, id=f"{change[0]}-{'.'.join(map(str, change[1]))}")
        for change in changes(content)
    ]


def toml(content: dict[str, Any], heading: str = "") -> str:
    lines = [f"[{heading}]"] if heading else []
    tables = {key: value for key, value in content.items() if isinstance(value, dict)}
    lines += [f"{key} = {value!r}" for key, value in content.items() if key not in tables]
    dot = f"{heading}." if heading else ""
    return "\n".join([*lines, *(toml(table, f"{dot}{key}") for key, table in tables.items())])


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("specs").mkdir()


def run_file(content: Any) -> int:
    Path("run.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return invoke(main, ["run", "--config", "run.yaml", "--dry-run"])


@pytest.mark.parametrize("change", named(RUN))
def test_a_run_file_names_nothing_that_is_not_there(change: Change) -> None:
    assert run_file(changed(RUN, change)) == 2


@pytest.mark.parametrize("change", named(METHOD))
def test_a_run_file_with_a_method_names_nothing_that_is_not_there(change: Change) -> None:
    assert run_file(changed(METHOD, change)) == 2


def test_the_files_that_are_changed_are_sound_as_they_stand(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for content in (RUN, METHOD):
        assert run_file(content) == 0, capsys.readouterr().err
    Path("models.yaml").write_text(yaml.safe_dump(RUN["models"]), encoding="utf-8")
    command = ["run", "--tasks", "raf_db", "--limit", "2", "--dry-run"]
    assert invoke(main, [*command, "--models", "models.yaml"]) == 0, capsys.readouterr().err
    Path("harness.toml").write_text(toml(SETTINGS), encoding="utf-8")
    for listing in ("tasks", "models"):
        assert invoke(main, [listing]) == 0, capsys.readouterr().err


@pytest.mark.parametrize("change", named(RUN["models"]))
def test_a_file_of_models_names_nothing_that_is_not_there(change: Change) -> None:
    content = changed(RUN["models"], change)
    Path("models.yaml").write_text(yaml.safe_dump(content), encoding="utf-8")
    command = ["run", "--models", "models.yaml", "--tasks", "raf_db", "--dry-run"]
    assert invoke(main, command) == 2


@pytest.mark.parametrize("command", ["tasks", "models"])
@pytest.mark.parametrize("change", named(SETTINGS))
def test_settings_name_nothing_that_is_not_there(change: Change, command: str) -> None:
    if change == ("text", ("data", "raf_db")):
        return  # data that are not there are said where they are asked for
    Path("harness.toml").write_text(toml(changed(SETTINGS, change)), encoding="utf-8")
    assert invoke(main, [command]) == 2


@pytest.mark.parametrize("change", named(yaml.safe_load(GROUP.read_text(encoding="utf-8"))))
def test_a_group_names_nothing_that_is_not_there(change: Change) -> None:
    if change in {("text", ("group",)), ("text", ("title",)), ("text", ("note",))}:
        return  # what it is called
    content = changed(yaml.safe_load(GROUP.read_text(encoding="utf-8")), change)
    Path("group.yaml").write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    assert invoke(main, ["run", "--model", "null", "--tasks", "group.yaml", "--dry-run"]) == 2
    assert invoke(main, ["validate", "group.yaml"]) == 2


@pytest.mark.parametrize("executor", EXECUTORS)
def test_an_option_of_an_executor_names_nothing_that_is_not_there(
    executor: str, capsys: pytest.CaptureFixture[str]
) -> None:
    if executor in NEEDS:
        pytest.importorskip(NEEDS[executor], reason=f"needs {NEEDS[executor]}")
    command = ["run", "--model", "null", "--tasks", "raf_db", "--limit", "2", "--dry-run"]
    command += ["--on", executor]
    options = EXECUTORS[executor]
    sound = [part for option in options for part in ("-e", option)]
    assert invoke(main, [*command, *sound]) == 0, capsys.readouterr().err
    for option in options:
        for wrong in (option.replace("=", f"{WRONG}="), option + WRONG):
            assert invoke(main, [*command, "-e", wrong]) == 2, wrong


def test_a_run_file_says_where_no_data_of_another_name_lie() -> None:
    assert run_file({**RUN, "data": {f"raf_db{WRONG}": "."}}) == 2
