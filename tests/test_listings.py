"""What ``harness list``, ``results``, ``schema`` and ``plugin check`` do, from Python."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

import harness
from harness.cli.list import show
from harness.errors import UserError
from tests.runs.sealed import answers, write


def test_what_is_installed_is_found_by_kind() -> None:
    assert harness.installed("models")["random"].summary
    assert harness.installed("analyses").keys() >= {"probe", "mir"}
    assert harness.installed("tasks")["raf_db"].title == "RAF-DB"
    with pytest.raises(UserError, match="did you mean 'metrics'"):
        harness.installed("metric")


@pytest.mark.parametrize(
    ("kind", "name"),
    [("metric", "accuracy"), ("metrics", "accuracy"), ("study", "matrix"), ("analysis", "probe"),
     ("data source", "demo_world"), ("source", "demo_world"), ("answer method", "vdd")],
)  # fmt: skip
def test_a_kind_is_shown_by_any_of_its_words(kind: str, name: str) -> None:
    done = CliRunner().invoke(show, [kind, name])
    assert done.exit_code == 0, done.exception
    assert done.output.startswith(name)


def test_evaluations_are_listed_and_removed(tmp_path: Path) -> None:
    places = [tmp_path / "evaluations" / "raf_db" / name for name in ("one-1", "two-2")]
    for position in places:
        write(position, answers(), model=position.name)
    assert {entry.model for entry in harness.evaluations(tmp_path)} == {"one-1", "two-2"}
    assert not harness.evaluations(tmp_path, state="damaged")
    assert harness.remove_evaluations("raf_db/one-1", results=tmp_path) == [places[0].resolve()]
    assert [entry.directory.name for entry in harness.evaluations(tmp_path)] == ["two-2"]
    with pytest.raises(UserError, match="one-1"):
        harness.remove_evaluations([places[0]], results=tmp_path)


def test_schemas_and_checks_have_a_door() -> None:
    assert harness.schema("sample")["title"] == "Sample record"
    assert harness.schema(plain=True) != harness.schema()
    heard: list[str] = []
    report = harness.check_model("null", on_outcome=lambda outcome: heard.append(outcome.name))
    assert not report.failed
    assert heard == [outcome.name for outcome in report.outcomes]
    assert report.data["model"] == "null"
