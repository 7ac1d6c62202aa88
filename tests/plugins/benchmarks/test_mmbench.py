"""MMBench's layout: rounds, pictures in other rows, absent cells, and what is said about damage."""

from __future__ import annotations

import base64
import csv
import io
import itertools
import pickle
import re
from pathlib import Path

import pytest
from PIL import Image

from harness.errors import DataError, SampleError
from harness.samples import Group, Sample
from harness.samples.images import open_image
from harness.samples.roots import data_root
from tests import made

COLUMNS = ("index", "question", "hint", "A", "B", "C", "D", "answer", "category", "image",
           "source", "L2-category", "comment", "split")  # fmt: skip
ROUND = 1_000_000


def picture(colour: str) -> str:
    memory = io.BytesIO()
    Image.new("RGB", (8, 6), colour).save(memory, "PNG")
    return base64.b64encode(memory.getvalue()).decode()


def row(index: int, image: str, answer: str = "A", **more: str) -> dict[str, str]:
    return {"index": str(index), "question": f"What is {index % ROUND}?", "A": "cat", "B": "dog",
            "answer": answer, "category": "naming", "L2-category": "perception",
            "image": image, **more}  # fmt: skip


def write(root: Path, rows: list[dict[str, str]], name: str = "MMBench_DEV_EN.tsv") -> Path:
    path = root / name
    columns = [*COLUMNS, *("E" for _ in range(any("E" in row for row in rows)))]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, restval="", delimiter="\t", lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
    return path


def read(root: Path, split: str = "dev", **options: str) -> list[Sample]:
    return list(made.reader("mmbench", **options).samples(data_root(root), split))


def test_a_row_becomes_a_sample(tmp_path: Path) -> None:
    write(tmp_path, [row(7, picture("red"), "B", hint="nan", C="nan")])
    (sample,) = read(tmp_path)
    assert sample.id == "7"
    assert sample.cluster == "7"
    assert sample.target == "B"
    assert sample.fields == {"question": "What is 7?", "hint": "", "A": "cat", "B": "dog", "C": "",
                             "D": "", "E": "", "round": 0, "rounds": 1}  # fmt: skip
    assert sample.groups == {"category": Group("naming"), "l2_category": Group("perception")}
    assert open_image(sample.images[0]).pixels.getpixel((0, 0)) == (255, 0, 0)


def test_rounds_point_to_the_row_with_the_picture(tmp_path: Path) -> None:
    rows = [row(7, picture("red"), "B"), row(8, picture("blue")), row(9, "7"),
            row(7 + ROUND, "7"), row(8 + ROUND, "8", "B"), row(9 + ROUND, "7")]  # fmt: skip
    write(tmp_path, rows)
    samples = read(tmp_path)
    assert [sample.id for sample in samples] == ["7", "1000007", "9", "1000009", "8", "1000008"]
    assert [sample.cluster for sample in samples] == ["7", "7", "9", "9", "8", "8"]
    assert [sample.fields["round"] for sample in samples[:2]] == [0, 1]
    assert {sample.fields["rounds"] for sample in samples} == {2}
    names = [sample.images[0].name for sample in samples]
    assert [name for name, _ in itertools.groupby(names)] == [
        "MMBench_DEV_EN.tsv#7", "MMBench_DEV_EN.tsv#8",
    ]  # fmt: skip
    colours = {sample.cluster: open_image(sample.images[0]).pixels.getpixel((0, 0))
               for sample in samples}  # fmt: skip
    assert colours == {"7": (255, 0, 0), "9": (255, 0, 0), "8": (0, 0, 255)}


def test_a_picture_repeated_in_every_round_is_one_picture(tmp_path: Path) -> None:
    red = picture("red")
    write(tmp_path, [row(7, red), row(8, picture("blue")), row(7 + ROUND, red)])
    samples = read(tmp_path)
    assert [sample.id for sample in samples] == ["7", "1000007", "8"]
    assert samples[0].images[0].name == samples[1].images[0].name


def test_a_quoted_cell_may_hold_lines_and_tabs(tmp_path: Path) -> None:
    rows = [row(7, picture("red"), question='One\nof "two"\tor so?'), row(8, "7", hint="a\r\nb")]
    write(tmp_path, rows)
    samples = read(tmp_path)
    assert samples[0].fields["question"] == 'One\nof "two"\tor so?'
    assert samples[1].fields["hint"] == "a\r\nb"
    assert open_image(samples[1].images[0]).width == 8


def test_the_test_split_has_no_answers(tmp_path: Path) -> None:
    path = write(tmp_path, [row(7, picture("red"), "")], "MMBench_TEST_CN_V11.tsv")
    (sample,) = read(tmp_path, "test", language="cn", edition="1.1")
    assert sample.target is None
    text = path.read_text(encoding="utf-8").replace("answer", "other")
    path.write_text(f"\ufeff{text}", encoding="utf-8")
    (sample,) = read(tmp_path, "test", language="cn", edition="1.1")
    assert sample.target is None


@pytest.mark.parametrize(
    ("image", "kind", "message"),
    [
        ("!" * 100, "image_unreadable", "row 7: the image is not base64"),
        (base64.b64encode(b"no picture at all" * 9).decode(), "image_unreadable", "not an image"),
        ("", "image_missing", "row 7: no row holds its image"),
        ("99", "image_missing", "row 7: no row holds its image"),
        ("7", "image_missing", "row 7: no row holds its image"),
        ("no base64", "image_missing", "row 7: no row holds its image"),
    ],
)
def test_a_broken_picture_is_a_fault_of_its_sample(
    tmp_path: Path, image: str, kind: str, message: str
) -> None:
    write(tmp_path, [row(7, image), row(8, picture("blue"))])
    broken, full = read(tmp_path)
    with pytest.raises(SampleError, match=message) as caught:
        open_image(broken.images[0])
    assert caught.value.kind == kind
    assert open_image(full.images[0]).width == 8


def test_pictures_travel_between_processes(tmp_path: Path) -> None:
    write(tmp_path, [row(7, picture("red"))])
    (sample,) = read(tmp_path)
    assert open_image(pickle.loads(pickle.dumps(sample)).images[0]).width == 8  # noqa: S301


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([row(7, "7"), row(7, "7")], "row 2: the index 7 occurs twice"),
        ([row(7, "7", "C")], "the answer 'C' is not among the options A, B"),
        ([row(7, "7", question="")], "question should be a text"),
        ([{**row(7, "7"), "index": "x"}], "index should be a whole number"),
        ([], "holds no row"),
    ],
)
def test_damage_is_named(tmp_path: Path, rows: list[dict[str, str]], message: str) -> None:
    write(tmp_path, rows)
    with pytest.raises(DataError, match=message):
        read(tmp_path)


def test_a_fifth_option_is_read_and_a_sixth_refused(tmp_path: Path) -> None:
    five = {**row(7, picture("red"), "E", C="cow"), "E": "fly"}
    path = write(tmp_path, [five])
    (sample,) = read(tmp_path)
    assert (sample.target, sample.fields["E"]) == ("E", "fly")
    text = path.read_text(encoding="utf-8").replace("split\tE", "split\tF")
    path.write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match="the column 'F' would be an option; options from A to E"):
        read(tmp_path)


@pytest.mark.parametrize(
    ("head", "letter"),
    [("e", "E"), ("E ", "E"), (" E", "E"), ("c", "C"), ("C ", "C"), ("option_E", "E"),
     ("Choice C", "C"), ("E.", "E"), ("\uff25", "E"), ("OptionE", "E"),
     ("(E)", "E"), ("[c]", "C"), ("opt_E", "E"), ("E option", "E"), ("选项E", "E")],
)  # fmt: skip
def test_a_letter_in_another_form_is_refused_and_not_left_out(
    tmp_path: Path, head: str, letter: str
) -> None:
    path = write(tmp_path, [{**row(7, picture("red"), "E", C="cow"), "E": "fly"}])
    columns, remainder = path.read_text(encoding="utf-8").split("\n", 1)
    renamed = [head if name == letter else name for name in columns.split("\t")]
    path.write_text("\t".join(renamed) + "\n" + remainder, encoding="utf-8")
    with pytest.raises(
        DataError, match=f"the column {re.escape(repr(head))} would be an option"
    ) as caught:
        read(tmp_path)
    assert f"call it {letter!r}" in caught.value.fix


def test_damaged_files_are_named(tmp_path: Path) -> None:
    path = write(tmp_path, [row(7, picture("red"))])
    full = path.read_text(encoding="utf-8")
    for text, message in (
        (full.replace("question", "q"), "the column 'question' is missing"),
        (full.replace("comment", "source"), "the column 'source' occurs twice"),
        (full[:-40], "cells, the header has 14"),
    ):
        path.write_text(text, encoding="utf-8")
        with pytest.raises(DataError, match=message):
            read(tmp_path)
    path.write_bytes(full.encode() + b"\xff\xfe\n")
    with pytest.raises(DataError, match="not UTF-8"):
        read(tmp_path)
    path.unlink()
    with pytest.raises(DataError, match="no such file"):
        read(tmp_path)
