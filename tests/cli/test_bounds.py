"""Numbers and names that nobody can have meant: refused before anything is read, by every door."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args

import click
import pytest
from harness_training.parts import LoraSettings
from harness_training.settings import Schedule, TrainingSettings

import harness
from harness.cli.main import invoke, main
from harness.config.settings import load_settings
from harness.descriptors import Option
from harness.errors import UserError
from harness.models import Runtime
from harness.plugins import plugins

Capture = pytest.CaptureFixture[str]
TRAIN = ("train", "--model", "socialfusion", "--recipe", "ft", "--tasks", "raf_db", "--limit", "4")


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def refused(capsys: Capture, *arguments: str) -> str:
    assert invoke(main, [*arguments]) == 2
    message = capsys.readouterr().err
    assert message.count("error:") == 1
    assert "fault of the harness" not in message
    return message


def numbers(command: click.Command) -> list[click.Parameter]:
    return [
        param
        for param in command.params
        if isinstance(param.type, click.types._NumberParamTypeBase)
    ]


@pytest.mark.parametrize("name", sorted(plugins().commands()))
def test_every_number_of_every_command_has_a_least_and_refuses_none(name: str) -> None:
    command = main.get_command(click.Context(main), name)
    assert command is not None
    inner = [*getattr(command, "commands", {}).values(), command]
    for parameter in (number for below in inner for number in numbers(below)):
        kind: Any = parameter.type
        for text in ("nan", "inf", "-1", "x"):
            with pytest.raises(click.BadParameter):
                kind.convert(text, parameter, None)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--schedule", "nosuch"), "--schedule: 'nosuch' is not one of 'linear'"),
        (("--seed", "-1"), "--seed: '-1' should be at least 0 and at most 4,294,967,295"),
        (("--seed", "9" * 30), "--seed: "),
        (("--weight-decay", "inf"), "--weight-decay: 'inf' is not a finite number"),
        (("--weight-decay", "1e300"), "should be at least 0 and at most 100"),
        (("--weight-decay", "100", "--learning-rate", "0.5"), "remove a weight entirely"),
        (("--learning-rate", "nan"), "--learning-rate: 'nan' is not a finite number"),
        (("--lora-rank", "100000000"), "--lora-rank: "),
        (("--lora-alpha", "0"), "--lora-alpha: '0' should be at least 1"),
        (("--keep", "9" * 20), "--keep: "),
        (("--save-every", "9" * 20), "--save-every: "),
        (("--device", "gpu"), "--device: 'gpu' should be auto, cpu, cuda"),
        (("--train-parts", "nosuch"), "--train-parts: the model has no part 'nosuch'"),
        (("--train-parts", "lora,language_model"), "lora replaces the training of"),
        (("--train-parts", "fulll"), "did you mean 'full'?"),
        (("--data", "foo=bar=x"), "unknown task or benchmark 'foo'"),
        (("--data-path", "foo"), "--data 'foo' is not TASK=PATH"),
        (("--lora-rnk", "4"), "no such option: --lora-rnk\n  fix: did you mean '--lora-rank'"),
    ],
)  # fmt: skip
def test_a_training_refuses_what_it_cannot_do(
    capsys: Capture, flags: tuple[str, ...], message: str
) -> None:
    assert message in refused(capsys, *TRAIN, "--out", "t", "--dry-run", *flags)


def test_a_folder_that_cannot_be_made_is_named_by_its_own_flag(capsys: Capture) -> None:
    Path("file").touch()
    assert "--out FOLDER" in refused(capsys, *TRAIN, "--out", "file/x")


@pytest.mark.parametrize("name", get_args(Schedule))
def test_every_schedule_needs_no_more_than_steps(name: str) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    weights = torch.nn.Parameter(torch.zeros(2))
    optimiser = torch.optim.SGD([weights], lr=0.1)
    transformers.get_scheduler(name, optimiser, num_warmup_steps=1, num_training_steps=4)


@pytest.mark.parametrize(
    "make",
    [
        lambda: TrainingSettings(seed=-1),
        lambda: TrainingSettings(seed=10**400),
        lambda: TrainingSettings(learning_rate=float("nan")),
        lambda: TrainingSettings(weight_decay=float("inf")),
        lambda: TrainingSettings(device="gpu"),
        lambda: TrainingSettings(schedule="nosuch"),  # type: ignore[arg-type]
        lambda: LoraSettings(rank=10**9),
        lambda: Runtime(device="gpu"),
        lambda: harness.plan("majority", "raf_db", device="gpu"),
        lambda: harness.plan("majority", "raf_db", threads=10**9),
        lambda: harness.plan("majority", "raf_db", seed=-1),
        lambda: harness.plan("majority", "raf_db", max_errors=float("nan")),
        lambda: harness.load_task("raf_db").render_answer(5),
        lambda: harness.load_task("raf_db").render_answer("nosuch"),
        lambda: harness.leaderboard(["raf_db"]),
    ],
)
def test_python_refuses_the_same(make: Callable[[], object]) -> None:
    with pytest.raises(UserError):
        make()


@pytest.mark.parametrize("text", ["nan", "inf", "-inf", "1e999", "0", "11", "x"])
def test_an_option_of_a_plugin_has_bounds(text: str) -> None:
    option = Option(name="share", type="float", default=1.0, least=1, most=10)
    with pytest.raises(UserError, match="option 'share'"):
        option.parse(text)


def test_a_number_of_positions_that_no_answer_fits_into_is_refused(capsys: Capture) -> None:
    questions = ("run", "--model", "llava", "--tasks", "raf_db", "-o", "context=-5")
    assert "option 'context' of model 'llava': -5 is less than 1" in refused(capsys, *questions)


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("HARNESS_DEBUG", "maybe", "HARNESS_DEBUG: 'maybe' is neither 1 nor 0"),
        ("HARNESS_BLOCK_PLUGINS", "lava", "HARNESS_BLOCK_PLUGINS: unknown plugin 'lava'"),
        ("HARNESS_RESULT", "x", "unknown variable HARNESS_RESULT\n  fix: HARNESS_RESULTS"),
    ],
)
def test_the_environment_is_not_ignored(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, message: str
) -> None:
    monkeypatch.setenv(variable, value)
    assert message in refused(capsys, "models")


def test_a_plugin_that_nobody_has_cannot_be_blocked(capsys: Capture) -> None:
    try:
        message = refused(capsys, "--block-plugin", "lava", "models")
    finally:
        from harness import plugins as module

        module._extra_blocked.clear()
        plugins.cache_clear()
    assert "--block-plugin: unknown plugin 'lava'\n  fix: did you mean 'llava'?" in message


def test_a_cache_that_cannot_be_made_is_not_the_fault_of_a_plugin(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("file").touch()
    monkeypatch.setenv("HARNESS_CACHE", "file/cache")
    message = refused(capsys, "run", "--model", "majority", "--tasks", "raf_db", "--limit", "2")
    assert "the cache cannot be written" in message
    assert "demo_world" not in message


def test_a_model_nearly_named_is_refused_while_a_plugin_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Path("harness.toml").write_text("[models.socialfuson]\npath = 'x'\n", encoding="utf-8")
    monkeypatch.setenv("HARNESS_BLOCK_PLUGINS", "bunny")
    plugins.cache_clear()
    try:
        with pytest.raises(UserError, match="socialfusion"):
            load_settings()
    finally:
        plugins.cache_clear()


def test_a_path_of_another_results_folder_is_shown(capsys: Capture, tmp_path: Path) -> None:
    questions = ("--model", "majority", "--tasks", "raf_db", "--limit", "2", "--results", "other")
    assert invoke(main, ["run", *questions]) == 0
    (folder,) = (tmp_path / "other" / "evaluations" / "raf_db").iterdir()
    capsys.readouterr()
    assert invoke(main, ["results", "show", str(folder)]) == 0
    assert folder.name in capsys.readouterr().out
    above = refused(capsys, "results", "show", "other/evaluations")
    assert "is a folder of evaluations" in above


def test_a_working_folder_that_is_gone_is_said(
    capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert "the working folder no longer exists" in refused(capsys, "models")
