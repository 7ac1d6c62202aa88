from __future__ import annotations

import io
import json

import pytest
from rich.console import Console

from harness.runs.record import Counts
from harness.tables import Table, build_table
from harness.tables.descriptors import FORMATS
from harness.tables.terminal import print_table
from harness.targets import load_target
from tests.tables.records import metric, record

ODD = "a|b `c` \\d <b>e</b> [bold]f[/] *g* _h_\nnext\x1b[31m & ~i~"


def written(form: str, table: Table) -> str:
    text = load_target(next(item for item in FORMATS if item.id == form))(table)
    assert isinstance(text, str)
    return text


def printed(table: Table, width: int = 100) -> str:
    out = io.StringIO()
    print_table(table, Console(file=out, width=width, highlight=False))
    return out.getvalue()


def odd_table() -> Table:
    return build_table([record(ODD), record("plain", "raf_db")])


def cells_of(line: str) -> list[str]:
    """Split a Markdown row at the bars that are not escaped."""
    cells, content, escaped = [], "", False
    for letter in line.strip():
        if letter == "|" and not escaped:
            cells.append(content)
            content = ""
        else:
            content += letter
        escaped = letter == "\\" and not escaped
    return [cell.strip() for cell in cells[1:]]


def test_markdown_shows_the_number_its_interval_and_its_losses() -> None:
    text = written("markdown", build_table([record(counts=Counts(50, 40, 10, 4, 2, 20))]))
    assert text.splitlines()[:3] == [
        "| Model | PISC FINE<br>Accuracy ↑ |",
        "| :-- | --: |",
        "| echo | 50.0 \\[40.0, 60.0\\]; 10.0 % unparsed, 5.0 % refused, 10 errors |",
    ]


def test_markdown_shows_odd_names_as_they_are() -> None:
    lines = written("markdown", odd_table()).splitlines()
    assert all(len(cells_of(line)) == 3 for line in lines[:4])
    name = cells_of(lines[2])[0]
    assert "<" not in name
    assert "&lt;b&gt;" in name
    assert "\\`c\\`" in name
    assert "\\\\d" in name
    assert "\x1b" not in name
    assert cells_of(lines[2])[2] == "--"


def test_a_terminal_shows_markup_in_names_as_text() -> None:
    text = printed(odd_table(), width=200)
    assert "[bold]f[/]" in text
    assert "\x1b[31m" not in text


@pytest.mark.parametrize("form", [item.id for item in FORMATS])
def test_the_same_records_give_the_same_bytes(form: str) -> None:
    assert written(form, odd_table()) == written(form, odd_table())


def test_json_holds_numbers_unrounded_and_names_as_they_are() -> None:
    value = json.loads(written("json", build_table([record(ODD, "x", metric(1 / 3))])))
    row = value["sections"][0]["rows"][0]
    assert row["model"] == ODD
    assert row["cells"][0]["value"] == pytest.approx(100 / 3, abs=1e-12)
    assert value["format"] == 1


def test_plain_text_has_no_markup() -> None:
    text = written("plain", odd_table())
    assert "50.0 [40.0, 60.0]" in text
    assert "\\" not in text.replace("\\d", "")


def test_numbers_that_are_not_percent_keep_three_digits_and_their_arrow() -> None:
    value = metric(0.12345, name="distance", column="Distance", direction="lower", scale=1.0)
    text = written("plain", build_table([record("a", "x", value)]))
    assert "Distance ↓" in text
    assert "0.123 [0.023, 0.223]" in text


def test_an_undefined_number_says_so() -> None:
    assert "undefined" in printed(build_table([record("a", "x", metric(None))]))


def test_many_tasks_of_one_model_go_downwards_on_a_narrow_terminal() -> None:
    records = [record("echo", f"task_{index}") for index in range(7)]
    lines = printed(build_table(records), width=80).splitlines()
    assert lines[0].split() == ["Task", "Metric", "echo"]
    assert lines[1].split() == ["TASK", "0", "Accuracy", "↑", "50.0", "[40.0,", "60.0]"]


@pytest.mark.parametrize("form", ["markdown", "plain"])
def test_rows_that_are_not_comparable_stand_apart(form: str) -> None:
    text = written(form, build_table([record("a"), record("b", task_fingerprint="other")]))
    before, _, after = text.partition("Not comparable with the rows above")
    assert " a " in before.replace("\n", " ")
    assert " b " in after.replace("\n", " ")
