"""Rows read many at a time give what rows read one by one give: samples, order, errors."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
from harness_own_data.descriptors import OPTIONS
from harness_own_data.table import pieces
from harness_own_data.table.batches import _SIGNS, batches, filled
from harness_own_data.table.delimited import Delimited
from harness_own_data.table.images import UNUSUAL
from harness_own_data.table.reader import TableReader

from harness.descriptors import parse_options
from harness.errors import DataError
from harness.samples import ImageRef, Sample
from harness.samples.roots import data_root

CELLS = ("a", "happy", "", "NA", '"x, y"', '"two\nlines"', '"say ""no"""', "é", " ", '"\n\n"')
BROKEN = ('"open', 'x"y"', '"a"b', "cut\rhere", "a,b")


def outcome(rows: Any) -> tuple[list[Any], str]:
    """Return what is yielded, and the message of what ends it."""
    yielded: list[Any] = []
    try:
        yielded.extend(rows)
    except DataError as error:
        return yielded, str(error)
    return yielded, ""


def one_by_one(table: Delimited) -> Any:
    for row in table.read(table.columns):
        yield row.line, list(row.cells)


def many(table: Delimited) -> Any:
    for batch in batches(table, table.columns, starts=False):
        for row in batch.rows():
            yield row.line, list(row.cells)


@pytest.mark.parametrize("size", [1, 7, 50, 1 << 15])
def test_batches_hold_the_rows_and_end_with_the_same_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    monkeypatch.setattr(pieces, "_BYTES", size)
    draw = random.Random(size)
    for number in range(150):
        lines = ["one,two,three"]
        for _ in range(draw.randrange(1, 9)):
            cells = [draw.choice(CELLS) for _ in range(3)]
            if draw.random() < 0.04:
                cells[1] = draw.choice(BROKEN)
            lines += [""] * (draw.random() < 0.1)
            lines.append(",".join(cells))
        text = draw.choice(["\n", "\r\n"]).join(lines) + draw.choice(["", "\n"])
        data = text.encode(draw.choice(["utf-8", "utf-8-sig", "cp1252"]))
        if draw.random() < 0.05:
            data += b"a,\xff\xfe\x81,b\n"
        (tmp_path / f"{number}.csv").write_bytes(data)
        encoding = "utf-8" if b"\x81" in data else ""
        try:
            table = Delimited(data_root(tmp_path), f"{number}.csv", ",", ",", encoding)
        except DataError:
            continue
        assert outcome(many(table)) == outcome(one_by_one(table)), data


def samples(folder: Path, options: dict[str, Any], *, plainly: bool) -> tuple[list[Any], str]:
    parsed = parse_options(OPTIONS, options, owner="table")
    reader = TableReader(parsed)
    make = reader._maker

    def without_batches(table: Any) -> Any:
        maker = make(table)
        maker.plain = None
        return maker

    if not plainly:
        reader._maker = without_batches  # type: ignore[method-assign]
    return outcome(reader.samples(data_root(folder), "test"))


@pytest.mark.parametrize("name", ["rows.csv", "rows.jsonl", "."])
@pytest.mark.parametrize(
    "odd", [None, ("path", "../x.jpg"), ("path", ""), ("name", ""), ("name", "n3"),
            ("label", "glad"), ("subject", ""), ("part", "train"), ("label", 3)],
)  # fmt: skip
def test_samples_are_the_same_with_batches_and_without(
    tmp_path: Path, name: str, odd: tuple[str, Any] | None
) -> None:
    columns = ("name", "path", "label", "sex", "subject", "part", "folder")
    rows = [[f"n{n}", f"{n % 3}.jpg", ("happy", "sad")[n % 2], ("F", "M", "")[n % 3], f"s{n // 4}",
             "test", "images"] for n in range(20)]  # fmt: skip
    if odd is not None:
        rows[11][columns.index(odd[0])] = odd[1]
    (tmp_path / "images").mkdir()
    for number in range(3):
        (tmp_path / "images" / f"{number}.jpg").touch()
    text = "\n".join(",".join(map(str, row)) for row in [columns, *rows])
    (tmp_path / "rows.csv").write_text(text, encoding="utf-8")
    records = [json.dumps(dict(zip(columns, row, strict=True))) for row in rows]
    (tmp_path / "rows.jsonl").write_text("\n".join(records), encoding="utf-8")
    plain: dict[str, Any] = {"file": name, "target": "label", "unit": "image",
                             "choose_labels": ["happy", "sad", "images"]}  # fmt: skip
    mapped = {
        **plain, "id": "name", "image": "images/{path}", "fields": ["sex"], "cluster": "subject",
        "groups": {"gender": {"column": "sex", "labelled_by": "human"}}, "split_column": "part",
    }  # fmt: skip
    for options in [plain] if name == "." else [plain, mapped]:
        expected = samples(tmp_path, options, plainly=False)
        assert samples(tmp_path, options, plainly=True) == expected
        assert repr(samples(tmp_path, options, plainly=True)) == repr(expected)


def test_samples_filled_by_field_equal_those_of_the_constructor() -> None:
    columns: dict[str, Any] = {
        "id": ["a", "b"],
        "images": [(), ()],
        "target": ["x", "y"],
        "cluster": ["a", "b"],
        "fields": [{}, {"k": "v"}],
        "groups": [{}, {}],
        "notes": [{}, {"n": 1}],
    }
    made = filled(Sample, columns, 2)
    assert made == [
        Sample("a", (), "x", "a"),
        Sample("b", (), "y", "b", {"k": "v"}, notes={"n": 1}),
    ]
    assert not hasattr(Sample, "__post_init__")
    assert not hasattr(ImageRef, "__post_init__")
    with pytest.raises(AssertionError, match="fields"):  # its default is a factory
        filled(Sample, {name: cells for name, cells in columns.items() if name != "fields"}, 2)


@pytest.mark.parametrize("path", ["/a", "\\a", "[a", "a/../b", "http://a", "a\0b", "c:/a"])
def test_what_the_pattern_of_unusual_paths_matches_holds_one_of_the_signs(path: str) -> None:
    assert UNUSUAL.search(path)
    assert any(sign in f"\n{path}" for sign in _SIGNS)
