"""Rows of CSV: what is valid by its rules and may still be another table than was meant."""

from __future__ import annotations

from pathlib import Path

from harness_own_data.table.delimited import Delimited

from harness.samples.roots import data_root


def write(folder: Path, *rows: str) -> None:
    (folder / "labels.csv").write_text("\n".join(["id,question,label", *rows]) + "\n")


def test_a_quote_that_joins_rows_is_noted(tmp_path: Path) -> None:
    # Valid by the rules of CSV, of the same width: three rows become one.
    joined = ['1,"hello,sad', "2,x,happy", '3,bye",happy', "4,y,sad"]
    write(tmp_path, *joined)
    table = Delimited(data_root(tmp_path), "labels.csv", ",")
    assert not table.notes
    for lines in (
        [row.line for row in table.read(["id"])],
        [line for some, _ in table.read_many() for line in some],
    ):
        assert lines == [2, 5]
        (note,) = table.notes
        assert note.startswith("1 row of labels.csv may be several")
        assert note.endswith("the first is line 2")
    write(tmp_path, '1,"Two lines,\nas one cell",sad', "", "2,x,happy")
    table = Delimited(data_root(tmp_path), "labels.csv", ",")
    assert [row.line for row in table.read(["id"])] == [2, 5]
    assert not table.notes
