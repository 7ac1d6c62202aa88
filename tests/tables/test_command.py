from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest

from harness.cli.main import invoke, main
from harness.runs.record import FORMAT, EvaluationRecord
from harness.runs.seal import seal, write_json
from tests.runs import sealed
from tests.tables.records import metric, record


def write(folder: Path, item: EvaluationRecord) -> Path:
    """Write a record as a sealed directory."""
    folder.mkdir(parents=True)
    evaluation: dict[str, Any] = {
        "format": FORMAT,
        "fingerprint": item.fingerprint,
        "settings": item.settings,
        "model": {
            "id": item.model,
            "fingerprint": item.model_fingerprint,
            "options": item.model_options,
        },
        "task": {
            "id": item.task,
            "title": item.task_title,
            "version": item.task_version,
            "fingerprint": item.task_fingerprint,
            "parts": item.task_parts,
            "options": item.task_options,
        },
        "images": item.images,
        "marks": list(item.marks),
        "counts": asdict(item.counts),
    }
    write_json(folder / "evaluation.json", evaluation)
    write_json(
        folder / "metrics.json",
        {"metrics": [asdict(value) for value in item.metrics], "slices": []},
    )
    (folder / "samples.jsonl").write_text("", encoding="utf-8")
    (folder / "spec.yaml").write_text("", encoding="utf-8")
    seal(folder)
    return folder


@pytest.fixture
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two models on two tasks under ``results/``, in an otherwise empty folder."""
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "results" / "evaluations"
    for model in ("echo", "other"):
        for task in ("pisc_fine", "raf_db"):
            write(folder / f"{model}-{task}", record(model, task, metric(0.25)))
    return tmp_path / "results"


def test_by_default_the_results_folder_is_shown(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(main, ["leaderboard"]) == 0
    output = capsys.readouterr().out
    assert "echo" in output
    assert "other" in output
    assert "25.0" in output


@pytest.mark.parametrize("name", ["table.md", "deep/table.json", "table.txt"])
def test_the_ending_of_a_file_chooses_the_format(results: Path, name: str) -> None:
    assert invoke(main, ["leaderboard", "--out", name]) == 0
    text = Path(name).read_text(encoding="utf-8")
    assert "echo" in text
    assert text.startswith({".md": "| Model", ".json": "{", ".txt": "Model"}[Path(name).suffix])


def test_a_file_that_is_written_is_named(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(main, ["leaderboard", "--out", "deep/table.md"]) == 0
    printed = capsys.readouterr()
    assert printed.out == ""
    assert "deep/table.md: 2 rows as markdown" in printed.err


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--format", "markdown", "--out", "x.tex"), "'markdown' is not that of a .tex file"),
        (("--json", "--out", "x.md"), "'json' is not that of a .md file"),
        (("--format", "csv", "--out", "x.txt"), "'csv' is not that of a .txt file"),
        (("--format", "doc"), "terminal"),
        (("--format", "terminl"), "did you mean 'terminal'"),
        (("--format", "terminal", "--out", "x.txt"), "cannot be written to a file"),
        (("--tasks", ""), "--tasks is given without a value"),
        (("--out", ""), "--out is given without a value"),
    ],
)
def test_a_format_that_does_not_fit_is_refused(
    results: Path, flags: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(main, ["leaderboard", *flags]) == 2
    assert message in capsys.readouterr().err
    assert not list(Path().glob("x.*"))


def test_an_ending_of_no_format_takes_any(results: Path) -> None:
    assert invoke(main, ["leaderboard", "--format", "csv_wide", "--out", "table.tsv"]) == 0
    assert invoke(main, ["leaderboard", "--format", "csv_wide", "--out", "table.csv"]) == 0
    assert Path("table.tsv").read_bytes() == Path("table.csv").read_bytes()


def test_tasks_and_groups_choose_columns(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(main, ["leaderboard", "--json", "--tasks", "raf_db"]) == 0
    columns = json.loads(capsys.readouterr().out)["columns"]
    assert [column["task"] for column in columns] == ["raf_db"]
    assert invoke(main, ["leaderboard", "--json", "--tasks", "social_all"]) == 0
    columns = json.loads(capsys.readouterr().out)["columns"]
    assert [column["task"] for column in columns] == ["pisc_fine", "raf_db"]


def test_the_same_place_twice_is_read_once(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(main, ["leaderboard", "results", "results/evaluations", "--format", "plain"]) == 0
    twice = capsys.readouterr().out
    assert invoke(main, ["leaderboard", "--format", "plain"]) == 0
    assert capsys.readouterr().out == twice


def test_a_run_is_shown_by_its_name(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (results / "runs").mkdir()
    write_json(results / "runs" / "mine.json", {"evaluations": ["evaluations/echo-raf_db"]})
    assert invoke(main, ["leaderboard", "mine", "--format", "plain"]) == 0
    output = capsys.readouterr().out
    assert "echo" in output
    assert "other" not in output


def test_a_damaged_directory_is_named_and_left_out(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    damaged = results / "evaluations" / "echo-raf_db" / "metrics.json"
    damaged.write_text(damaged.read_text(encoding="utf-8").replace("0.25", "0.99"), "utf-8")
    assert invoke(main, ["leaderboard", "--format", "plain"]) == 0
    printed = capsys.readouterr()
    assert "left out" in printed.err
    assert "echo-raf_db" in printed.err
    assert "99.0" not in printed.out
    assert invoke(main, ["leaderboard", "--format", "plain", "--strict"]) == 1


@pytest.mark.parametrize(
    "arguments",
    [
        ["nowhere"],
        ["--tasks", "no_such_task"],
        ["--metric", "no_such_metric"],
        ["--format", "no_such_format"],
        ["--json", "--format", "markdown"],
        ["--out", "table.odd"],
        ["--out", "table", "--format", "terminal"],
        ["--layout", "no_such_layout"],
        ["--layout", "asd_main"],
        ["--layout", "socialfusion", "--tasks", "raf_db"],
        ["--layout", "no_such_file.yaml"],
        ["--baseline", "no_such_row"],
    ],
)
def test_mistakes_of_the_user_end_with_2(
    results: Path, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(main, ["leaderboard", *arguments]) == 2
    assert capsys.readouterr().err.startswith("error: ")


# --- layouts, baselines, duplicates ---------------------------------------------------------------


def test_a_shipped_layout_prints_its_table(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(main, ["leaderboard", "--layout", "socialfusion", "--format", "plain"]) == 0
    output = capsys.readouterr().out
    assert output.startswith("Social perception tasks")
    assert "No evaluation of hagridv2, gazefollow, jrdb_social." in output


def test_a_layout_file_names_its_runs(
    results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere = write(tmp_path / "other" / "one", record("far", "raf_db")).parent
    assert elsewhere.name == "other"
    path = tmp_path / "mine.yaml"
    path.write_text(
        "leaderboard: mine\ntitle: Mine\nruns: [other]\ncolumns: [{task: raf_db}]\n", "utf-8"
    )
    assert invoke(main, ["leaderboard", "--layout", str(path), "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    assert [row["model"] for row in value["sections"][0]["rows"]] == ["far"]


def test_columns_come_in_the_order_of_groups_not_of_the_alphabet(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for task in ("gazefollow", "hagridv2", "zz_unknown"):
        write(results / "evaluations" / f"echo-{task}", record("echo", task))
    assert invoke(main, ["leaderboard", "--json"]) == 0
    columns = json.loads(capsys.readouterr().out)["columns"]
    assert [column["task"] for column in columns] == [
        "hagridv2", "pisc_fine", "gazefollow", "raf_db", "zz_unknown",
    ]  # fmt: skip


def test_a_baseline_adds_differences(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(main, ["leaderboard", "--baseline", "echo", "--format", "plain"]) == 0
    assert "25.0* (+0.0)" in capsys.readouterr().out


def test_the_newest_of_two_is_taken_when_asked_for(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, day in (("again", "2026-02-01"), ("echo-raf_db", "2026-01-01")):
        folder = results / "evaluations" / name
        if not folder.exists():
            write(folder, record("echo", "raf_db", metric(0.75)))
        write_json(folder / "timings.json", {"finished": f"{day}T00:00:00+00:00"})
    assert invoke(main, ["leaderboard", "--tasks", "raf_db"]) == 2
    assert "--duplicates newest" in capsys.readouterr().err
    newest = ["leaderboard", "--tasks", "raf_db", "--duplicates", "newest", "--json"]
    assert invoke(main, newest) == 0
    rows = json.loads(capsys.readouterr().out)["sections"][0]["rows"]
    value = next(row for row in rows if row["model"] == "echo")["cells"][0]["value"]
    assert value == pytest.approx(75)
    assert invoke(main, ["leaderboard", "--tasks", "raf_db", "--duplicates", "mean"]) == 2
    assert "have one seed" in capsys.readouterr().err


def test_a_mean_is_over_seeds(results: Path, capsys: pytest.CaptureFixture[str]) -> None:
    again = record("echo", "raf_db", metric(0.75), settings={"seed": 1})
    write(results / "evaluations" / "again", again)
    assert invoke(main, ["leaderboard", "--tasks", "raf_db", "--duplicates", "mean", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["sections"][0]["rows"]
    cell = next(row for row in rows if row["model"] == "echo")["cells"][0]
    assert (cell["value"], cell["seeds"]) == (pytest.approx(50), 2)


def test_a_model_that_cannot_answer_a_task_is_not_missing(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(results / "evaluations" / "random", record("random", "raf_db"))
    write(results / "evaluations" / "embeds", record("echo", "fairface_retrieval"))
    assert invoke(main, ["leaderboard", "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    position = [column["task"] for column in value["columns"]].index("fairface_retrieval")
    rows = {row["model"]: row["cells"][position] for row in value["sections"][0]["rows"]}
    assert rows["other"] is None
    assert rows["random"]["supported"] is False


# --- damage ---------------------------------------------------------------------------------------


def test_samples_are_checked_by_size_and_under_strict_by_content(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write(results / "evaluations" / "full", record("full", "raf_db"))
    (folder / "samples.jsonl").write_text("{}\n", encoding="utf-8")
    assert invoke(main, ["leaderboard", "--format", "plain"]) == 0
    assert "samples.jsonl: changed since it was sealed" in capsys.readouterr().err
    seal(folder)
    (folder / "samples.jsonl").write_text("[]\n", encoding="utf-8")
    assert invoke(main, ["leaderboard", "--format", "plain"]) == 0
    assert "full" in capsys.readouterr().out
    assert invoke(main, ["leaderboard", "--format", "plain", "--strict"]) == 1
    assert "samples.jsonl: changed since it was sealed" in capsys.readouterr().err


def test_a_run_of_a_newer_format_is_named_with_what_to_do(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = results / "evaluations" / "echo-raf_db" / "seal.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    write_json(path, content | {"format": FORMAT + 1})
    assert invoke(main, ["leaderboard", "--format", "plain", "--strict"]) == 1
    errors = capsys.readouterr().err
    assert f"written in format {FORMAT + 1}" in errors
    assert "upgrade social-harness" in errors


def test_nan_in_a_record_is_printed_nowhere(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write(results / "evaluations" / "nan", record("empty", "raf_db", metric(0.5)))
    path = folder / "metrics.json"
    path.write_text(
        path.read_text(encoding="utf-8").replace('"value": 0.5', '"value": NaN'), "utf-8"
    )
    seal(folder)
    for form in ("plain", "json", "markdown", "latex", "csv", "csv_wide", "html"):
        assert invoke(main, ["leaderboard", "--format", form]) == 0
        output = capsys.readouterr().out
        assert "nan" not in output.lower()
    assert invoke(main, ["leaderboard", "--tasks", "raf_db", "--format", "plain"]) == 0
    assert "undefined" in capsys.readouterr().out


# --- with samples ---------------------------------------------------------------------------------


def test_ties_are_marked_by_a_paired_test(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    faces = ["happiness", "fear"] * 20
    for model, wrong in (("good", 0), ("close", 1), ("far", 30)):
        arguments = [
            sealed.sample(str(n), face, "anger" if n < wrong else face)
            for n, face in enumerate(faces)
        ]
        sealed.write(tmp_path / "results" / "evaluations" / model, arguments, model=model)
    assert invoke(main, ["leaderboard", "--ties", "--json"]) == 0
    value = json.loads(capsys.readouterr().out)
    rows = value["sections"][0]["rows"]
    assert {row["model"]: row["cells"][0]["tied"] for row in rows} == {
        "good": False,
        "close": True,
        "far": False,
    }
    assert any("paired permutation test" in note for note in value["notes"])
    assert invoke(main, ["leaderboard", "--ties", "--intersect"]) == 2


def test_shared_samples_make_one_section(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "results" / "evaluations"
    sealed.write(folder / "whole", sealed.answers({0: "fear"}), model="whole")
    sealed.write(folder / "few", sealed.answers()[1:], model="few", marks=["limited"])
    assert invoke(main, ["leaderboard", "--format", "plain"]) == 0
    printed = capsys.readouterr()
    assert "Not comparable" in printed.out
    assert "--intersect" in printed.err
    assert invoke(main, ["leaderboard", "--format", "plain", "--intersect"]) == 0
    printed = capsys.readouterr()
    assert "Not comparable" not in printed.out
    assert "5 samples" in printed.out
    assert "100.0* (L)" in printed.out
    assert "--intersect" not in printed.err


def test_tasks_without_the_metric_that_is_shown_are_named(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(results / "evaluations" / "f1", record("echo", "fer_plus", metric(0.5, name="f1")))
    for form in ("plain", "markdown", "json"):
        assert invoke(main, ["leaderboard", "--metric", "accuracy", "--format", form]) == 0
        out = " ".join(capsys.readouterr().out.replace("\\", "").split())
        assert "for want of a metric 'accuracy': FER PLUS (fer_plus)." in out, form
    assert invoke(main, ["leaderboard", "--metric", "accuracy", "--tasks", "raf_db"]) == 0
    assert "for want of" not in capsys.readouterr().out
    assert invoke(main, ["leaderboard"]) == 0
    assert "for want of" not in capsys.readouterr().out


def test_a_limit_of_one_sided_answers_is_refused_where_no_number_is_a_skew(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["leaderboard", str(results), "--one-sided", "0.95"]
    assert invoke(main, command) == 2
    assert "--one-sided: no number here is a skew" in capsys.readouterr().err
    skew = metric(0.1, name="max_skew", column="MaxSkew", direction="zero")
    write(results / "evaluations" / "skew", record("echo", "fairface", skew))
    assert invoke(main, command) == 0


@pytest.mark.parametrize(
    "flags",
    ["--baseline echo", "--duplicates mean", "--human-share", "--layout x.yaml", "--ties",
     "--metric accuracy", "--one-sided 0.9", "--slices gender", "--interval half"],
)  # fmt: skip
def test_flags_that_say_nothing_of_robustness_are_refused(
    results: Path, capsys: pytest.CaptureFixture[str], flags: str
) -> None:
    assert invoke(main, ["leaderboard", str(results), "--robustness", *flags.split()]) == 2
    flag = flags.partition(" ")[0]
    assert f"{flag} does not go with --robustness" in capsys.readouterr().err


def test_robustness_is_of_the_tasks_that_are_named(
    results: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for task in ("pisc_fine", "raf_db"):
        requested = record("echo", task, metric(0.5), variant="paraphrase 1", fingerprint=task,
                       lineage=task, task_parts={"variant": "paraphrase 1"})  # fmt: skip
        requested = replace(requested, task_parts={**record("echo", task).task_parts,
                                           "variant": "paraphrase 1"})  # fmt: skip
        write(results / "evaluations" / f"varied-{task}", requested)
    command = ["leaderboard", str(results), "--robustness", "--format", "plain"]
    assert invoke(main, command) == 0
    out = capsys.readouterr().out
    assert "RAF DB" in out
    assert "PISC FINE" in out
    assert invoke(main, [*command, "--tasks", "raf_db"]) == 0
    out = capsys.readouterr().out
    assert "RAF DB" in out
    assert "PISC FINE" not in out
