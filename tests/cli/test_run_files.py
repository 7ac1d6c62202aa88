"""A run as a file, several models with their own options, and patterns of tasks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

import harness
from harness.api.run_files import read_models_file, read_run_file
from harness.cli.main import invoke, main
from harness.config.tasks import forget_included
from harness.errors import UserError
from harness.evaluation.run import RunResult


def written(tmp_path: Path, content: Any) -> Path:
    path = tmp_path / "run.yaml"
    text = content if isinstance(content, str) else yaml.safe_dump(content, sort_keys=False)
    path.write_text(text, encoding="utf-8")
    return path


def evaluations(result: RunResult) -> list[tuple[str, str]]:
    return [(record.model, record.task) for record in result.records]


def test_a_record_is_written_back_as_a_run_that_asks_the_same(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    first = harness.run(
        {"model": "random", "options": {"seed": 3}}, "pisc_fine",
        results=tmp_path, profile="demo", limit=3, shots=1, seed=5, max_pixels=10**7,
        prompt="Say how {{ options | join(' or ') }} fits.", system="@ is no file\nhere",
        variants="rotations=1",
    )  # fmt: skip
    for record in first.records:
        assert invoke(main, ["results", "show", str(record.directory), "--config"]) == 0
        path = written(tmp_path, capsys.readouterr().out)
        arguments = read_run_file(path)
        plan = harness.plan(**arguments, results=tmp_path, profile="demo")
        states = {item.job.directory: item.state for item in plan.evaluations}
        assert states[record.directory] == "done"


@pytest.fixture
def own_task(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A spec of one's own beside its data, in the working folder."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "t.csv").write_text("name,label\nx,yes\ny,no\n", encoding="utf-8")
    task = ["new", "task", "mine", "--yes", "--image", "none", "--out", "mine/own.yaml"]
    assert invoke(main, task) == 0
    return Path("mine/own.yaml")


def test_a_record_of_a_spec_s_file_is_written_back_with_that_file(
    own_task: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (record,) = harness.run("null", str(own_task), results="results").records
    config = ["results", "show", str(record.directory), "--config"]
    capsys.readouterr()
    assert invoke(main, config) == 0
    text = capsys.readouterr().out
    assert yaml.safe_load(text)["tasks"] == ["mine/own.yaml"]
    assert "no installed one" not in text
    Path("run.yaml").write_text(text, encoding="utf-8")
    assert invoke(main, ["run", "--config", "run.yaml", "--results", "results", "--dry-run"]) == 0
    assert "done" in capsys.readouterr().out
    own_task.rename("elsewhere.yaml")
    forget_included()
    assert invoke(main, config) == 0
    assert "read from mine/own.yaml, which is not there now" in capsys.readouterr().out
    assert invoke(main, ["run", "--model", "null", "--tasks", record.task]) == 2
    assert "a spec of your own: its path, or --include FOLDER" in capsys.readouterr().err


def test_a_limit_and_a_share_are_written_back_as_they_were_given(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for limit in (3, 0.01):
        (record,) = harness.run("null", "raf_db", results=tmp_path, profile="demo",
                                limit=limit).records  # fmt: skip
        assert invoke(main, ["results", "show", str(record.directory), "--config"]) == 0
        run = yaml.safe_load(capsys.readouterr().out)
        assert (run["limit"], "ids" in run) == (limit, False)


def test_help_says_that_a_file_may_name_models_and_tasks(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert invoke(main, ["run", "--help"]) == 0
    text = " ".join(capsys.readouterr().out.split())
    assert "[required without --models or --config]" in text
    assert "[required without --config]" in text
    assert "[required]" not in text


def test_a_preset_is_written_by_its_name_so_that_its_marks_stay(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = harness.plan("socialfusion", "raf_db", results=tmp_path, profile="demo", limit=1)
    (item,) = plan.evaluations
    notes: list[str] = []
    from harness_exports.run_file import _options

    assert _options(item.job.model, notes)["preset"] == "demo"
    assert not [note for note in notes if "path" in note]


def test_a_command_runs_a_file_and_its_flags_count_more(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    models = ["null", {"model": "random", "options": {"seed": 1}}]
    path = written(tmp_path, {"models": models, "tasks": ["raf_d?"], "limit": 3, "seed": 4})
    command = ["run", "--config", str(path), "--results", str(tmp_path), "--limit", "2", "--json"]
    assert invoke(main, command) == 0
    records = harness.leaderboard(tmp_path)
    assert [row.model for row in records.rows] == ["null, limit=2", "random, limit=2"]
    assert {cell.n for row in records.rows for cell in row.cells if cell} == {2}
    listed = written(tmp_path, [{"model": "random", "options": {"seed": 1}}, "null"])
    command = ["run", "--models", str(listed), "--tasks", "raf_db", "--results", str(tmp_path)]
    assert invoke(main, [*command, "--seed", "4", "--limit", "2", "--dry-run"]) == 0
    assert "to do" not in capsys.readouterr().out


def test_models_with_options_of_their_own_stand_in_rows_of_their_own(tmp_path: Path) -> None:
    models: Any = [{"model": "random", "options": {"seed": seed}} for seed in (0, 1)]
    result = harness.run(models, "raf_db", results=tmp_path, profile="demo", limit=2)
    assert evaluations(result) == [("random", "raf_db")] * 2
    assert len({row.model for row in result.table().rows}) == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"modls": "random"}, r"1:1: unknown key of a run 'modls'(.|\n)*'models'"),
        ({"model": "random", "models": ["null"]}, "2:1: .*the same"),
        ({"model": 3}, "1:8: a model must be an id or a table"),
        ({"models": ["random", None]}, "'null' in quotes"),
        ({"model": {"options": {}}}, "needs one id as `model`"),
        ({"models": [{"model": "a", "seed": 3}]}, "unknown key of a model 'seed'"),
        ({"models": []}, "no model is named"),
        ({"model": "random", "limit": 0}, "2:8: limit should be at least 1"),
        ({"model": "random", "batch_size": "many"}, "2:13: batch_size should be"),
        ({"model": "random", "tasks": [3]}, "a task must be an id, a pattern or a path"),
        ("- random", "a run file is a table of keys"),
        ("{", "1:"),
    ],
)
def test_what_is_wrong_in_a_file_is_said_with_its_line(
    tmp_path: Path, content: Any, message: str
) -> None:
    with pytest.raises(UserError, match=message):
        read_run_file(written(tmp_path, content))


@pytest.mark.parametrize("content", ["", "models:\n", "modes: [random]\n", "- 3\n", "- ''\n"])
def test_a_file_without_models_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(UserError):
        read_models_file(written(tmp_path, content))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--model", "null", "--models", "FILE", "--tasks", "raf_db"], "both name models"),
        (["--config", "FILE"], "the file gives no tasks"),
        (["--config", "nowhere.yaml"], "nowhere.yaml"),
        (["--models", "FILE"], "missing option '--tasks'"),
        (["--model", "null", "--tasks", "fiar*"], "no task id matches 'fiar*'"),
        (["--model", "null", "--tasks", "./no*.yaml"], "no file matches this pattern"),
    ],
)
def test_what_does_not_fit_together_is_refused(
    tmp_path: Path, flags: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(written(tmp_path, {"models": ["random"]}))
    command = ["run", *(path if flag == "FILE" else flag for flag in flags)]
    assert invoke(main, command) == 2
    assert message in capsys.readouterr().err


def test_patterns_name_tasks_wherever_tasks_are_named(tmp_path: Path) -> None:
    plan = harness.plan(
        "random", ["raf*", "hagrid*"], results=tmp_path / "own", profile="demo", limit=1
    )
    assert [item.job.plan.task.id for item in plan.evaluations] == ["raf_db", "hagridv2"]
    plan.run()
    table = harness.leaderboard(tmp_path / "own", tasks="hag*")
    assert {column.task for column in table.columns} == {"hagridv2"}
    other = tmp_path / "other"
    harness.run("majority", "raf_db", results=other, profile="demo", limit=1)
    (comparison,) = harness.compare(tmp_path / "own", other, tasks="*_db")
    assert comparison.task == "raf_db"
    with pytest.raises(UserError, match="no task id matches 'x"):
        harness.leaderboard(tmp_path, tasks="x*")
