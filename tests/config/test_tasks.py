"""Specs that no plugin brings: named by path, included, given as data."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness import data_check, load_task, plan
from harness.cli.main import invoke, main
from harness.config.tasks import (
    forget_included,
    include,
    installed_catalog,
    own_folder,
    task_name,
    task_names,
)
from harness.errors import UserError

SPEC: dict[str, Any] = {
    "id": "own_faces",
    "version": 1,
    "title": "Own faces",
    "summary": "Say whether a face is happy.",
    "citation": "none",
    "licence": "mine",
    "intended_use": "a test",
    "data": {
        "benchmark": "own_faces",
        "reader": "table",
        "split": "test",
        "options": {"file": "labels.csv", "id": "name", "target": "label"},
        "obtain": "it lies beside this file",
    },
    "prompt": {"template": "Happy or sad?"},
    "ask": {"choose": {"labels": ["happy", "sad"]}},
    "answer": "{{ target }}",
    "metrics": [
        {"id": "accuracy", "column": "Accuracy", "direction": "higher", "scale": 100, "main": True}
    ],
    "unit": "sample",
}


@pytest.fixture(autouse=True)
def _nothing_included() -> Iterator[None]:
    yield
    forget_included()


def write(folder: Path, name: str = "own_faces.yaml", **changed: Any) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(yaml.safe_dump({**SPEC, **changed}, sort_keys=False))
    (folder / "labels.csv").write_text("name,label\na,happy\nb,sad\n")
    return path


def group(folder: Path, name: str, *members: str) -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(yaml.safe_dump({"group": name, "title": name, "tasks": [*members]}))
    return path


def expanded(path: Path) -> list[str]:
    names = task_names([path])
    return installed_catalog().expand(names)


def test_a_spec_named_by_its_path_is_known_with_the_data_beside_it(tmp_path: Path) -> None:
    path = write(tmp_path / "own")
    assert task_names(str(path)) == ["own_faces"]
    task = load_task("own_faces")
    assert [sample.target for sample in task.samples()] == ["happy", "sad"]
    assert str(task.located.root) == str(path.parent)
    assert own_folder(task.spec.source) == path.parent
    assert own_folder(load_task("raf_db").spec.source) is None


def test_a_run_takes_paths_beside_ids(tmp_path: Path) -> None:
    path = write(tmp_path / "own")
    planned = plan("random", f"{path},raf_db", results=tmp_path / "results", profile="demo")
    assert [job.job.plan.task.id for job in planned.evaluations] == ["own_faces", "raf_db"]


def test_a_path_for_the_data_wins_over_the_folder_of_the_spec(tmp_path: Path) -> None:
    path = write(tmp_path / "own")
    other = tmp_path / "other"
    other.mkdir()
    (other / "labels.csv").write_text("name,label\nc,sad\n")
    planned = plan("random", str(path), data={"own_faces": other}, results=tmp_path / "results")
    assert planned.evaluations[0].job.plan.samples == 1
    report = data_check(path, data={"own_faces": other})
    assert report.splits[0].counts["samples"] == 1


def test_a_spec_as_a_dictionary(tmp_path: Path) -> None:
    write(tmp_path / "own")
    task = load_task({**SPEC, "id": "as_data"}, data=tmp_path / "own")
    assert [sample.id for sample in task.samples()] == ["a", "b"]
    with pytest.raises(UserError, match="the spec given:1:1: the key 'version' is missing"):
        load_task({"id": "as_data"})
    with pytest.raises(UserError, match="neither a task"):
        load_task({"version": 1})
    with pytest.raises(UserError, match="not plain data"):
        load_task({"id": object()})


def test_a_folder_is_included_by_flag_and_by_the_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write(tmp_path / "own").parent
    group(folder, "own_all", "own_faces", "raf_db")
    assert invoke(main, ["tasks", "--include", str(folder), "--group", "own_all"]) == 0
    assert "own_faces" in capsys.readouterr().out
    assert "own_faces" not in installed_catalog().entries  # the command is over
    monkeypatch.chdir(tmp_path)
    (tmp_path / "harness.toml").write_text('[tasks]\ninclude = ["own"]\n')
    assert installed_catalog().group("own_all").tasks == ("own_faces", "raf_db")
    include([folder])  # the same folder twice is no conflict
    assert installed_catalog().expand(["own_all"]) == ["own_faces", "raf_db"]
    (tmp_path / "harness.toml").write_text('[tasks]\ninclude = ["none"]\n')
    assert invoke(main, ["tasks"]) == 2
    assert "none', which does not exist" in capsys.readouterr().err


@pytest.mark.parametrize("text", ['[tasks]\ninclude = "own"', "[tasks]\nincludes = []"])
def test_settings_of_another_shape(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "harness.toml").write_text(text)
    with pytest.raises(UserError, match=r"tasks.include"):
        installed_catalog()


def test_a_group_names_files_beside_it(tmp_path: Path) -> None:
    write(tmp_path / "own")
    path = group(tmp_path / "own", "own_all", "own_faces.yaml", "raf_db")
    assert expanded(path) == ["own_faces", "raf_db"]


def test_a_group_that_includes_itself_is_refused(tmp_path: Path) -> None:
    tmp_path.joinpath("a.yaml").write_text("group: a\ntitle: A\ntasks: [b.yaml]\n")
    tmp_path.joinpath("b.yaml").write_text("group: b\ntitle: B\ntasks: [./a.yaml]\n")
    with pytest.raises(UserError, match="a group contains itself"):
        task_names([tmp_path / "a.yaml"])
    itself = group(tmp_path, "c", "c")
    with pytest.raises(UserError, match="a group contains itself: c -> c"):
        expanded(itself)


@pytest.mark.parametrize("member", ["../x.yaml", "/etc/x.yaml"])
def test_a_group_stays_in_its_folder(tmp_path: Path, member: str) -> None:
    path = group(tmp_path, "own_all", member)
    with pytest.raises(UserError, match="lies outside the group's folder"):
        task_names([path])


def test_what_is_no_spec(tmp_path: Path) -> None:
    (tmp_path / "list.yaml").write_text("- 1\n")
    (tmp_path / "groups.yaml").write_text("groups: mine\ntitle: Mine\ntasks: [a]\n")
    (tmp_path / "id.yaml").write_text("id: mine\ntitle: Mine\ntasks: [a]\n")
    (tmp_path / "number.yaml").write_text("group: 1\ntitle: Mine\ntasks: [a]\n")
    cases = {
        "groups.yaml": "the key 'group', the name of this list of tasks, is missing",
        "id.yaml": "the key 'group', the name of this list of tasks, is missing",
        "number.yaml": "the key 'group', the name of this list of tasks, is missing or no text",
        "list.yaml": "neither a task",
        "none.yaml": "cannot be read",
        "x" * 300 + ".yaml": "cannot be read",
    }
    for name, message in cases.items():
        with pytest.raises(UserError, match=message):
            task_name(tmp_path / name)
    with pytest.raises(UserError, match="is a folder of specs"):
        task_name(f"{tmp_path}/")
    with pytest.raises(UserError, match="the file or folder does not exist"):
        include([tmp_path / "none"])


def test_two_files_with_one_id(tmp_path: Path) -> None:
    first, second = write(tmp_path / "one"), write(tmp_path / "two")
    with pytest.raises(UserError, match="the id 'own_faces' is already used by"):
        task_names([first, second])
    task_names([first])
    task_names([second])  # in a later call the later file counts
    assert load_task("own_faces").spec.source == second
    taken = write(tmp_path / "three", id="raf_db")
    with pytest.raises(UserError, match="the id 'raf_db' is already used by"):
        load_task(taken)


def test_two_specs_of_one_call_with_one_id(tmp_path: Path) -> None:
    other = {**SPEC, "title": "Others"}
    with pytest.raises(UserError, match="two specs have the id 'own_faces'"):
        task_names([SPEC, other])
    with pytest.raises(UserError, match="two specs have the id 'own_faces'"):
        task_names([write(tmp_path), SPEC])
    with pytest.raises(UserError, match="'own_faces' is already used by a spec given as data"):
        task_names([SPEC, write(tmp_path)])
    assert task_names([SPEC, SPEC]) == ["own_faces"] * 2


@pytest.mark.parametrize("value", [Path("labels.csv"), len, {1, 2}.__iter__()])
def test_a_spec_that_is_no_plain_data_names_what_is_none(value: object) -> None:
    with pytest.raises(UserError, match="which is not plain data") as error:
        task_names([{**SPEC, "title": value}])
    assert "cannot represent" not in str(error.value)
