"""What the reader `table` says of a file that is wrong: where it stands, and what mends it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from harness_own_data.descriptors import OPTIONS
from harness_own_data.table.reader import TableReader

from harness.descriptors import parse_options
from harness.errors import UserError
from harness.readers.guard import make_reader
from harness.samples.roots import data_root


def refused(folder: Path, labels: Any = (), **options: Any) -> str:
    def read() -> None:
        list(make_reader("table", options, "sample", labels).samples(data_root(folder), "test"))

    with pytest.raises(UserError) as error:
        read()
    return str(error.value)


def test_rows_of_a_list_are_no_lines(tmp_path: Path) -> None:
    """A JSON list may stand on one line, or a row of it on ten."""
    objects: list[Any] = [{"label": "a"}, {"label": "b"}, {"label": 3}]
    (tmp_path / "rows.json").write_text(json.dumps(objects))
    options = {"file": "rows.json", "target": "label"}
    message = refused(tmp_path, **options)
    assert "rows.json: row 3: the column 'label' holds a number" in message
    assert "text in " in message
    assert "rows.json: row 1" in message
    (tmp_path / "rows.json").write_text(json.dumps(objects[:2], indent=4))
    message = refused(tmp_path, labels=["a"], **options)
    assert "rows.json: row 2: 1 row has a label" in message
    assert ": row 2 'b'" in message


@pytest.mark.parametrize(
    ("name", "text", "fix"),
    [
        ("rows.json", '[["a"]]', 'write each row as {"COLUMN": VALUE, ...}'),
        ("rows.json", '[{"label": a}]', "mend the JSON there"),
        ("rows.json", "[]", "a row for each sample"),
        ("rows.jsonl", '{"label": "a"}\n{"label"\n', "mend the JSON there"),
        ("rows.jsonl", '{"label": "a"}\n{"label"', "the file ends within this line: download it"),
        ("rows.csv", "", "a header, then a line for each sample"),
    ],
)
def test_nobody_is_sent_to_a_release_for_data_of_their_own(
    tmp_path: Path, name: str, text: str, fix: str
) -> None:
    (tmp_path / name).write_text(text)
    message = refused(tmp_path, file=name, target="label")
    assert f"fix: {fix}" in message


def test_a_cell_of_the_wrong_kind_is_mended_in_its_row(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"label": ["a"]}\n')
    message = refused(tmp_path, labels=["a"], file="rows.jsonl", target="label")
    assert "holds ['a'], not a text" in message
    assert "fix: mend the row there" in message


def test_a_file_that_is_misspelt_has_its_nearest(tmp_path: Path) -> None:
    (tmp_path / "labels.csv").write_text("label\na\n")
    message = refused(tmp_path, file="label.csv", target="label")
    assert "there is no file 'label.csv' (data.options.file)" in message
    assert "did you mean 'labels.csv'?" in message
    for name in ("a.csv", "csv", "l.csv"):  # near by their ending alone
        message = refused(tmp_path, file=name, target="label")
        assert "did you mean" not in message
    # A split that is yet to be fetched is no misspelt one.
    options: dict[str, Any] = {
        "file": {"test": "labels.csv", "train": "label.csv"},
        "unit": "sample",
    }
    reader = TableReader(parse_options(OPTIONS, options, owner="table"))
    assert reader.annotations(data_root(tmp_path), "train") == ["label.csv"]


@pytest.mark.parametrize(
    "file", [["part1.csv", "part2.csv"], {"test": ["part2.csv"], "val": ["part1.csv"]}]
)
def test_a_part_that_is_yet_to_be_fetched_is_no_misspelt_one(
    tmp_path: Path, file: list[str] | dict[str, list[str]]
) -> None:
    (tmp_path / "part1.csv").write_text("label\na\n")
    options: dict[str, Any] = {"file": file, "unit": "sample"}
    reader = TableReader(parse_options(OPTIONS, options, owner="table"))
    assert "part2.csv" in reader.annotations(data_root(tmp_path), "test")


def test_a_row_of_a_list_that_is_too_long_is_not_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness_own_data.table.jsonrows.MAX_ROW", 1 << 20)
    rows = [{"label": "a"}, {"label": "x" * (8 << 20)}]
    (tmp_path / "rows.json").write_text(json.dumps(rows))
    message = refused(tmp_path, file="rows.json", target="label")
    assert "rows.json: row 2: a row of over 1 MiB" in message
    (tmp_path / "rows.json").write_text(json.dumps([{"label": "a" * 1000}] * 5000))
    read = make_reader("table", {"file": "rows.json", "target": "label"}, "sample", ())
    assert sum(1 for _ in read.samples(data_root(tmp_path), "test")) == 5000


def test_a_cell_of_parquet_that_is_too_long_is_refused_by_its_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pa, pq = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    monkeypatch.setattr("harness_own_data.table.columnar.MAX_ROW", 1 << 20)
    for kind in (pa.string(), pa.large_string()):
        cells = pa.array(["a", "x" * (2 << 20)], kind)
        pq.write_table(pa.table({"label": cells, "fine": ["a", "b"]}), tmp_path / "rows.parquet")
        message = refused(tmp_path, file="rows.parquet", target="label")
        assert "rows.parquet: row 2: a cell of over 1 MiB in the column 'label'" in message
        read = make_reader("table", {"file": "rows.parquet", "target": "fine"}, "sample", ())
        assert sum(1 for _ in read.samples(data_root(tmp_path), "test")) == 2
