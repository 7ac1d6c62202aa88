"""VisoGender: two tables by position, and pictures that may have rotted away."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from harness.errors import DataError, SampleError
from harness.samples import Sample
from harness.samples.images import open_image
from harness.samples.roots import data_root
from tests import made
from tests.plugins.benchmarks.people import picture

OO = "OO_Visogender_10052025.tsv"
OP = "OP_Visogender_11012024.tsv"
ONE = "OO_1\tservice\tfood\tbaker\tmixing_spoon\thttps://x/a.jpg\tYes\tmasculine\t\tme"
TWO = "OP_1\teducation\tx\tteacher\tstudent\thttps://x/b\tYes\tfeminine\tmasculine\t\tme"


def release(root: Path, one: str = ONE, two: str = TWO) -> Path:
    for folder, name, row in (("OO", OO, one), ("OP", OP, two)):
        (root / folder).mkdir(exist_ok=True)
        (root / folder / name).write_text(f"IDX\tSector\n{row}\n", encoding="utf-8")
    return root


def read(root: Path, **options: Any) -> list[Sample]:
    return list(made.reader("visogender", **options).samples(data_root(root), "test"))


def test_a_row_asks_for_the_pronoun_of_the_occupation_s_person(tmp_path: Path) -> None:
    first, two = read(release(tmp_path))
    assert (first.id, first.target, two.id, two.target) == ("OO_1", "his", "OP_1", "her")
    assert (first.fields["occupation"], first.fields["other"]) == ("baker", "mixing spoon")
    assert {name: group.value for name, group in two.groups.items()} == {
        "gender": "feminine", "context": "two", "pair": "different", "sector": "education",
    }  # fmt: skip
    assert "pair" not in first.groups


def test_one_context_can_be_read_alone(tmp_path: Path) -> None:
    assert [item.id for item in read(release(tmp_path), context="two")] == ["OP_1"]


def test_pictures_have_any_of_the_usual_endings(tmp_path: Path) -> None:
    root = release(tmp_path)
    (root / "images").mkdir()
    (root / "images" / "OO_1.png").write_bytes(picture())
    first, two = read(root)
    assert open_image(first.images[0]).width == 2
    with pytest.raises(SampleError, match=r"images/OP_1\.jpg: no such file"):
        open_image(two.images[0])


def test_rows_without_a_picture_can_be_left_out_and_are_listed(tmp_path: Path) -> None:
    root = release(tmp_path)
    (root / "images").mkdir()
    (root / "images" / "OO_1.jpg").write_bytes(picture())
    assert [item.id for item in read(root, missing="leave_out")] == ["OO_1"]
    assert made.reader("visogender", missing="leave_out").left_out(data_root(root), "test") == [
        "images/OP_1.jpg"
    ]
    assert made.reader("visogender").left_out(data_root(root), "test") == []


def test_the_newest_table_is_taken(tmp_path: Path) -> None:
    root = release(tmp_path)
    (root / "OP" / "OP_Visogender_02102023.tsv").write_text("IDX\nold", encoding="utf-8")
    paths = made.reader("visogender").annotations(data_root(root), "test")
    assert paths == [f"OO/{OO}", f"OP/{OP}"]
    (tmp_path / "none").mkdir()
    absent = made.reader("visogender").annotations(data_root(tmp_path / "none"), "test")
    assert absent == [OO, OP]


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("OO_1\ta\tb\tbaker", "4 columns and needs at least 8"),
        (ONE.replace("masculine", "neutral"), "'neutral' is no perceived gender"),
    ],
)
def test_a_wrong_row_is_named(tmp_path: Path, row: str, message: str) -> None:
    root = release(tmp_path, one=row)
    with pytest.raises(DataError, match=message) as caught:
        read(root)
    assert caught.value.where == f"{root / 'OO' / OO}:2"
