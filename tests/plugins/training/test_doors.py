"""A training is the same from the command line, from Python and in a study that names nothing."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from harness_studies.loader import load_study
from harness_studies.plan import Planner
from harness_studies.study import Trial, trials_of
from harness_training import command
from harness_training.parts import LoraSettings
from harness_training.plan import TrainingPlan
from harness_training.settings import LEARNING_RATE, TrainingSettings, learning_rate

import harness
from harness.cli.main import invoke, main
from harness.config.settings import load_settings
from harness.errors import UserError
from harness.evaluation.model import configure_model
from harness.models import Runtime
from harness.packages import packaged
from harness.plugins import plugins
from harness.resources import data_folder

CHECKPOINTS = Path(__file__).parents[2] / "conformance" / "checkpoints"
MODELS: dict[str, dict[str, Any]] = {
    "socialfusion": {"preset": "demo"},
    "llava": {"path": str(CHECKPOINTS / "llava15_hf_tiny")},
    "qwen_vl": {"path": str(CHECKPOINTS / "qwen_vl_v1_tiny")},
    "bunny": {"path": str(CHECKPOINTS / "bunny_llama_tiny")},
    "hf_vlm": {"path": str(CHECKPOINTS / "llava15_hf_tiny")},
}


def by_command(model: str, parts: Mapping[str, str], monkeypatch: pytest.MonkeyPatch) -> Any:
    collected: list[TrainingPlan] = []
    monkeypatch.setattr(command, "_print_plan", lambda plan, *_: collected.append(plan))
    options = [f"-o{name}={value}" for name, value in MODELS[model].items()]
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in parts.items()]
    line = ["train", "--model", model, *options, "--recipe", "ft", "--tasks", "raf_db", *flags]
    assert invoke(main, [*line, "--out", "out", "--dry-run"]) == 0
    return collected[0].about


def by_python(model: str, parts: Mapping[str, Any]) -> Any:
    return harness.plan_training(model, "ft", "raf_db", options=MODELS[model], **parts).about


def by_study(model: str, parts: Mapping[str, Any]) -> tuple[Planner, Trial]:
    study = {
        "study": "doors",
        "title": "Doors.",
        "models": [{"model": model, "options": MODELS[model], "training": dict(parts)}],
        "data": [{"label": "faces", "tasks": ["raf_db"]}],
        "recipes": [{"label": "FT", "recipe": "ft"}],
        "tasks": [{"task": "raf_db"}],
    }
    Path("doors.yaml").write_text(yaml.safe_dump(study))
    loaded = load_study("doors.yaml")
    return Planner(loaded, None), next(iter(trials_of(loaded)))


@pytest.mark.parametrize("parts", [{}, {"train_parts": "full"}], ids=["nothing named", "full"])
@pytest.mark.parametrize("model", MODELS)
def test_every_door_records_the_same_training(
    model: str, parts: dict[str, str], faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("harness.toml").write_text(f"[data]\nraf_db = {str(faces)!r}\n")
    result = by_command(model, parts, monkeypatch)
    planner, trial = by_study(model, parts)
    assert result == by_python(model, parts) == planner.training(trial)[1].about
    descriptor = plugins().models()[model]
    expected = descriptor.learning_rates.get("language_model", LEARNING_RATE)
    assert result["settings"]["rate"] == (expected if parts else LEARNING_RATE)
    assert result["lora"] == {"rank": 16, "alpha": 32, "dropout": 0.0}


def test_these_are_all_models_that_train() -> None:
    trained = {name for name in packaged("model") if "train" in plugins().models()[name].offers}
    assert trained == {*MODELS, "open_clip"}  # which trains on pairs, in a test of its own


@pytest.mark.parametrize(
    ("parts", "rate"),
    [
        ("auto", (3e-4, True)),
        ("full", (5e-7, True)),
        ("connector,language_model", (5e-7, True)),
        ("connector, lora", (3e-4, True)),
        ("connector", (LEARNING_RATE, False)),
    ],
)
def test_a_rate_is_the_smallest_of_the_parts_that_train(
    parts: str, rate: tuple[float, bool]
) -> None:
    rates = {"language_model": 5e-7, "lora": 3e-4}
    assert learning_rate(rates, ("connector", "lora"), parts) == rate


def test_a_rate_that_nobody_names_is_said_and_one_that_is_given_wins(faces: Path) -> None:
    plan = harness.plan_training(
        "llava", "ft", "raf_db", options=MODELS["llava"], data={"raf_db": str(faces)}
    )
    message = "the learning rate 0.0001 is the general default: llava names none for auto"
    assert message in plan.notes
    plan = harness.plan_training(
        "llava",
        "ft",
        "raf_db",
        options=MODELS["llava"],
        data={"raf_db": faces},
        settings=TrainingSettings(learning_rate=0.25),
        lora=LoraSettings(rank=4),
    )
    assert (plan.settings.learning_rate, plan.lora.rank, list(plan.notes)) == (0.25, 4, [])


@pytest.mark.torch
@pytest.mark.parametrize("model", [name for name in MODELS if name != "hf_vlm"])
def test_a_descriptor_says_what_its_model_trains(model: str) -> None:
    runtime = Runtime(device="cpu", dtype="float32")
    subject = configure_model(model, MODELS[model], load_settings(profile="demo"), runtime)
    nothing: Any = None  # none of these asks for its task
    loaded: Any = subject.model(nothing)
    assert loaded.load_model(runtime).trains == subject.descriptor.trains


@pytest.mark.torch
def test_a_descriptor_says_what_models_of_transformers_train() -> None:
    from harness_hf_vlm.shared import SharedModel

    assert SharedModel.trains == plugins().models()["hf_vlm"].trains


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"train_parts": "connector", "lora": LoraSettings(rank=4)}, "--lora-rank: no adapter"),
        ({"train_parts": "full", "lora": LoraSettings(dropout=0.1)}, "--lora-dropout: no adapter"),
        ({"settings": TrainingSettings(validate_limit=3)}, "--validate-limit: no validation"),
        ({"settings": TrainingSettings(schedule="constant", warmup=0.2)}, "--warmup: the schedule"),
    ],
)
def test_what_is_chosen_of_something_that_a_training_lacks_is_refused(
    faces: Path, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UserError) as raised:
        harness.plan_training(
            "llava", "ft", "raf_db", options=MODELS["llava"], data={"raf_db": faces}, **options
        )
    assert str(raised.value).startswith(message)


def test_a_constant_schedule_may_say_that_it_has_no_warmup(faces: Path) -> None:
    settings = TrainingSettings(schedule="constant", warmup=0)
    plan = harness.plan_training(
        "llava", "ft", "raf_db", options=MODELS["llava"], data={"raf_db": faces}, settings=settings
    )
    assert plan.settings.warmup == 0


def test_a_plan_as_json_is_that_of_python(faces: Path, capsys: pytest.CaptureFixture[str]) -> None:
    line = ["train", "--model", "llava", f"-opath={MODELS['llava']['path']}", "--recipe", "ft",
            "--tasks", "raf_db", "--data", f"raf_db={faces}", "--processes", "2", "--shard",
            "--out", "out", "--dry-run"]  # fmt: skip
    assert invoke(main, [*line, "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    settings = TrainingSettings(processes=2, shard=True)
    plan = harness.plan_training(
        "llava", "ft", "raf_db", options=MODELS["llava"], data={"raf_db": faces}, settings=settings
    )
    assert printed.items() >= json.loads(json.dumps(plan.about)).items()
    assert printed["samples"] == {"raf_db": len(plan.pool.examples)}
    keys = ("directory", "fingerprint", "steps", "processes", "seconds")
    assert [printed[key] for key in keys] == ["out", plan.fingerprint, plan.steps, 2, None]
    assert not Path("out").exists()
    assert invoke(main, line) == 0
    table = " ".join(capsys.readouterr().out.split())
    assert "processes 2, each with a part of the model (--shard)" in table


def test_a_study_that_shards_in_one_process_is_told_its_key(faces: Path) -> None:
    Path("harness.toml").write_text(f"[data]\nraf_db = {str(faces)!r}\n")
    planner, trial = by_study("llava", {"shard": True})
    assert planner.plan_or_problem(trial).problem.endswith(
        "training.shard: sharding needs several processes, and this is one; fix: processes: N"
    )


def test_a_task_without_a_train_split_is_told_the_key_of_its_spec(faces: Path) -> None:
    spec = (data_folder("task_specs") / "social" / "raf_db.yaml").read_text()
    lines = [line for line in spec.splitlines() if "train_split:" not in line]
    Path("own.yaml").write_text("\n".join(lines).replace("id: raf_db", "id: own", 1))
    key = "name one in its spec: data.train_split"
    with pytest.raises(UserError, match="task 'own' has no train split") as raised:
        harness.plan_training(
            "llava", "ft", "./own.yaml", options=MODELS["llava"], data={"raf_db": faces}
        )
    assert key in raised.value.fix
    plan = harness.plan("null", "./own.yaml", data={"raf_db": faces})
    with pytest.raises(UserError, match="task 'own' has no train split") as raised:
        plan.evaluations[0].job.plan.task.train_samples()
    assert key in raised.value.fix
