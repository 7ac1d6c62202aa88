"""What a study does: only what is missing, past what fails, and tables of what is there."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from harness_studies.command import show_report
from harness_studies.loader import load_study
from harness_studies.plan import TrialPlan, plan_study, rounds, teaching
from harness_studies.run import StudyResult, run_study
from harness_studies.study import StudyTask, trials_of
from harness_studies.tables import study_table
from rich.console import Console

from harness.cli.main import entry
from harness.errors import UserError
from harness.studies.kind import StudyReport
from harness.tables.build import build_table
from tests.plugins.studies.world import STUDY, Heard, World
from tests.tables.records import metric, record

RESULTS = Path("results")


def planned(**changes: str) -> list[TrialPlan]:
    return plan_study(load_study(named(**changes)), RESULTS)


def named(**changes: str) -> str:
    text = STUDY
    for old, new in changes.items():
        text = text.replace(f"{old}:", new, 1)
    Path("small.yaml").write_text(text, encoding="utf-8")
    return "small.yaml"


def done(heard: Heard | None = None, **changes: str) -> StudyResult:
    study = load_study(named(**changes))
    plans = plan_study(study, RESULTS)
    return run_study(study, plans, Path("out"), RESULTS, heard or Heard())


def test_a_plan_says_what_is_missing_and_how_long_it_takes(world: World) -> None:
    plans = planned()
    assert [plan.training for plan in plans] == ["", "", *["to do"] * 4]
    assert [plan.steps for plan in plans] == [0, 0, 4, 4, 8, 8]
    assert [plan.seconds for plan in plans] == [4.0, 4.0, None, None, None, None]
    assert world.trained == []


@pytest.mark.parametrize(
    ("flag", "fix", "line"),
    [
        ("--batch-size", "another --batch-size or --micro-batch",
         "training.batch_size: wrong; fix: another batch_size or micro_batch"),
        ("--lora-rank", "leave it out, or --train-parts lora",
         "training.lora.rank: wrong; fix: .*say lora: {} in the training of the model 'Model'"),
    ],
)  # fmt: skip
def test_what_a_training_refuses_is_named_by_the_studys_keys(
    world: World, monkeypatch: pytest.MonkeyPatch, flag: str, fix: str, line: str
) -> None:
    def refused(*_: Any, **__: Any) -> None:
        raise UserError("wrong", where=flag, fix=fix)

    monkeypatch.setattr("harness.plan_training", refused)
    assert re.search(line, planned()[2].problem)
    assert "--" not in planned()[2].problem


def test_times_come_from_trainings_that_are_done(world: World) -> None:
    done()
    plans = planned(epochs="schedule: constant, epochs:")
    # Three seconds a step; evaluations of ten samples, five a second.
    assert plans[2].training == "to do"
    assert plans[2].seconds == pytest.approx(3.0 * plans[2].steps + 2.0)


def test_trainings_and_evaluations_are_asked_as_the_file_says(world: World) -> None:
    done()
    assert world.trained == [
        ("single", ("raf_db",), 0, 2),
        ("single", ("raf_db",), 1, 2),
        ("joint", ("raf_db", "pisc_fine"), 0, 2),
        ("joint", ("raf_db", "pisc_fine"), 1, 2),
    ]
    assert [requested.get("method") for requested in world.asked] == [None, "posthoc", *[None] * 4]
    assert all(requested["limit"] == 5 for requested in world.asked)
    assert ["checkpoint" in requested for requested in world.asked] == [False, False, *[True] * 4]


def test_the_same_command_again_trains_nothing(world: World) -> None:
    done()
    world.trained.clear()
    plans = planned()
    assert all(plan.done for plan in plans)
    done()
    assert world.trained == []


def test_the_table_holds_means_over_seeds(world: World) -> None:
    [table] = done().tables
    rows = {row.model: row.cells for row in table.rows}
    assert list(rows) == ["Model", "Model + Post-hoc", "Model + Single", "Model + Joint"]
    face, relation = rows["Model + Joint"]
    assert face is not None
    assert relation is not None
    assert face.value == pytest.approx(65)  # of .6 and .7
    assert relation.value == pytest.approx(70)
    assert face.seeds == 2
    assert face.low == pytest.approx(65 - 12.706 * 5, abs=0.01)  # t with one degree of freedom
    assert rows["Model + Single"][1] is None
    assert "What it is about." in table.notes
    assert "Joint: recipe joint (mixing=uniform); trained on Both; seeds 0, 1." in table.notes


def test_a_metric_with_other_options_in_each_section_has_one_column(world: World) -> None:
    study = load_study(named())
    collected = []
    for name in ("hard", "soft"):
        value = metric(0.5, options={"estimator": name})
        made = record("m", "raf_db", value, task_fingerprint=name, model_fingerprint="m")
        collected.append((trials_of(study)[0], made))
    table = study_table(study, collected, [])
    assert [column.task for column in table.columns] == ["raf_db", "pisc_fine"]
    assert [len(section.rows) for section in table.sections] == [1, 1]
    assert all(row.cells[0] for row in table.rows)


def test_a_study_shows_numbers_as_shares_of_the_annotators(world: World) -> None:
    path = Path(named(models="human_share: true\nmodels:"))
    human = "- {model: human, label: People, tasks: [raf_db]}\n  - {model: majority"
    path.write_text(path.read_text().replace("- {model: majority", human, 1))
    study = load_study(str(path))
    people, *_, model = (trial for trial in trials_of(study) if trial.recipe.label == "Base")
    entries = [
        (people, record("human", "raf_db", metric(0.8), marks=("human",), fingerprint="people")),
        (model, record("majority", "raf_db", metric(0.6), fingerprint="model")),
    ]
    table = study_table(study, entries, [])
    shares = {row.model: [cell and cell.value for cell in row.cells[:2]] for row in table.rows}
    assert shares == {"People": [80, 100], "Model": [60, pytest.approx(75)]}
    alone = study_table(study, entries[1:], [])
    assert [cell and cell.value for cell in alone.rows[0].cells] == [60, None]
    assert "No row stands for annotators" in alone.notes[-1]


def test_every_format_and_the_record_are_written(world: World) -> None:
    result = done()
    names = ["table.md", "table.csv", "table.json", "table.tex", "study.json"]
    assert [path.name for path in result.files] == names
    assert all(path.stat().st_size for path in result.files)
    record = json.loads(Path("out/study.json").read_text())
    assert [trial["seed"] for trial in record["trials"]] == [None, None, 0, 1, 0, 1]
    assert record["trials"][4]["samples"] == {"raf_db": 8, "pisc_fine": 8}


def test_a_trial_that_fails_is_reported_and_the_rest_goes_on(world: World) -> None:
    world.breaks = {("single", 1)}
    heard = Heard()
    result = done(heard)
    message = "Model + Single (Faces), seed 1: RuntimeError: the recipe broke"
    assert list(result.failed) == [message]
    assert f"Not there: {message}" in result.tables[0].notes
    assert len(heard.trials) == 6
    world.breaks = set()
    world.trained.clear()
    assert [plan.training for plan in planned()].count("continues") == 1
    assert list(done().failed) == []
    assert world.trained == [("single", ("raf_db",), 1, 2)]


def test_a_damaged_training_is_named_with_what_mends_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    done()
    plain = world.plan

    def refuse(model: str, tasks: Any, **keywords: Any) -> Any:
        if "seed1" in str(keywords.get("checkpoint")):
            raise UserError("cannot be read", where=keywords["checkpoint"])
        return plain(model, tasks, **keywords)

    monkeypatch.setattr("harness.plan", refuse)
    problems = [plan.problem for plan in planned() if plan.problem]
    assert len(problems) == 2
    assert all("remove results/trainings/majority-" in problem for problem in problems)


def test_an_interruption_is_no_failure(world: World) -> None:
    world.breaks, world.crash = {("joint", 0)}, KeyboardInterrupt
    with pytest.raises(KeyboardInterrupt):
        done()
    Path("out/table.md").write_text("half")
    world.breaks = set()
    assert list(done().failed) == []
    assert [seed for _, _, seed, _ in world.trained] == [0, 1, 0, 1]


def test_what_cannot_be_planned_hinders_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = world.plan_training

    def refuse(model: str, recipe: str, tasks: Any, **keywords: Any) -> Any:
        if recipe == "single":
            raise UserError("no data", fix="bring some")
        return plain(model, recipe, tasks, **keywords)

    monkeypatch.setattr("harness.plan_training", refuse)
    assert [bool(plan.problem) for plan in planned()] == [False, False, True, True, False, False]
    assert len(done().failed) == 2


def test_a_batch_must_hold_whole_micro_batches(world: World) -> None:
    plans = planned(micro_batch="micro_batch: 3, workers: 2, save_every:")
    assert "batch_size 4 is not a multiple of micro_batch 3" in plans[2].problem


def test_a_models_form_stands_in_the_place_of_the_datas(world: World) -> None:
    text = STUDY.replace("rate: 0.5", "rate: 0.5, form: task")
    Path("small.yaml").write_text(text)
    [*_, trial] = trials_of(load_study("small.yaml"))
    assert teaching(load_study("small.yaml"), trial)["form"] == "task"


def test_matched_by_steps_the_single_training_is_as_long(world: World) -> None:
    transfer = "transfer: {alone: Single, joint: Joint, matched: steps}\nevaluation:"
    plans = planned(evaluation=transfer)
    assert {plan.steps for plan in plans[2:]} == {8}
    assert [plan.settings.epochs for plan in plans[2:] if plan.settings] == [4, 4, 2, 2]
    matched = "transfer: {alone: Single, joint: Joint, matched: samples}\nevaluation:"
    assert [plan.steps for plan in planned(evaluation=matched)[2:]] == [4, 4, 8, 8]


def test_a_task_with_two_choices_of_options_is_asked_in_two_runs() -> None:
    first, two, other = StudyTask("a", {"x": 1}), StudyTask("a", {"x": 2}), StudyTask("b")
    assert list(rounds([first, two, other])) == [[first, other], [two]]


# --- from the command line ------------------------------------------------------------------------


def study(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        entry(["study", *arguments])
    return int(str(ended.value.code or 0))


def test_a_dry_run_computes_nothing(world: World, capsys: pytest.CaptureFixture[str]) -> None:
    assert study("small.yaml", "--dry-run", "--json") == 0
    plan = json.loads(capsys.readouterr().out)
    assert [trial["training"] for trial in plan] == ["", "", *["to do"] * 4]
    assert not Path("results").exists()


def test_the_exit_code_says_that_a_trial_failed(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    world.breaks = {("joint", 0)}
    assert study("small.yaml") == 1
    assert "failed: Model + Joint (Both), seed 0" in capsys.readouterr().err
    assert Path("results/studies/small/table.md").is_file()
    world.breaks = set()
    assert study("small.yaml", "--json") == 0
    assert json.loads(capsys.readouterr().out)["columns"]
    table = build_table([record()])
    report = StudyReport((table, table), (), (), lambda _: ())
    assert show_report(report, Console(quiet=True), as_json=True) == 0
    assert len(json.loads(capsys.readouterr().out)) == 2  # one document, whatever the tables
    assert study("--json") == 0
    assert "asd_main_demo" in json.loads(capsys.readouterr().out)
    for mistake, fix in (("asd_main_demo.yaml", "asd_main_demo"), ("--dry-run", "harness study")):
        assert study(mistake) == 2
        assert fix in capsys.readouterr().err.split("fix:")[1]


def test_a_folder_of_something_else_is_refused(
    world: World, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("mine").mkdir()
    Path("mine/letter.txt").write_text("dear")
    assert study("small.yaml", "--out", "mine") == 2
    assert "is not a study's" in capsys.readouterr().err
    assert study("small.yaml", "--out", "first") == 0
    Path("other.yaml").write_text(STUDY.replace("study: small", "study: other"))
    assert study("other.yaml", "--out", "first") == 2
    assert "holds the study 'small'" in capsys.readouterr().err


def test_without_a_name_the_shipped_studies_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert study() == 0
    assert "asd_main_demo" in capsys.readouterr().out.split()
