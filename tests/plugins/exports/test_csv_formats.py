from __future__ import annotations

import csv
import io

import pytest
from harness_exports.csv_formats import csv_long, csv_wide

from harness.tables import Table, build_table
from harness.tables.build import TableOptions
from harness.tables.layout import load_layout
from tests.tables.records import metric, record


def long(table: Table) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(csv_long(table))))


def wide(table: Table) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(csv_wide(table))))


def test_long_has_a_line_for_each_number_unrounded() -> None:
    table = build_table(
        [
            record("a", "x", metric(1 / 3), marks=("demo", "limited")),
            record("b", "x"),
            record("b", "y"),
        ]
    )
    lines = long(table)
    assert [(line["model"], line["task"]) for line in lines] == [("a", "x"), ("b", "x"), ("b", "y")]
    assert float(lines[0]["value"]) == pytest.approx(100 / 3, abs=1e-12)
    assert (lines[0]["marks"], lines[0]["rank"], lines[0]["n"]) == ("demo limited", "second", "40")
    assert lines[0]["source"] == "measured"


def test_wide_has_a_line_for_each_row() -> None:
    table = build_table([record("a", "x", metric(-0.25)), record("b", "y", marks=("demo",))])
    first, second = wide(table)
    assert first["X Accuracy"] == "-25.0"
    assert first["Y Accuracy"] == ""
    assert second["Y Accuracy marks"] == "demo"


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t=", "  +"])
@pytest.mark.parametrize("form", [long, wide])
def test_no_name_is_taken_for_a_formula(form: object, start: str) -> None:
    assert callable(form)
    name = f'{start}HYPERLINK("http://example.org")'
    (line,) = form(build_table([record(name)]))
    assert line["model"] == "'" + name.strip()


def test_signs_of_csv_in_a_name_survive() -> None:
    name = 'a,"b";c|d\\e'
    (line,) = wide(build_table([record(name)]))
    assert line["model"] == name


def test_an_unsupported_cell_is_not_an_empty_one() -> None:
    table = build_table(
        [record("a", "x"), record("b", "y")],
        options=TableOptions(supports=lambda model, task: (model, task) != ("a", "y")),
    )
    assert [line["Y Accuracy"] for line in wide(table)] == ["n/a", "50.0"]


def test_reported_numbers_say_so_in_every_line() -> None:
    table = build_table([record("llava", "vqav2")], layout=load_layout("asd_main"))
    reported = [line for line in long(table) if line["source"] != "measured"]
    assert len(reported) == 48
    assert all("secondary note" in line["source"] for line in reported)
    assert all(line["rank"] == "" for line in reported)
    assert all(line["section"].startswith("Reported") for line in wide(table)[1:])
