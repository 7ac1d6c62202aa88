"""A mended plugin is asked anew; what its older code gave is superseded, kept and counted."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

import harness
from harness.cli.main import invoke, main
from harness.plugin_code import Code
from harness.plugins import Plugins, plugins
from harness.runs.read import survey
from harness.runs.record import EvaluationRecord
from harness.runs.superseded import current
from tests.evaluation.lab import Lab

Faces = Callable[[int], Path]
Capture = pytest.CaptureFixture[str]
METHOD = ("--method", "lab_method")


@pytest.fixture
def lab(faces: Faces, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    faces(70)  # two blocks
    folder = tmp_path / "plugins"
    folder.mkdir()
    monkeypatch.setattr("sys.dont_write_bytecode", True)  # a clock is too coarse to see a mend
    monkeypatch.syspath_prepend(str(folder))
    yield Lab(folder)
    plugins.cache_clear()


def run(capsys: Capture, *more: str, model: str = "lab_model") -> tuple[int, str]:
    """Run and return the exit code and all that was said, on one line."""
    capsys.readouterr()
    arguments = ("--tasks", "lab_faces", "--data", "lab_faces=raf", "--results", "r")
    code = invoke(main, ["run", "--model", model, *arguments, *more])
    printed = capsys.readouterr()
    return code, " ".join((printed.out + printed.err).split())


def told(record: EvaluationRecord) -> tuple[float | None, bytes]:
    """Return a record's number, and what it is of."""
    return record.main.value, (record.directory / "samples.jsonl").read_bytes()


def board(capsys: Capture, *more: str) -> tuple[int, str]:
    capsys.readouterr()
    code = invoke(main, ["leaderboard", "r", "--format", "markdown", *more])
    printed = capsys.readouterr()
    return code, printed.out + printed.err


@pytest.mark.parametrize("name", ["reader", "metric", "model", "method"])
def test_a_mended_plugin_does_not_return_its_old_number(
    lab: Lab, capsys: Capture, name: str
) -> None:
    more = METHOD if name == "method" else ()
    assert run(capsys, *more)[0] == 0
    assert "done" in run(capsys, *more)[1]
    lab.mend(name)
    code, message = run(capsys, *more)
    assert code == 0
    assert f"plugin lab_{name} 0.1 changed since 20" in message
    assert "(code): older evaluations of lab_faces are superseded and not used" in message
    records, _ = survey("r")
    assert len({told(record) for record in records}) == 2
    remaining, older = current(records)
    assert (len(remaining), len(older)) == (1, 1)
    code, table = board(capsys)
    assert code == 0
    assert table.count("| lab\\_model") == 1
    assert "1 superseded evaluation is left out" in table
    assert "changed since" not in run(capsys, *more)[1]


def test_what_was_half_done_is_not_continued(
    lab: Lab, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setenv("LAB_STOPS", "1")
        assert run(capsys)[0] == 130
    assert "continues at 64" in run(capsys, "--dry-run")[1]
    lab.mend("reader")
    code, message = run(capsys)
    assert code == 0
    assert "continues" not in message.partition("superseded")[0]
    assert "plugin lab_reader 0.1 changed since (code)" in message
    code, table = board(capsys)
    assert (code, "1 unfinished: harness results list" in table) == (0, True)


def test_another_version_of_the_same_code_is_said(lab: Lab, capsys: Capture) -> None:
    assert run(capsys)[0] == 0
    lab.version("model", "0.2")
    lab.load()
    assert "plugin lab_model 0.1 is now 0.2" in run(capsys)[1]


def test_what_a_plugin_does_not_take_part_in_stays(lab: Lab, capsys: Capture) -> None:
    assert run(capsys)[0] == 0
    lab.mend("method")
    for path in lab.folder.glob("*.py"):
        os.utime(path)
    lab.load()
    assert "done" in run(capsys)[1]


def test_rows_of_a_reader_before_and_after_its_mend_stand_apart(lab: Lab, capsys: Capture) -> None:
    assert run(capsys, model="null")[0] == 0
    lab.mend("reader")
    assert run(capsys)[0] == 0
    code, table = board(capsys)
    assert code == 0
    assert "differs in plugin code" in table


def test_an_older_evaluation_that_is_named_alone_is_shown(lab: Lab, capsys: Capture) -> None:
    assert run(capsys)[0] == 0
    (old,) = Path("r/evaluations/lab_faces").iterdir()
    lab.mend("model")
    assert run(capsys)[0] == 0
    assert invoke(main, ["leaderboard", str(old)]) == 0
    assert "superseded" not in capsys.readouterr().out.partition("older")[2]
    assert invoke(main, ["compare", str(old), "r"]) == 0


def test_again_asks_anew_and_loses_nothing(
    lab: Lab, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    del lab
    assert run(capsys)[0] == 0
    (first,) = Path("r/evaluations/lab_faces").iterdir()
    before = (first / "samples.jsonl").read_bytes()
    with monkeypatch.context() as patched:
        patched.setenv("LAB_STOPS", "1")
        assert run(capsys, "--again")[0] == 130
    code, message = run(capsys, "--again")  # what was begun so continues
    assert (code, "continues at 64" in message) == (0, True)
    aside = first.with_name(f"{first.name}.1")
    assert {path.name for path in first.parent.iterdir()} == {first.name, aside.name}
    assert (aside / "samples.jsonl").read_bytes() == before
    assert "1 superseded evaluation is left out" in board(capsys)[1]
    code, message = run(capsys, "--again")
    assert (code, "set aside" in message) == (0, True)
    assert "2 superseded evaluations are left out" in board(capsys)[1]


def mended(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Let a plugin have other code from here on."""
    real = Plugins.code_of

    def code_of(self: Plugins, descriptor: object) -> Code | None:
        code = real(self, descriptor)  # type: ignore[arg-type]
        if code is None or code.plugin != name:
            return code
        return Code(code.plugin, code.distribution, code.version, "mended")

    monkeypatch.setattr(Plugins, "code_of", code_of)


def test_the_code_of_a_data_source_is_part_of_a_task_on_its_data(
    faces: Faces, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn, expected = (harness.load_task("raf_db", data=data) for data in (None, faces(3)))
    before = drawn.code(), expected.code()
    mended(monkeypatch, "demo_world")
    assert drawn.code() != before[0]
    assert expected.code() == before[1]
    assert set(before[1]) == {"benchmarks"}
    assert set(before[0]) == {"benchmarks", "demo_world"}


@pytest.mark.parametrize("name", ["recipes", "socialfusion"])
def test_a_training_by_other_code_is_another_training(
    faces: Faces, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def plan() -> tuple[str, object]:
        data = {"raf_db": faces_at}
        result = harness.plan_training("socialfusion", "ft", "raf_db", data=data)
        return result.fingerprint, result.about["lineage"]

    faces_at = faces(3)
    before = plan()
    assert plan() == before
    mended(monkeypatch, name)
    after = plan()
    assert after[0] != before[0]
    assert after[1] == before[1]
