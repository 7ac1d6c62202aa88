"""A model found by name: layers of options, presets and their marks, what it can answer."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import harness
from harness.config.settings import Settings, load_settings
from harness.descriptors import Option
from harness.errors import UserError
from harness.evaluation.model import configure_model, portable
from harness.evaluation.plan import Selection
from harness.evaluation.run import plan_run
from harness.evaluation.run_settings import RunSettings
from harness.models import Runtime


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return load_settings(profile="demo", folder=tmp_path)


def test_the_profile_gives_the_preset_and_its_marks(settings: Settings) -> None:
    subject = configure_model("socialfusion", {}, settings, Runtime())
    assert subject.options["path"] == "package:harness_demo_world/weights/socialfusion"
    assert subject.marks == ("demo",)


def test_a_checkpoint_of_ones_own_is_not_marked_demo(settings: Settings) -> None:
    subject = configure_model("socialfusion", {"path": "mine"}, settings, Runtime())
    assert subject.options["path"] == "mine"
    assert subject.marks == ()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"prset": "demo"}, "did you mean 'preset'"),
        ({"preset": "dmo"}, "did you mean 'demo'"),
        ({"score_eos": "perhaps"}, "is neither true nor false"),
    ],
)
def test_mistakes_name_what_is_near(
    settings: Settings, options: dict[str, str], message: str
) -> None:
    with pytest.raises(UserError, match=message):
        configure_model("socialfusion", dict(options), settings, Runtime())


def test_a_group_s_task_that_cannot_be_asked_is_left_out(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def job(_subject: Any, task: Any, _terms: Any) -> Any:
        return task

    def state(task: Any, _subject: Any, _terms: Any) -> Any:
        return SimpleNamespace(id=task.id, state="done")

    monkeypatch.setattr("harness.evaluation.run._job", job)
    monkeypatch.setattr("harness.evaluation.run._state", state)
    subject = configure_model("majority", {}, settings, Runtime())
    tasks = [harness.load_task(name, settings=settings) for name in ("textvqa", "mmbench")]
    result: list[Any] = list(plan_run(subject, tasks, RunSettings(selection=Selection())))
    assert [item.id for item in result] == ["textvqa"]
    assert "learns from the train split, and task 'mmbench' has none" in subject.left_out["mmbench"]
    named = RunSettings(selection=Selection(), named=frozenset({"mmbench"}))
    with pytest.raises(UserError, match="'mmbench' has none"):
        plan_run(subject, tasks, named)


def test_records_hold_no_folder_of_this_machine() -> None:
    folder, either = Option(name="path", type="path", help="h"), Option(name="path", help="h")
    assert portable(folder, "some/where/answers.jsonl") == "answers.jsonl"
    assert portable(either, "/some/where/tiny") == "tiny"
    assert portable(either, "org/name") == "org/name"
    assert portable(either, None) is None
