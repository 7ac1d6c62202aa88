"""What a run changes of how its tasks are asked, and what it refuses to."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import harness
from harness.cli.main import invoke, main
from harness.errors import UserError
from harness.specs.changes import Changes
from harness.specs.resolve import parts
from harness.specs.spec import TaskSpec


def spec(name: str) -> TaskSpec:
    return harness.load_task(name).spec


def planned(tmp_path: Path, tasks: str = "raf_db", **options: Any) -> list[Any]:
    plan = harness.plan("random", tasks, results=tmp_path, limit=4, profile="demo", **options)
    return [item.job for item in plan.evaluations]


def test_what_nobody_changes_stays_as_it_is() -> None:
    raf_db = spec("raf_db")
    assert Changes().apply([raf_db]) == [raf_db]
    expected = Changes(prompt=raf_db.prompt.template, shots=0, options_order="listed")
    assert expected.apply([raf_db]) == [raf_db]


@pytest.mark.parametrize(
    ("task", "changed", "part"),
    [
        ("raf_db", {"shots": 2}, "prompt"),
        ("raf_db", {"prompt": "Which mood?"}, "prompt"),
        ("raf_db", {"system": "Be brief."}, "prompt"),
        ("raf_db", {"options_order": "sorted"}, "ask"),
        ("textvqa", {"max_new_tokens": 3}, "ask"),
        ("textvqa", {"temperature": 0.5}, "ask"),
    ],
)
def test_each_change_is_part_of_the_fingerprint(task: str, changed: Any, part: str) -> None:
    before = spec(task)
    [after] = Changes(**changed).apply([before])
    assert list(after.asked) == list(changed)
    differing = [name for name, value in parts(before).items() if parts(after)[name] != value]
    assert differing == [part]


def test_a_changed_row_bears_its_change_in_record_and_table(tmp_path: Path) -> None:
    result = harness.run(
        "random", "raf_db", results=tmp_path, limit=4, profile="demo", shots=2, prompt="Which mood?"
    )
    [record] = result.records
    name = "random, limit=4, prompt=#c8824218, shots=2"
    assert record.title == name
    assert name in str(harness.leaderboard(result.records).sections)
    plain = planned(tmp_path)[0]
    assert plain.fingerprint != record.fingerprint
    assert plain.numbers["asked"] == {"limit": 4}


def test_of_several_tasks_those_are_changed_that_can_be(tmp_path: Path) -> None:
    first, second = planned(tmp_path, "raf_db,textvqa", temperature=0.5)
    assert first.numbers["asked"] == {"limit": 4}
    assert second.numbers["asked"] == {"temperature": 0.5, "limit": 4}


@pytest.mark.parametrize(
    ("tasks", "changed", "flag", "idle"),
    [
        ("raf_db,textvqa", {"temperature": 0.0}, "--temperature", "raf_db"),
        ("raf_db,textvqa", {"max_new_tokens": 9}, "--max-new-tokens", "raf_db"),
        ("raf_db,textvqa", {"options_order": "sorted"}, "--options-order", "textvqa"),
        ("raf_db,visogender", {"shots": 1}, "--shots", "visogender"),
    ],
)
def test_what_only_some_tasks_can_take_is_said_in_plan_and_manifest(
    tmp_path: Path, tasks: str, changed: Any, flag: str, idle: str
) -> None:
    options: Any = {"results": tmp_path, "profile": "demo", "limit": 1, **changed}
    [note] = harness.plan("random", tasks, **options).settings.notes
    assert note.startswith(f"{flag} does not apply to {idle}: only a task that has ")
    manifest = harness.run("random", tasks, **options).manifest
    assert json.loads(manifest.read_text())["notes"] == [note]


@pytest.mark.parametrize(
    ("tasks", "changed", "message"),
    [
        (
            "visogender",
            {"shots": 1},
            "--shots: no task here has a train split for examples",
        ),
        (
            "raf_db",
            {"temperature": 1.0},
            "--temperature: no task here has the model write its answer",
        ),
        ("textvqa", {"options_order": "sorted"}, "no task here has the model choose among options"),
        (
            "textvqa",
            {"prompt": "What is this?"},
            "the prompt uses no field, and",
        ),
        ("raf_db", {"prompt": "{{"}, "--prompt: line 1 of the template"),
        ("raf_db", {"prompt": "  "}, "the prompt is empty"),
        ("raf_db", {"prompt": "{{ mood }}?"}, "uses the field 'mood', which no"),
        ("raf_db", {"shots": 65}, "at most 64"),
        ("raf_db", {"limit": 0.0}, "limit of plan"),
    ],
)
def test_what_a_task_cannot_take_is_refused(
    tmp_path: Path, tasks: str, changed: Any, message: str
) -> None:
    options: dict[str, Any] = {"results": tmp_path, "profile": "demo", "limit": 4, **changed}
    with pytest.raises(UserError, match=message):
        harness.plan("random", tasks, **options)


def test_a_limit_may_be_a_share(tmp_path: Path) -> None:
    plan = harness.plan("random", "raf_db", results=tmp_path, profile="demo")
    tenth = harness.plan("random", "raf_db", results=tmp_path, profile="demo", limit=0.1)
    samples = plan.evaluations[0].job.plan.samples
    assert tenth.evaluations[0].job.plan.samples == -(-samples // 10)
    assert tenth.evaluations[0].job.plan.limited


def test_prompts_are_texts_or_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "prompt.txt").write_text("Which mood?\n")
    common = ["run", "--model", "random", "--tasks", "raf_db", "--results", str(tmp_path / "r")]
    common += ["--limit", "0.01", "--prompt"]
    assert invoke(main, [*common, f"@{tmp_path / 'prompt.txt'}"]) == 0
    assert invoke(main, [*common, "Which mood?"]) == 0
    assert len(list((tmp_path / "r" / "evaluations" / "raf_db").iterdir())) == 1
    capsys.readouterr()
    assert invoke(main, [*common, f"@{tmp_path / 'none.txt'}"]) == 2
    assert "none.txt: cannot be read" in capsys.readouterr().err
