"""What is installed is listed and shown, kind by kind, in one way."""

from __future__ import annotations

import json

import pytest

from harness.api.listings import KINDS
from harness.cli.main import invoke, main


@pytest.mark.parametrize("kind", [*KINDS, "tasks"])
def test_every_kind_is_listed(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(main, ["list", kind]) == 0
    assert capsys.readouterr().out
    assert invoke(main, ["list", kind, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)


def test_without_a_kind_the_kinds_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(main, ["list", "--json"]) == 0
    assert list(json.loads(capsys.readouterr().out)) == list(KINDS)
    assert invoke(main, ["list"]) == 0
    assert "executors" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("kind", "name"),
    [("metric", "accuracy"), ("metrics", "accuracy"), ("model", "socialfusion"),
     ("task", "raf_db"), ("recipe", "asd"), ("format", "latex")],
)  # fmt: skip
def test_one_of_a_kind_is_shown(kind: str, name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(main, ["show", kind, name]) == 0
    assert name in capsys.readouterr().out
    assert invoke(main, ["show", kind, name, "--json"]) == 0
    assert isinstance(json.loads(capsys.readouterr().out), dict)


@pytest.mark.parametrize(
    ("words", "fix"),
    [
        (["list", "metric_s"], "metrics"),
        (["show", "metric", "acuracy"], "accuracy"),
        (["show", "nothing", "x"], "known"),
        (["show", "model", "socialfushion"], "socialfusion"),
    ],
)
def test_a_wrong_name_has_the_nearest(
    words: list[str], fix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(main, words) == 2
    assert fix in capsys.readouterr().err
