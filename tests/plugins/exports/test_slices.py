"""Groups of several models in one table: `harness leaderboard --slices`."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from harness_exports.slices import in_slices

import harness
from harness.cli.main import invoke, main
from harness.errors import UserError
from harness.evaluation.run import RunResult
from harness.runs.record import GroupComparison, Measure, SliceValue
from harness.tables import build_table
from tests.tables.records import metric, record

SIZES = {"F": 40, "M": 32, "X": 3}


@pytest.fixture
def result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunResult:
    """Two models on a task of one's own with three groups, and on one without any."""
    monkeypatch.chdir(tmp_path)
    rows = [
        f"{sex}{number},{'yes' if number % 3 else 'no'},{sex}\n"
        for sex, size in SIZES.items()
        for number in range(size)
    ]
    for name, groups in (("mine", ["--group", "sex=sex:machine"]), ("plain", [])):
        Path(name).mkdir()
        Path(f"{name}/{name}.csv").write_text("name,label,sex\n" + "".join(rows), encoding="utf-8")
        task = ["new", "task", name, "--yes", "--image", "none", *groups]
        assert invoke(main, task) == 0
    return harness.run(["random", "null"], ["mine/mine.yaml", "plain/plain.yaml"])


def test_each_group_has_a_column_with_the_numbers_and_counts_of_its_samples(
    result: RunResult,
) -> None:
    frame = harness.leaderboard("results", slices="sex").to_pandas()
    samples = result.to_pandas()
    for sex, size in SIZES.items():
        for model in ("random", "null"):
            (row,) = frame[(frame.task == f"mine, sex = {sex}") & (frame.model == model)].to_dict(
                "records"
            )
            of_group = samples[
                (samples.task == "mine") & (samples.model == model) & (samples.group_sex == sex)
            ]
            assert (row["n"], len(of_group)) == (size, size)
            assert row["value"] == pytest.approx(100 * of_group["equal"].mean())
            assert row["low"] <= row["value"] <= row["high"]
    assert list(frame[frame.model == "null"].task) == [
        "mine", "mine, sex = F", "mine, sex = M", "mine, sex = X",
        "mine, sex: difference between groups", "plain",
    ]  # fmt: skip
    assert len(set(frame.section)) == 1


def test_the_difference_leaves_out_small_groups_and_says_so(result: RunResult) -> None:
    table = harness.leaderboard("results", slices=["sex"])
    rows = {
        (row["model"], row["task"]): row["value"] for row in table.to_pandas().to_dict("records")
    }
    for model in ("random", "null"):
        by_group = [rows[model, f"mine, sex = {sex}"] for sex in ("F", "M")]
        gap = rows[model, "mine, sex: difference between groups"]
        assert gap == pytest.approx(max(by_group) - min(by_group))
    assert any("groups of fewer than 30 samples, which take no part: 1" in n for n in table.notes)


def test_groups_that_a_machine_labelled_are_marked_and_others_are_not(result: RunResult) -> None:
    table = json.loads(
        json.dumps(harness.leaderboard("results", slices="sex").to_pandas().to_dict("records"))
    )
    marked = {row["task"] for row in table if "machine-labelled slices" in row["marks"]}
    assert "mine, sex = F" in marked
    assert "plain" not in marked


def test_the_command_writes_them_in_every_format_and_selects_tasks(
    result: RunResult, capsys: pytest.CaptureFixture[str]
) -> None:
    capsys.readouterr()
    command = ["leaderboard", "--slices", "sex", "--tasks", "mine/mine.yaml"]
    for form in ("markdown", "latex", "csv", "csv_wide", "html", "plain"):
        assert invoke(main, [*command, "--format", form]) == 0
        text = capsys.readouterr().out
        assert "sex = F" in text.replace("&nbsp;", " ")
        assert "Plain" not in text


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--slices", "sexx"], "did you mean 'sex'?"),
        (["--slices", ","], "no slice is named"),
        (["--slices", "sex", "--tasks", "vqav2"], "known: mine, plain"),
        (["--slices", "sex,sex"], "named twice"),
        (
            ["--slices", "sex", "--tasks", "plain/plain.yaml"],
            "none of these evaluations has slices",
        ),
        (["--slices", "sex", "--tasks", "mine,nothere"], "unknown task"),
        (["--slices", "sex", "--ties"], "--ties does not go with --slices"),
        (["--slices", "sex", "--robustness"], "--slices does not go with --robustness"),
        (["--slices", "sex", "--layout", "asd_main"], "--layout does not go with --slices"),
    ],
)
def test_what_has_no_such_groups_or_shows_none_is_refused(
    result: RunResult, capsys: pytest.CaptureFixture[str], flags: list[str], message: str
) -> None:
    capsys.readouterr()
    assert invoke(main, ["leaderboard", *flags]) == 2
    assert message in capsys.readouterr().err


def test_why_a_group_has_no_number_stands_under_the_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    group = record("a", "x", replace(metric(None), undefined="nobody counts")).metrics
    parts = tuple(SliceValue("sex", sex, "human", 40, 40, 0, group) for sex in ("F", "M"))
    gap = Measure("difference between groups", None, None, None)
    between = GroupComparison("sex", group[0].id, group[0].column, False, None, 30, (), (gap,))
    full = record("a", "x", slices=parts, comparisons=(between,))
    records, _ = in_slices([full], ["sex"], None, None)
    notes = "\n".join(build_table(records).notes)
    assert (
        "X, sex = F (x, sex = F): samples for which Accuracy is undefined (nobody counts)" in notes
    )
    assert "undefined (fewer than two groups have a value of Accuracy): 80" in notes


def test_a_number_without_groups_says_so() -> None:
    other = replace(metric(0.2), id="other", column="Other", main=False)
    parts = tuple(SliceValue("sex", sex, "human", 40, 40, 0, (other,)) for sex in ("F", "M"))
    records, _ = in_slices([record("a", "x", slices=parts)], ["sex"], None, None)
    table = build_table(records)
    assert len(table.columns) == 1
    assert any("groups in which this number has no value of its own: 2" in n for n in table.notes)
    assert not any("sex = F" in note for note in table.notes)


def test_a_record_of_other_samples_keeps_its_own_section(result: RunResult) -> None:
    harness.run("random", "mine/mine.yaml", limit=60)
    table = harness.leaderboard("results", slices="sex")
    (other,) = [section for section in table.sections if section.title]
    assert [row.model for row in other.rows] == ["random, limit=60"]
    assert other.title.count("differs in") == 1
    with pytest.raises(UserError, match="unknown metric"):
        harness.leaderboard("results", slices="sex", metric="nothing")
