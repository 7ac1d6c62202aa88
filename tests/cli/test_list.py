"""What is installed is listed and shown, kind by kind, in one way."""

from __future__ import annotations

import json

import pytest

from harness.api.listings import KINDS
from harness.cli._format import print_table
from harness.cli.main import invoke, main
from harness.plugins import plugins


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
        (["list", "plugins"], "harness plugins"),
        (["show", "group", "social_all"], "harness tasks lists groups"),
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


def test_a_kind_is_listed_by_the_word_for_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(main, ["list", "study"]) == 0
    assert "matrix" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("kind", "name", "line"),
    [("encoder", "hf", "forms  hf:FOLDER_OR_HUB_ID"),
     ("metric", "max_skew", "needs target      no"),
     ("method", "vdd", "treats   choose: logprobs; generate: contrast"),
     ("command", "tasks", "options  harness tasks --help"), ("format", "latex", "suffix  .tex")],
)  # fmt: skip
def test_what_a_kind_alone_has_is_shown(
    kind: str, name: str, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert invoke(main, ["show", kind, name]) == 0
    assert line in capsys.readouterr().out.splitlines()


@pytest.mark.parametrize("kind", list(KINDS))
def test_every_object_and_option_says_what_it_is(kind: str) -> None:
    registry = plugins()
    for name, descriptor in KINDS[kind][1](registry).items():
        lines = {name: descriptor.summary}
        lines |= {each.name: each.help for each in getattr(descriptor, "options", ())}
        for owner, line in lines.items():
            assert line[:1].isupper() or line[:1].isdigit(), f"{kind} {name}, {owner}: {line!r}"
            assert not line.startswith(("Of ", "Whose ", "Which ")), f"{kind} {name}: {line!r}"


def test_a_wide_column_wraps_before_the_last_one_is_a_strip(
    capsys: pytest.CaptureFixture[str],
) -> None:
    print_table(("id", "options", "line"), [("a", "word " * 40, "says what it is " * 5)])
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 120
    assert lines[2].endswith("says what it is says what it is says")
    print_table(("id", "line"), [("a", "of two\nlines")])
    assert capsys.readouterr().out.splitlines()[2:] == ["a   of two lines"]
