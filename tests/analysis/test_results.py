"""Analyses are sealed, read back whole, and never taken for evaluations."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness.analysis.results import Analysis, finished, read_analysis, table_of, write_analysis
from harness.descriptors import Json
from harness.errors import UserError
from harness.runs.read import survey

ABOUT: dict[str, Json] = {"model": "m", "seed": 0}


def written(results: Path) -> Path:
    table = table_of("pairs", [{"task": "=cmd()", "value": 0.5}, {"task": "b", "value": None}])
    return write_analysis(results, "probe", ABOUT, [table], notes=["n"]).directory


def test_what_is_written_is_read_back(tmp_path: Path) -> None:
    output = written(tmp_path)
    assert output.is_relative_to(tmp_path / "analyses" / "probe")
    result = finished(tmp_path, "probe", ABOUT)
    assert result is not None
    assert result.table("pairs").records()[1] == {"task": "b", "value": None}
    assert result.notes == ("n",)
    assert finished(tmp_path, "probe", {**ABOUT, "seed": 1}) is None
    assert finished(tmp_path, "mir", ABOUT) is None


def test_a_spreadsheet_takes_no_cell_for_a_formula(tmp_path: Path) -> None:
    assert (written(tmp_path) / "pairs.csv").read_text() == "task,value\n'=cmd(),0.5\nb,\n"


def test_numbers_that_are_not_finite_are_no_values() -> None:
    rows: list[dict[str, Json]] = [{"a": float("nan")}, {"a": float("inf")}]
    assert table_of("t", rows).rows == ((None,), (None,))


@pytest.mark.parametrize("name", ["analysis.json", "pairs.csv"])
def test_a_changed_file_is_refused(tmp_path: Path, name: str) -> None:
    output = written(tmp_path)
    (output / name).write_bytes((output / name).read_bytes() + b" ")
    with pytest.raises(UserError, match="changed since it was sealed"):
        read_analysis(output)


@pytest.mark.parametrize("seal", ["[]", "{}", "{", '{"format": 1, "sha256": {"../x": "0"}}'])
def test_a_damaged_seal_is_one_message(tmp_path: Path, seal: str) -> None:
    output = written(tmp_path)
    (output / "sealed.json").write_text(seal)
    with pytest.raises(UserError):
        read_analysis(output)


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    output = written(tmp_path)
    (output / "sealed.json").write_text('{"format": 99, "sha256": {}}')
    with pytest.raises(UserError, match="this harness knows up to 1"):
        read_analysis(output)


def test_tables_of_evaluations_pass_analyses_by(tmp_path: Path) -> None:
    written(tmp_path)
    assert survey(tmp_path) == ([], [])


@pytest.mark.parametrize(
    ("marks", "message"), [(["demo", "limited"], "marks: demo, limited\n"), ([], "")]
)
def test_marks_are_printed_with_what_they_are_of(
    marks: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    from harness_analyses.options import print_ending

    print_ending(Analysis("probe", "f", {"marks": [*marks]}, (), ("a note",), Path("r")))
    assert capsys.readouterr().out == f"note: a note\n{message}records: r\n"
