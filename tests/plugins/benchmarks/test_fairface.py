"""FairFace: both paddings, both spellings of the oldest age, and labels nobody knows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from harness_benchmarks.readers.fairface import OLDEST

from harness.errors import DataError
from harness.samples import Sample
from harness.samples.roots import data_root
from tests import made

HEADER = "file,age,gender,race,service_test\n"


def release(root: Path, *rows: str, header: str = HEADER, folder: str = "") -> Path:
    (root / "fairface_label_val.csv").write_text(header + "\n".join(rows), encoding="utf-8")
    if folder:
        (root / folder / "val").mkdir(parents=True)
    return root


def read(root: Path, **options: Any) -> list[Sample]:
    return list(made.reader("fairface", **options).samples(data_root(root), "val"))


def test_a_row_is_a_face_with_its_groups(tmp_path: Path) -> None:
    (sample,) = read(release(tmp_path, "val/7.jpg,3-9,Male,East Asian,False"))
    assert (sample.id, sample.cluster, sample.target) == ("val/7", "val/7", None)
    assert {name: (g.value, g.source) for name, g in sample.groups.items()} == {
        "race": ("East Asian", "human"),
        "gender": ("Male", "human"),
        "age": ("3-9", "human"),
    }


@pytest.mark.parametrize("age", ["more than 70", "70+", "More than 70"])
def test_the_oldest_age_is_one_group_however_it_is_spelled(tmp_path: Path, age: str) -> None:
    (sample,) = read(release(tmp_path, f"val/1.jpg,{age},Female,White,True"))
    assert sample.groups["age"].value == OLDEST


@pytest.mark.parametrize(
    ("folder", "options", "name"),
    [
        ("fairface-img-margin125-trainval", {}, "fairface-img-margin125-trainval/val/1.jpg"),
        (
            "fairface-img-margin025-trainval",
            {"padding": "0.25"},
            "fairface-img-margin025-trainval/val/1.jpg",
        ),
        (".", {}, "val/1.jpg"),
        # Pictures of the other padding never stand in for those asked for.
        ("fairface-img-margin025-trainval", {}, "fairface-img-margin125-trainval/val/1.jpg"),
    ],
)
def test_pictures_are_of_the_padding_asked_for(
    tmp_path: Path, folder: str, options: dict[str, Any], name: str
) -> None:
    (sample,) = read(release(tmp_path, "val/1.jpg,0-2,Male,White,True", folder=folder), **options)
    assert sample.images[0].name == name


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("val/1.jpg,3-9,Male,Martian,False", "'Martian' is no race of this release"),
        ("val/1.jpg,7,Male,White,False", "'7' is no age"),
        ("val/1.jpg,3-9,Male,White", "4 columns, not 5"),
        (",3-9,Male,White,True", "the file should be a text"),
        ("train/1.jpg,3-9,Male,White,True", "no image of the split 'val'"),
        ("/data/val/1.jpg,3-9,Male,White,True", "no image of the split 'val'"),
        ("val\\\\1.jpg,3-9,Male,White,True", "no image of the split 'val'"),
        *(
            (f"val/1.jpg,{age},Male,White,True", "a spreadsheet made a date of a range")
            for age in ("09.03.", "45360", "03-Sep", "2024-03-09")
        ),
    ],
)
def test_a_wrong_row_is_named_with_its_line(tmp_path: Path, row: str, message: str) -> None:
    root = release(tmp_path, "val/0.jpg,3-9,Male,White,True", row)
    with pytest.raises(DataError, match=message) as caught:
        read(root)
    assert caught.value.where == f"{root / 'fairface_label_val.csv'}:3"


def test_a_file_without_a_column_is_named(tmp_path: Path) -> None:
    root = release(tmp_path, "val/0.jpg,3-9,Male", header="file,age,gender\n")
    with pytest.raises(DataError, match="the column 'race' is missing; there are file, age"):
        read(root)
