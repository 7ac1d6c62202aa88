"""Files that options ask for, damaged, and messages about cells that are wrong."""

from __future__ import annotations

import json
import random
import shutil
from pathlib import Path
from typing import Any

import pytest
from harness_benchmarks.readers.descriptors import READERS

import harness
from harness.descriptors import parse_options
from harness.errors import DataError
from harness.samples.roots import data_root
from harness.targets import load_target
from tests.readers.damage import damages
from tests.readers.test_damage import refusal


def made(name: str) -> Any:
    (descriptor,) = (item for item in READERS if item.id == name)
    return load_target(descriptor)(parse_options(descriptor.options, {}, owner=name))


def table(root: Path) -> None:
    lines = [
        "file,concept,race,gender,age,set",
        *(f"{n}.jpg,chef,White,male,old,{n}" for n in "abc"),
    ]
    (root / "metadata.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


@pytest.mark.parametrize(
    ("task", "options", "name"),
    [
        ("cmsc", {"labels": "table"}, "metadata.csv"),
        ("textvqa", {"ocr": "rosetta"}, "TextVQA_Rosetta_OCR_v0.2_val.json"),
    ],
)
def test_files_that_an_option_asks_for_are_read_or_one_short_message(
    tmp_path: Path, task: str, options: dict[str, Any], name: str
) -> None:
    requested = harness.load_task(task, options=options, profile="demo")
    shutil.copytree(str(requested.located.root), tmp_path, dirs_exist_ok=True)
    if task == "cmsc":
        table(tmp_path)
    data = (tmp_path / name).read_bytes()
    refused = 0
    for kind, damage in damages(name, data).items():
        (tmp_path / name).write_bytes(damage(data, random.Random(kind)))
        refused += bool(refusal(requested, tmp_path, frozenset(), f"{name}: {kind}"))
    assert refused


def test_a_message_never_quotes_what_it_was_given_whole(tmp_path: Path) -> None:
    long = "x" * 100_000
    (tmp_path / "fairface_label_val.csv").write_text(
        f"file,age,gender,race,service_test\nval/1.jpg,{long},Male,White,False\n", encoding="utf-8"
    )
    with pytest.raises(DataError, match="characters more") as caught:
        list(made("fairface").samples(data_root(tmp_path), "val"))
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("age", ["9-Mar", "19-Oct", "03-Sep", "Mar-09", "9/3/2024", "2003-09-01"])
def test_a_date_that_a_spreadsheet_made_is_said_to_be_one(tmp_path: Path, age: str) -> None:
    (tmp_path / "fairface_label_val.csv").write_text(
        f"file,age,gender,race,service_test\nval/1.jpg,{age},Male,White,False\n", encoding="utf-8"
    )
    with pytest.raises(DataError, match="a spreadsheet made a date of a range"):
        list(made("fairface").samples(data_root(tmp_path), "val"))


@pytest.mark.parametrize(
    ("damage", "words"),
    [(("\n", "\r"), "carriage returns alone"), (("service_test", "age"), "comes twice")],
)
def test_a_header_that_swallows_rows_or_names_a_column_twice_is_refused(
    tmp_path: Path, damage: tuple[str, str], words: str
) -> None:
    content = "file,age,gender,race,service_test\nval/1.jpg,3-9,Male,White,False\n".replace(*damage)
    (tmp_path / "fairface_label_val.csv").write_text(content, encoding="utf-8", newline="")
    with pytest.raises(DataError, match=words):
        list(made("fairface").samples(data_root(tmp_path), "val"))


@pytest.mark.parametrize("cell", ['"' + "x" * 200_000 + '"', '"val/1.jpg'])
def test_a_cell_that_is_too_long_or_does_not_end_is_named(tmp_path: Path, cell: str) -> None:
    (tmp_path / "fairface_label_val.csv").write_text(
        f"file,age,gender,race,service_test\n{cell},3-9,Male,White,False\n", encoding="utf-8"
    )
    with pytest.raises(DataError, match="not valid CSV") as caught:
        list(made("fairface").samples(data_root(tmp_path), "val"))
    assert caught.value.where == f"{tmp_path / 'fairface_label_val.csv'}:2"
    assert json.dumps(str(caught.value))
