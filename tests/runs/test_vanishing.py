"""Results that vanish, or change, while an analysis reads them: one message, and no traceback."""

from __future__ import annotations

import io
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.cli.main import invoke, main
from tests.runs.sealed import answers, write

COMMANDS = (
    ("leaderboard", "results", "--ties"),
    ("leaderboard", "results", "--intersect"),
    ("leaderboard", "results", "--strict"),
    ("compare", "results/evaluations/one", "results/evaluations/two"),
    ("site", "build", "site", "results", "--no-figures"),
    ("plot", "forest", "results", "--out", "forest.svg"),
    ("rescore", "results/evaluations/one", "--metrics", "accuracy"),
    ("export", "results/evaluations/one", "--format", "every_eval_ever", "--out", "out"),
    ("push", "results/evaluations/one", "--to", "./there", "--yes", "--with-samples"),
)


def vanish() -> None:
    shutil.rmtree("results")


def cut() -> None:
    for path in Path("results").rglob("*.json*"):
        path.write_bytes(path.read_bytes()[:10])


def grow() -> None:
    for path in Path("results").rglob("samples.jsonl"):
        path.write_bytes(path.read_bytes() + b"{}\n")


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., tuple[int, int]]:
    """Returns what runs a command and does something when a file of the results is opened."""
    monkeypatch.chdir(tmp_path)
    real = io.open

    def run(command: tuple[str, ...], happens: Callable[[], None], moment: int) -> tuple[int, int]:
        shutil.rmtree("results", ignore_errors=True)
        for number, model in enumerate(("one", "two")):
            write(Path("results/evaluations") / model, answers({number: "fear"}), model=model)
        times = 0

        def opening(file: Any, *arguments: Any, **named: Any) -> Any:
            nonlocal times
            if "evaluations" in Path(str(file)).parts:
                times += 1
                if times == moment:
                    happens()
            return real(file, *arguments, **named)

        with monkeypatch.context() as patched:
            patched.setattr(io, "open", opening)
            code = invoke(main, list(command))
        return code, times

    return run


@pytest.mark.parametrize("happens", [vanish, cut, grow])
@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_results_that_change_meanwhile_are_one_message(
    opened: Callable[..., tuple[int, int]],
    command: tuple[str, ...],
    happens: Callable[[], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    code, times = opened(command, happens, 0)  # never
    assert code == 0, capsys.readouterr().err
    assert times > 1
    capsys.readouterr()
    for moment in {1 + times // 3, 1 + 2 * times // 3, times}:
        code, _ = opened(command, happens, moment)
        errors = capsys.readouterr().err
        assert code in {0, 1, 2}, errors
        assert "Traceback" not in errors
        if code:
            assert sum(line.startswith("error: ") for line in errors.splitlines()) == 1, errors
