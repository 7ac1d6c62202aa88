"""``harness results``: what is listed, and what is never removed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import harness
from harness.cli.main import invoke, main
from harness.runs.journal import encode
from harness.runs.lock import writing
from harness.runs.read import read_evaluation
from harness.runs.superseded import set_aside
from tests.runs.sealed import answers, sample, write

Capture = pytest.CaptureFixture[str]
FOLDER = Path("r", "evaluations", "raf_db")


@pytest.fixture(autouse=True)
def _results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A finished, an unfinished, a damaged evaluation, and one that was asked again."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HARNESS_RESULTS", "r")
    write(FOLDER / "good", answers(), model="good")
    write(FOLDER / "bad", answers(), model="bad")
    (FOLDER / "bad" / "metrics.json").write_text("{}")
    begun = FOLDER / "begun" / "journal"
    begun.mkdir(parents=True)
    (begun / "0000.jsonl").write_bytes(encode(0, [sample("1", "fear", "fear")] * 3))
    plan = {"model": "looker", "samples": 10, "fingerprint": "f", "lineage": "l", "code": {}}
    (begun / "plan.json").write_text(json.dumps(plan))
    write(FOLDER / "twice", answers({0: None}), model="twice", lineage="one")
    again = set_aside(FOLDER / "twice")
    write(FOLDER / "twice", answers(), model="twice", lineage="one")
    assert again.name == "twice.1"


def results(capsys: Capture, *arguments: str) -> tuple[int, str, str]:
    capsys.readouterr()
    code = invoke(main, ["results", *arguments])
    printed = capsys.readouterr()
    return code, printed.out, printed.err


def states(capsys: Capture) -> dict[str, str]:
    listed: list[dict[str, Any]] = json.loads(results(capsys, "list", "--json")[1])
    return {item["evaluation"].partition("/")[2]: item["state"] for item in listed}


ALL = {
    "bad": "damaged",
    "begun": "unfinished",
    "good": "finished",
    "twice": "finished",
    "twice.1": "superseded",
}


def test_each_evaluation_has_its_state(capsys: Capture) -> None:
    assert states(capsys) == ALL
    code, out, _ = results(capsys, "list", "--state", "unfinished")
    assert (code, "3 of 10" in out, "good" in out) == (0, True, False)


def test_tables_count_what_is_unfinished_in_one_line(capsys: Capture) -> None:
    (FOLDER / "more" / "journal").mkdir(parents=True)
    code = invoke(main, ["leaderboard", "r", "--format", "csv"])
    err = capsys.readouterr().err
    assert code == 0
    assert "2 unfinished: harness results list" in err
    assert err.count("left out:") == 1  # the damaged one is named


def test_an_evaluation_says_what_it_is(capsys: Capture) -> None:
    code, out, _ = results(capsys, "show", "raf_db/good")
    assert code == 0
    for message in ("finished", "good", "samples 6", "Accuracy"):
        assert message in out
    parts = read_evaluation(FOLDER / "good").slices
    assert parts
    for part in parts:  # the numbers of each group too
        name = (
            f"Accuracy, {part.slice} = {part.value} ({part.n} samples, labelled by {part.source})"
        )
        value, ends = part.metrics[0].value, part.metrics[0].interval
        assert value is not None
        assert ends is not None
        assert f"{name} {100 * value:g} [{100 * ends.low:.4g}, {100 * ends.high:.4g}]\n" in out
    assert "first it was asked with" not in out
    code, out, _ = results(capsys, "show", "raf_db/begun", "--json")
    assert json.loads(out)["record"]["model"] == "looker"


def test_a_limited_evaluation_says_what_its_name_is_and_an_interval_its_warning(
    capsys: Capture, tmp_path: Path
) -> None:
    run = harness.run("random", "raf_db", results=tmp_path / "r", limit=0.02, profile="demo")
    name = f"raf_db/{run.records[0].directory.name}"
    out = results(capsys, "show", name)[1]
    assert "limit          the first it was asked with; others of the same samples" in out
    warnings = {
        metric.interval.warning
        for metric in run.records[0].metrics
        if metric.interval is not None and metric.interval.warning
    }
    assert warnings
    for warning in warnings:
        assert f"({warning})" in out
    assert "()" not in out


@pytest.mark.parametrize(
    ("flags", "gone"),
    [
        ((), {"begun", "twice.1"}),
        (("--unfinished",), {"begun"}),
        (("--superseded",), {"twice.1"}),
    ],
)
def test_pruning_removes_what_nothing_is_read_of(
    capsys: Capture, flags: tuple[str, ...], gone: set[str]
) -> None:
    code, out, _ = results(capsys, "prune", *flags, "--dry-run")
    assert (code, states(capsys)) == (0, ALL)
    assert all(name in out for name in gone)
    code, _, err = results(capsys, "prune", *flags)  # nobody is there to be asked
    assert (code, "--yes" in err, states(capsys)) == (2, True, ALL)
    assert results(capsys, "prune", *flags, "--yes")[0] == 0
    assert states(capsys).keys() == ALL.keys() - gone


def test_what_is_being_written_stays(capsys: Capture) -> None:
    with writing(FOLDER / "begun"):
        assert results(capsys, "prune", "--unfinished", "--yes")[0] == 0
        code, _, err = results(capsys, "rm", "raf_db/begun", "--yes")
    assert (code, "another run" in err) == (2, True)
    assert "begun" in states(capsys)


@pytest.mark.parametrize(
    "name", ["raf_db", "..", ".", "../..", "/", "raf_db/none", "raf_db/link", "raf_db/plain"]
)
def test_nothing_else_is_removed(capsys: Capture, tmp_path: Path, name: str) -> None:
    (tmp_path / "elsewhere" / "journal").mkdir(parents=True)
    (FOLDER / "link").symlink_to(tmp_path / "elsewhere")
    (FOLDER / "plain").mkdir()
    (FOLDER / "plain" / "text").write_text("mine")
    before = sorted(tmp_path.rglob("*"))
    code, _, err = results(capsys, "rm", name, "--yes")
    assert (code, err.count("error:")) == (2, 1)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_that_no_run_wrote_into_is_refused(capsys: Capture, tmp_path: Path) -> None:
    (tmp_path / "photos").mkdir()
    for command in (["list"], ["prune", "--yes"], ["rm", "x", "--yes"]):
        for folder in ("photos", "nowhere"):
            code, _, err = results(capsys, *command, "--results", folder)
            assert (code, "not a results folder" in err) == (2, True)
    assert (tmp_path / "photos").is_dir()
