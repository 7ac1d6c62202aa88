"""``harness plugins``: what is installed, for people and as JSON."""

import json

import pytest

from harness.cli.main import invoke, main


def test_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(main, ["plugins"]) == 0
    out = capsys.readouterr().out
    assert "social-harness" in out
    assert "readers: " in out
    assert "hagrid" in out


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert invoke(main, ["plugins", "--json"]) == 0
    core = json.loads(capsys.readouterr().out)[0]
    assert (core["name"], core["status"], core["problem"]) == ("core", "loaded", "")
    assert "leaderboard" in core["adds"]["commands"]
