"""A workbook: texts come back as they went in, read by an XML parser and no library for sheets."""

from __future__ import annotations

import io
import zipfile
from xml.etree import ElementTree

import pytest
from harness_benchmarks.submissions.xlsx import MAX_CELL, workbook
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import UserError

SHEET = "xl/worksheets/sheet1.xml"
MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def cells(data: bytes) -> list[list[str]]:
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        for name in file.namelist():
            ElementTree.fromstring(file.read(name))  # noqa: S314  made by the code under test
        sheet = ElementTree.fromstring(file.read(SHEET))  # noqa: S314
    return [
        ["".join(cell.itertext()) for cell in row.iter(f"{MAIN}c")]
        for row in sheet.iter(f"{MAIN}row")
    ]


texts = st.text(st.characters(min_codepoint=32, max_codepoint=0xD7FF))


@given(st.lists(st.tuples(st.integers(), texts)))
def test_numbers_and_texts_come_back(rows: list[tuple[int, str]]) -> None:
    result = cells(workbook(("index", "prediction"), rows))
    assert result == [["index", "prediction"], *[[str(number), text] for number, text in rows]]


def test_a_text_that_a_cell_cannot_hold_is_refused_and_never_cut() -> None:
    assert cells(workbook(("text",), [["x" * MAX_CELL]]))[1] == ["x" * MAX_CELL]
    with pytest.raises(UserError, match="a cell of a sheet holds 32,767 characters"):
        workbook(("text",), [["x" * (MAX_CELL + 1)]])


def test_characters_that_xml_does_not_have_are_left_out() -> None:
    rows = [["a\x00b\x1bc\ud800d\ufffee"], ["=1+1 <b>&amp;"], ["two\nlines"]]
    result = cells(workbook(("text",), rows))
    assert result[1:] == [["abcde"], ["=1+1 <b>&amp;"], ["two\nlines"]]


def test_equal_tables_are_equal_bytes() -> None:
    assert workbook(("a",), [["b"]]) == workbook(("a",), [["b"]])
