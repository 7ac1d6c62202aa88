"""Every command reads ``harness.toml`` by one door: what is wrong with it ends all alike."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from harness.cli.main import invoke, main
from harness.config.settings import load_settings
from harness.plugins import BLOCK_VARIABLE, plugins
from harness.targets import load_target

Capture = pytest.CaptureFixture[str]
# What must be given for a command to begin at all.
GIVEN = {
    "run": ["--model", "majority", "--tasks", "raf_db", "--dry-run"],
    "list": ["models"],
    "show": ["model", "majority"],
    "train": ["--model", "m", "--recipe", "ft", "--tasks", "raf_db", "--out", "out"],
    "compare": ["a", "b"],
    "export": [".", "--format", "card", "--out", "out"],
    "plot": ["forest", "--out", "a.pdf"],
    "site build": ["out"],
    "site serve": ["out"],
    "submission": [".", "--out", "a.json"],
    "probe": ["--encoder", "hf:x", "--tasks", "raf_db"],
    "gradients": ["--model", "m", "--tasks", "raf_db"],
    "mir": ["--model", "m", "--tasks", "raf_db"],
    "new task": [".", "--yes"],
    "new plugin": ["kappa", "--kind", "metric"],
    "power": ["raf_db", "--effect", "1"],
    "rescore": [".", "--metrics", "accuracy"],
    "push": [".", "--to", "a/b"],
    "make counterfactuals": ["cmsc", "--out", "out"],
    "quality": ["."],
    "review": ["."],
    "tasks show": ["raf_db"],
    "models show": ["majority"],
    "data where": ["raf_db"],
    "data check": ["raf_db"],
    "data fingerprint": ["raf_db"],
    "validate": ["."],
    "plugin check": ["majority"],
    "results show": ["x"],
    "results rm": ["x"],
}
FILES = {
    "no TOML": (b"profile = [", "not valid TOML"),
    "unknown key": (b"x = 1", "unknown key 'x'"),
    "brackets": (b"results = " + b"[" * 5_000, "nested too deeply"),
    "digits": (b"[models.null]\nseed = " + b"1" * 5_000, "too many digits"),
    "no such user": (b"[data]\nraf_db = '~nosuchuser/x'", "no home folder of that user"),
    "no such cache": (b"cache = '~nosuchuser'", "no home folder of that user"),
    "no such results": (b"results = '~nosuchuser/x'", "no home folder of that user"),
    "null in results": (b'results = "a\\u0000b"', "null character"),
    "null in a data path": (b'[data]\nraf_db = "a\\u0000b"', "must be a string: a path"),
    "unknown profile": (b"profile = 'ful'", "did you mean 'full'?"),
    "unknown model": (b"[models.majorty]\nseed = 1", "did you mean 'majority'?"),
    "unknown option": (b"[models.predictions]\npat = 'x'", "did you mean 'path'?"),
    "unknown source": (b"[data]\nsource = 'demo_worl'", "did you mean 'demo_world'"),
    "value of an option": (b"[models.random]\nseed = 'x'", "random.seed: 'x' is not a whole"),
    "choice of an option": (b"[models.openai_api]\nscores = 'labels'", "did you mean 'label'?"),
    "variable": (b"results = '$HOME/x'", "variables such as $HOME are not expanded"),
    "variable in a data path": (b"[data]\nraf_db = '${D}/x'", "such as ${D} are not expanded"),
    "key twice": (b"profile = 'demo'\nprofile = 'full'", "not valid TOML"),
    "not UTF-8": (b"results = '\xff'", "not UTF-8"),
    "empty path": (b"results = ''", "that is not empty"),
}


def leaves(command: click.Command, name: str) -> Iterator[str]:
    """Yield the names of commands that do something."""
    below = getattr(command, "commands", {})
    if not below or getattr(command, "invoke_without_command", False):
        yield name
    for inner, content in below.items():
        yield from leaves(content, f"{name} {inner}")


def commands() -> list[str]:
    listed = plugins().commands()
    return [leaf for name, content in listed.items() for leaf in leaves(load_target(content), name)]


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("HARNESS_PROFILE", "HARNESS_RESULTS", "HARNESS_CACHE"):
        monkeypatch.delenv(name, raising=False)


def ended(capsys: Capture, *arguments: str) -> tuple[int, str]:
    code = invoke(main, list(arguments))
    return code, capsys.readouterr().err


@pytest.mark.parametrize("command", commands())
def test_every_command_refuses_it(command: str, capsys: Capture) -> None:
    for content, message in FILES.values():
        Path("harness.toml").write_bytes(content)
        code, err = ended(capsys, *command.split(), *GIVEN.get(command, ()))
        assert code == 2, (command, err)
        assert message in err, command
        assert len(err) < 400
    assert not Path("results").exists()


@pytest.mark.parametrize("command", commands())
def test_help_is_always_there(command: str, capsys: Capture) -> None:
    Path("harness.toml").write_text("profile = [")
    assert invoke(main, [*command.split(), "--help"]) == 0
    assert "Usage" in capsys.readouterr().out


def test_a_folder_in_its_place_is_no_settings(capsys: Capture) -> None:
    Path("harness.toml").mkdir()
    code, err = ended(capsys, "tasks")
    assert code == 2
    assert "Is a directory" in err


def test_a_link_to_nothing_is_no_missing_file(capsys: Capture) -> None:
    Path("harness.toml").symlink_to("nowhere.toml")
    code, err = ended(capsys, "tasks")
    assert code == 2
    assert "a broken link" in err


def test_results_may_lie_in_the_home_folder(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    Path("harness.toml").write_text("results = '~/records'")
    assert load_settings().results == tmp_path / "home/records"
    monkeypatch.setenv("HARNESS_RESULTS", "~nosuchuser/x")
    code, err = ended(capsys, "results", "list")
    assert code == 2
    assert "HARNESS_RESULTS: there is no home folder of that user" in err


def test_a_byte_order_mark_is_no_mistake(capsys: Capture) -> None:
    Path("harness.toml").write_bytes(b"\xef\xbb\xbfprofile = 'full'")
    assert ended(capsys, "models")[0] == 0


def test_a_message_is_short_when_the_input_is_not(capsys: Capture) -> None:
    Path("harness.toml").write_text(f"{'k' * 100_000} = 1")
    code, err = ended(capsys, "tasks")
    assert code == 2
    assert "characters" in err
    assert len(err) < 2_200


def test_models_of_a_plugin_that_is_left_out_may_be_named(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("harness.toml").write_text("[models.of_the_lab]\nsize = 1")
    assert ended(capsys, "tasks")[0] == 2
    monkeypatch.setenv(BLOCK_VARIABLE, "llava")
    plugins.cache_clear()
    try:
        assert ended(capsys, "tasks")[0] == 0
    finally:
        plugins.cache_clear()
