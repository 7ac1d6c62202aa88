"""Flags that were renamed take their old spelling for one version, and say the new one."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
from click.shell_completion import ShellComplete
from harness_analyses.command_gradients import gradients
from harness_analyses.command_probe import probe
from harness_counterfactuals.command import counterfactuals
from harness_training.command import train
from harness_training.settings import TrainingSettings, present_settings

import harness
from harness.arguments import FORMER, plain
from harness.cli.main import invoke, main
from harness.errors import UserError

TRAIN = ["--model", "m", "--recipe", "ft", "--out", "out"]


def parsed(command: Any, *words: str) -> dict[str, Any]:
    assert isinstance(command, click.Command)
    return command.make_context("x", list(words)).params


@pytest.mark.parametrize(
    ("old", "new", "name", "value"),
    [
        (["--data", "a,b"], "--tasks", "tasks", "a,b"),
        (["--data=a,b"], "--tasks", "tasks", "a,b"),
        (["--tasks", "a", "--data-path", "a=/x"], "--data", "data", ("a=/x",)),
        (["--tasks", "a", "--rate", "0.5"], "--learning-rate", "learning_rate", 0.5),
        (["--tasks", "a", "--decay=0.5"], "--weight-decay", "weight_decay", 0.5),
        (["--tasks", "a", "--batch", "8"], "--batch-size", "batch_size", 8),
        (["--tasks", "a", "--parts", "full"], "--train-parts", "parts", "full"),
    ],
)
def test_an_old_flag_of_a_training_is_read_as_the_new_one(
    old: list[str], new: str, name: str, value: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    assert parsed(train, *TRAIN, *old)[name] == value
    errors = capsys.readouterr().err
    assert errors.count("hint: ") == 1
    assert f"is {new} now" in errors


@pytest.mark.parametrize(
    ("command", "words"),
    [(probe, ["--encoder", "e", "--tasks", "a"]), (gradients, ["--model", "m", "--tasks", "a"])],
)
def test_batch_is_batch_size(
    command: Any, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert parsed(command, *words, "--batch", "3")["batch"] == 3
    assert "hint: --batch is --batch-size now" in capsys.readouterr().err


def test_a_batch_of_images_is_batch_size_too(capsys: pytest.CaptureFixture[str]) -> None:
    assert parsed(counterfactuals, "cmsc", "--out", "o", "--batch", "3")["batch"] == 3
    assert "hint: --batch is --batch-size now" in capsys.readouterr().err


def test_old_names_of_arguments_work_with_a_warning(tmp_path: Path) -> None:
    old: Any = {"whole": False}
    with (
        pytest.warns(FutureWarning, match="whole of read_evaluation is details now"),
        pytest.raises(UserError),
    ):
        harness.read_evaluation(tmp_path, **old)
    with pytest.warns(FutureWarning, match="rate of TrainingSettings is learning_rate now"):
        settings = plain(TrainingSettings, {"rate": 0.5, "batch_size": 8}, "settings")
    assert (settings.learning_rate, settings.batch_size) == (0.5, 8)


def test_records_of_trainings_keep_their_keys() -> None:
    about = TrainingSettings(learning_rate=0.5, batch_size=8, weight_decay=0.25).about()
    assert (about["rate"], about["batch"], about["decay"]) == (0.5, 8, 0.25)
    assert list(about)[:4] == ["epochs", "batch", "micro_batch", "rate"]


def test_studies_take_both_spellings() -> None:
    assert present_settings({"rate": 0.5, "batch_size": 8, "limit": 3, "parts": "lora"}) == {
        "learning_rate": 0.5,
        "batch_size": 8,
        "limit": 3,
        "train_parts": "lora",
    }


def test_old_names_of_arguments_stand_for_those_of_now() -> None:
    with pytest.raises(UserError), pytest.warns(FutureWarning, match="parts of train is train_p"):
        harness.train("null", "ft", "raf_db", "out", parts="full")
    names = {"probe", "gradients", "mir", "build_site", "study", "data_check", "check_model"}
    for name in names:
        parameters = inspect.signature(getattr(harness, name)).parameters
        assert FORMER[name].keys().isdisjoint(parameters)
        assert set(FORMER[name].values()) <= parameters.keys()


def test_present_flags_give_no_hint(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = parsed(train, *TRAIN, "--tasks", "a", "--data", "a=/x", "--batch-size", "4")
    assert (arguments["tasks"], arguments["data"], arguments["batch_size"]) == ("a", ("a=/x",), 4)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("option", "begun", "expected"),
    [
        ("--model", "socialf", "socialfusion"),
        ("--tasks", "raf_db,pisc_f", "raf_db,pisc_fine"),
        ("--model socialfusion -o", "pre", "preset="),
        ("--on", "pro", "processes"),
    ],
)
def test_a_shell_completes_names(option: str, begun: str, expected: str) -> None:
    assert expected in completions(f"run {option}", begun)


def completions(words: str, begun: str) -> list[str]:
    complete = ShellComplete(main, {}, "harness", "_HARNESS_COMPLETE")
    return [item.value for item in complete.get_completions(words.split(), begun)]


@pytest.mark.parametrize(
    ("words", "begun", "expected"),
    [
        ("show metric", "acc", ["accuracy"]),
        ("show readers", "raf", ["raf_db"]),
        ("show task", "raf", ["raf_db"]),
        ("show nothing", "raf", []),
        ("models show", "socialf", ["socialfusion"]),
        ("tasks show", "raf", ["raf_db"]),
        ("data where", "raf", ["raf_db"]),
        ("power", "raf", ["raf_db"]),
        ("train --recipe", "balan", ["balanced"]),
    ],
)
def test_a_shell_completes_arguments(words: str, begun: str, expected: list[str]) -> None:
    assert completions(words, begun) == expected


SAME_FLAG = {  # flags of which a command takes another form, and why
    "batch-size": "a run may leave it to the model: auto",
    "config": "of a run a file, which `results show` prints",
    "encoder": "of several encoders, or of one",
    "images": "at most N, or all",
    "layout": "of several layouts, or of one",
    "limit": "a share of the samples too",
}


def test_a_flag_has_one_form_in_all_commands() -> None:
    forms: dict[str, set[tuple[str, bool, bool]]] = {}
    for option in options_of(main):
        kind = "path" if isinstance(option.type, click.Path) else option.type.name
        form = (kind, option.multiple, option.is_flag)
        for flag in option.opts:
            forms.setdefault(flag, set()).add(form)
        if "--tasks" in option.opts:
            assert "raf_db" in [item.value for item in completed(option, "raf_")]
    repeated = {flag for flag, each in forms.items() if len(each) > 1}
    assert repeated == {f"--{flag}" for flag in SAME_FLAG}


def completed(option: click.Parameter, begun: str) -> list[Any]:
    return option.shell_complete(click.Context(main), begun)


def options_of(command: click.Command) -> Iterator[click.Option]:
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from options_of(inner)
    else:
        yield from (option for option in command.params if isinstance(option, click.Option))


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "--model", "random", "--tasks", "raf_db", "--model", "null"],
        ["leaderboard", "--tasks", "raf_db", "--tasks=fairface"],
        ["results", "list", "--results", "a", "--results", "b"],
    ],
)
def test_an_option_that_is_given_twice_is_refused(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(main, arguments) == 2
    assert "is given twice" in capsys.readouterr().err
