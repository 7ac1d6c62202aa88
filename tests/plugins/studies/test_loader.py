"""Study files: what is shipped loads, and what is wrong is said at its line."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from pathlib import Path

import pytest
from harness_studies import loader
from harness_studies.files import study_names
from harness_studies.loader import load_study
from harness_studies.plan import said, teaching
from harness_studies.study import trials_of
from harness_training.settings import TrainingSettings

from harness.cli.main import invoke, main
from harness.config.tasks import forget_included, installed_catalog
from harness.errors import UserError
from tests.plugins.studies.world import STUDY

PAIRS = (
    "asd_ablation",
    "asd_data",
    "asd_main",
    "cmsc_concepts",
    "cmsc_make",
    "socialfusion_transfer",
)


def study(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "study.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def test_each_shipped_study_has_a_demo_twin_of_the_same_rows_and_tasks() -> None:
    assert {*PAIRS, *(f"{name}_demo" for name in PAIRS)} <= set(study_names())
    for name in PAIRS:
        full, demo = load_study(name), load_study(f"{name}_demo")
        assert (full.id, demo.id) == (name, f"{name}_demo")
        assert (full.profile, demo.profile) == ("full", "demo")
        assert full.recipes == demo.recipes
        assert full.seeds == demo.seeds == (0, 1, 2)
        assert [task.task for task in full.tasks] == [task.task for task in demo.tasks]


def test_the_arena_has_rows_for_encoders_and_for_generative_models_each_asked_its_tasks() -> None:
    full, demo = load_study("debias_arena"), load_study("debias_arena_demo")
    assert [recipe.label for recipe in full.recipes] == [recipe.label for recipe in demo.recipes]
    assert full.compare == demo.compare
    trials = trials_of(demo)
    rows = {model.label: {trial.recipe.label for trial in trials if trial.model is model}
            for model in demo.models}  # fmt: skip
    vectors = {"Projection", "Calibrated", "Counterfactual LoRA", "Prompt array"}
    assert rows["Encoder demo"] == vectors | {"As is"}
    assert rows["LLaVA demo"] == {recipe.label for recipe in demo.recipes} - vectors
    requested = {trial.row: {task.task for task in trial.tasks} for trial in trials}
    assert "retrieval" in requested["Encoder demo"] - requested["LLaVA demo"]
    assert (
        requested["LLaVA demo + Post-hoc"]
        < requested["LLaVA demo + VDD"]
        == requested["LLaVA demo"]
    )


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("label: Model", "label: Model, tasks: [raf_bd]", "did you mean 'raf_db'"),
        ("{label: Base}", "{label: Base, tasks: [raf_bd]}", "did you mean 'raf_db'"),
        ("{label: Base}", "{label: Base, models: [Modle]}", "did you mean 'Model'"),
        ("{label: Base}", "{label: Base, tasks: trained}", "belongs to a recipe"),
        ("label: Model", "label: Model, tasks: [raf_db]", "has no task left"),
    ],
)
def test_parts_of_the_matrix_that_are_not_there_are_named(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    text = STUDY.replace("{label: Base}", "{label: Base, tasks: [pisc_fine]}") if (
        "left" in message) else STUDY  # fmt: skip
    with pytest.raises(UserError) as messages:
        load_study(str(study(tmp_path, text.replace(old, new, 1))))
    assert message in f"{messages.value} {messages.value.fix}"


def test_the_matrix_is_models_by_recipes_by_data_by_seeds(tmp_path: Path) -> None:
    trials = trials_of(load_study(str(study(tmp_path, STUDY))))
    assert [trial.name for trial in trials] == [
        "Model",
        "Model + Post-hoc",
        "Model + Single (Faces), seed 0",
        "Model + Single (Faces), seed 1",
        "Model + Joint (Both), seed 0",
        "Model + Joint (Both), seed 1",
    ]
    assert [len(trial.tasks) for trial in trials] == [2, 2, 1, 1, 2, 2]
    assert len({trial.row for trial in trials}) == 4


def test_every_setting_of_a_training_can_be_declared(tmp_path: Path) -> None:
    options = {
        "checkpointing": True, "validate": "raf_db:accuracy", "validate_limit": 4,
        "hold_out": 0.1, "keep": 1,
    }  # fmt: skip
    more = ", ".join(f"{name}: {json.dumps(value)}" for name, value in options.items())
    text = STUDY.replace("limit: 8}", f"limit: 8, {more}}}")
    result = load_study(str(study(tmp_path, text)))
    trial = trials_of(result)[-1]
    settings = asdict(teaching(result, trial)["settings"])
    assert {name: settings[name] for name in options} == options
    schema = json.loads(Path(loader.__file__).with_name("study.schema.json").read_text())
    names = set(schema["$defs"]["training"]["properties"])
    # Seeds are the study's, the log changes nothing, and a study is one process.
    ours = {"seed", "log_every", "shard"}
    assert {field.name for field in fields(TrainingSettings)} - ours <= names
    with pytest.raises(UserError, match="hold_out"):
        load_study(str(study(tmp_path, text.replace("0.1", "1.5"))))


def test_data_may_lie_where_the_study_says(tmp_path: Path) -> None:
    text = STUDY.replace("tasks: [raf_db]}", f"tasks: [raf_db], paths: {{raf_db: {tmp_path}}}}}", 1)
    single = load_study(str(study(tmp_path, text)))
    assert teaching(single, trials_of(single)[2])["data"] == {"raf_db": str(tmp_path)}
    assert teaching(single, trials_of(single)[-1])["data"] == {}
    gone = load_study(str(study(tmp_path, text.replace(f"{tmp_path}}}", f"{tmp_path}/gone}}"))))
    with pytest.raises(UserError, match="raf_db is trained on do not exist"):
        teaching(gone, trials_of(gone)[2])
    with pytest.raises(UserError, match="did you mean 'raf_db'"):
        load_study(str(study(tmp_path, text.replace("{raf_db:", "{raf_bd:"))))


def test_recipes_over_several_data_have_a_row_for_each() -> None:
    rows = {trial.row for trial in trials_of(load_study("cmsc_concepts_demo"))}
    assert "LLaVA demo + ASD (education)" in rows
    assert len(rows) == 2 * 7  # models x base, FT and ASD on each of three groups


@pytest.mark.parametrize(
    ("old", "new", "line", "message"),
    [
        ("model: majority", "model: majorty", 5, "did you mean 'majority'"),
        ("recipe: single", "recipe: singel", 12, "did you mean 'single'"),
        ("method: posthoc", "method: posthok", 11, "did you mean 'posthoc'"),
        ("task: pisc_fine", "task: pisc_fin", 17, "did you mean 'pisc_fine'"),
        ("[raf_db, pisc_fine]", "[raf_db, pisc_fyne]", 8, "did you mean 'pisc_fine'"),
        ("data: [Both]", "data: [Boths]", 13, "did you mean 'Both'"),
        ("{mixing: uniform}", "{mixin: uniform}", 13, "did you mean 'mixing'"),
        ("{mixing: uniform}", "{mixing: uniformly}", 13, "did you mean 'uniform'"),
        ("label: Joint", "label: Single", 13, "is repeated"),
        ("{epochs: 2,", "{epoch: 2,", 18, "did you mean 'epochs'"),
        ("{epochs: 2,", "{epochs: 0,", 18, "must be at least 1"),
        ("title: A small study\n", "", 1, "'title' is missing"),
        ("{label: Base}", "{label: Base, data: [Both]}", 10, "belongs to a recipe"),
        ("task: raf_db}", "task: raf_db, options: {nothing: 1}}", 16, "nothing"),
        ("evaluation:", "layout: asd_man\nevaluation:", 19, "did you mean 'asd_main'"),
        (
            "evaluation:",
            "transfer: {alone: Singel, joint: Joint, matched: steps}\nevaluation:",
            19,
            "did you mean 'Single'",
        ),
        (
            "evaluation:",
            "compare: [{row: Joint, against: Bas}]\nevaluation:",
            19,
            "did you mean 'Base'",
        ),
        ("tasks: [raf_db]}", "tasks: [raf_db], form: opn}", 7, "unknown form of 'raf_db'"),
        ("{rate: 0.5}", "{rate: 0.5, form: opn}", 5, "unknown form of 'raf_db' 'opn'"),
        ("limit: 8}", "limit: 8, form: opn}", 18, "unknown form of 'raf_db' 'opn'"),
        ("limit: 8}", "limit: 8, device: cpuu}", 18, '"cpuu": auto, cpu, cuda, cuda:1 or mps'),
        ("{limit: 5}", "{limit: 5, device: gpu}", 19, '"gpu": auto, cpu, cuda, cuda:1 or mps'),
        ("limit: 8}", "limit: 8, validate: raf_db}", 18, '"raf_db": TASK:METRIC'),
        ("tasks: [raf_db]}", "tasks: [raf_db], options: {raf_db.x: 1}}", 7, "'x'"),
        ("tasks: [raf_db]}", "tasks: [raf_db], options: {pisc.x: 1}}", 7, "unknown task of this"),
    ],
)
def test_what_is_wrong_is_said_at_its_line(
    tmp_path: Path, old: str, new: str, line: int, message: str
) -> None:
    assert old in STUDY
    path = study(tmp_path, STUDY.replace(old, new, 1))
    with pytest.raises(UserError) as raised:
        load_study(str(path))
    assert message in str(raised.value)
    assert str(raised.value).startswith(f"{path}:{line}:")


def test_an_unknown_study_names_its_neighbours() -> None:
    with pytest.raises(UserError, match="did you mean 'asd_main'"):
        load_study("asd_mian")


def test_the_name_of_a_command_is_no_study(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(main, ["study", "reproductions", "--fill", "a page.md"]) == 2
    errors = capsys.readouterr().err
    assert "'reproductions' is a command of its own, not a study" in errors
    assert "fix: harness reproductions --fill 'a page.md'" in errors


@pytest.mark.parametrize("flags", [["--on", "processes"], ["-e", "workers=2"], ["--dry-run"]])
def test_flags_without_a_study_are_refused(
    flags: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(main, ["study", *flags]) == 2
    assert "give the name of a study" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "fix"),
    [
        (["--metrics", "auc_gap"], "harness rescore --metrics auc_gap"),
        (["--metrics=auc_gap", "--results", "r"], "harness rescore r --metrics auc_gap"),
        (["--metrics"], "harness rescore --metrics ID,ID"),
    ],
)
def test_metrics_of_kept_answers_are_another_command_s(
    words: list[str], fix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(main, ["study", "asd_main_demo", *words]) == 2
    errors = capsys.readouterr().err
    assert "others are computed from the answers that it keeps" in errors
    assert f"fix: {fix}\n" in errors


def test_a_task_may_be_the_path_of_its_spec_beside_the_study(tmp_path: Path) -> None:
    shipped = installed_catalog().task("raf_db").source
    assert shipped is not None
    text = shipped.read_text("utf-8").replace("id: raf_db", "id: mine", 1)
    (tmp_path / "mine.yaml").write_text(text, encoding="utf-8")
    both = STUDY.replace("{task: pisc_fine}", "{task: ./mine.yaml}")
    result = load_study(str(study(tmp_path, both)))
    assert [task.task for task in result.tasks] == ["raf_db", "mine"]
    with pytest.raises(UserError, match=r"gone\.yaml"):
        load_study(str(study(tmp_path, both.replace("mine.yaml", "gone.yaml"))))
    forget_included()


def test_a_problem_of_a_trial_on_one_line_sets_off_what_mends_it() -> None:
    assert said(UserError("the data do not exist", where="x", fix="make them")) == (
        "x: the data do not exist; fix: make them"
    )
    assert said(ValueError("odd\n text")) == "ValueError: odd text"
