"""A folder of images as a table: which files are its rows, and that the others are counted."""

from __future__ import annotations

from pathlib import Path

from harness_own_data.descriptors import OPTIONS
from harness_own_data.table.reader import TableReader

from harness.descriptors import parse_options
from harness.samples.roots import data_root


def test_files_among_images_that_are_not_read_as_images_are_counted(tmp_path: Path) -> None:
    for name in ("sad/1.png", "sad/2.HEIC", "happy/3.heic", "happy/notes", "task.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"not opened")
    reader = TableReader(parse_options(OPTIONS, {"file": ".", "target": "label"}, owner="table"))
    assert len(list(reader.samples(data_root(tmp_path), "test"))) == 1
    assert reader.passed_over(data_root(tmp_path), "test") == {
        "files that are not read as images (.heic)": 2,
        "files that are not read as images (without an ending)": 1,
    }


def test_hidden_folders_give_no_label_and_are_counted(tmp_path: Path) -> None:
    names = (
        "sad/1.png",
        ".hidden/2.png",
        "sad/.ipynb_checkpoints/1.png",
        "sad/.3.png",
        "a.b/4.JPG",
    )
    for name in (*names, ".hidden/notes.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"not opened")
    reader = TableReader(parse_options(OPTIONS, {"file": ".", "target": "label"}, owner="table"))
    samples = list(reader.samples(data_root(tmp_path), "test"))
    assert [(sample.id, sample.target) for sample in samples] == [
        ("a.b/4.JPG", "a.b"),
        ("sad/1.png", "sad"),
    ]
    assert reader.passed_over(data_root(tmp_path), "test") == {
        "files that are not read as images (in hidden folders)": 3
    }
