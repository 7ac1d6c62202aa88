"""CMSC: labels from file names by a pattern, or from a table; nothing slips through unseen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from harness_benchmarks.readers.cmsc import PARTS
from harness_benchmarks.readers.patterns import Pattern
from hypothesis import given
from hypothesis import strategies as st

from harness.errors import DataError, UserError
from harness.samples import Sample
from harness.samples.roots import data_root
from tests import made


def touch(root: Path, *names: str) -> Path:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"")
    return root


def read(root: Path, split: str = "all", **options: Any) -> list[Sample]:
    return list(made.reader("cmsc", **options).samples(data_root(root), split))


def test_labels_come_from_the_name(tmp_path: Path) -> None:
    touch(tmp_path, "x/middle-school_Middle Eastern_female_20-29_7.jpg", "x/notes.txt")
    (sample,) = read(tmp_path)
    assert sample.id == "x/middle-school_Middle Eastern_female_20-29_7"
    assert sample.fields["concept"] == "middle school"
    assert sample.cluster == "middle school/7"
    assert sample.stratum == "race-gender-age/middle school"
    assert {name: group.value for name, group in sample.groups.items()} == {
        "race": "Middle Eastern",
        "gender": "female",
        "age": "20-29",
    }


def test_a_pattern_may_read_folders_and_skip_parts(tmp_path: Path) -> None:
    touch(tmp_path, "set9/chef/seed4-Black.png")
    (sample,) = read(tmp_path, pattern="set{set}/{concept}/seed{*}-{race}")
    assert (sample.fields["concept"], sample.cluster) == ("chef", "chef/9")
    assert list(sample.groups) == ["race"]


def test_names_that_do_not_fit_are_counted_and_listed(tmp_path: Path) -> None:
    touch(tmp_path, *(f"chef_White_male_old_{n}.jpg" for n in range(9)), "odd.jpg")
    with pytest.raises(DataError, match=r"1 of 10 names do not match .*: odd.jpg"):
        read(tmp_path)
    assert len(read(tmp_path, max_unmatched=0.1)) == 9
    assert made.reader("cmsc", max_unmatched=0.1).left_out(data_root(tmp_path), "all") == [
        "odd.jpg"
    ]


def test_images_that_no_split_holds_are_counted(tmp_path: Path) -> None:
    touch(tmp_path, *(f"R/{part}/chef_White_male_old_{part}.jpg" for part in "abc"), "R/b/x_y.png")
    touch(tmp_path, "R/a/chef_White_male_old_9.tiff", "R/other/a_b_c_d_e.jpg")

    def passed(name: str, **options: Any) -> list[tuple[str, int]]:
        counts = made.reader("cmsc", **options).passed_over(data_root(tmp_path / name), "test")
        return [(subject.partition(",")[0], count) for subject, count in counts.items() if count]

    assert passed("R/a") == [
        ("images that are not read: their names do not end in .bmp", 1),
        ("images whose names fit lie beside the folder given", 2),
    ]
    (tmp_path / "R/t.csv").write_text("file,concept,set\na/chef_White_male_old_a.jpg,chef,1\n")
    assert passed("R", labels="table", table="t.csv", max_unmatched=1.0)[1:] == [
        ("images below the folder that the table does not name", 4)
    ]


def test_a_concept_outside_the_list_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "cheff_White_male_old_1.jpg")
    with pytest.raises(DataError, match="'cheff' is no concept of this release") as caught:
        read(tmp_path)
    assert "chef" in caught.value.fix


def test_a_group_of_concepts_leaves_the_others_out(tmp_path: Path) -> None:
    touch(tmp_path, "chef_White_male_old_1.jpg", "science_White_male_old_1.jpg")
    assert [item.fields["concept"] for item in read(tmp_path, concepts="education")] == ["science"]


@pytest.mark.parametrize("name", ["labels.csv", "labels.jsonl"])
def test_a_table_says_the_same(tmp_path: Path, name: str) -> None:
    row = {"file": "a/1.png", "concept": "chef", "race": "White", "gender": "male",
           "age": "old", "set": "5"}  # fmt: skip
    text = json.dumps(row) if name.endswith("l") else f"{','.join(row)}\n{','.join(row.values())}"
    (tmp_path / name).write_text(text, encoding="utf-8")
    (sample,) = read(tmp_path, labels="table", table=name)
    assert (sample.id, sample.images[0].name, sample.cluster) == ("a/1", "a/1.png", "chef/5")
    assert made.reader("cmsc", labels="table", table=name).annotations(
        data_root(tmp_path), "test"
    ) == [name]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file,concept,set\na.png,chef", "2 columns, not 3"),
        ("file,concept\na.png,chef", "the column 'set' should be a text"),
        ("file,concept,set\n,chef,1", "the column 'file' should be a text"),
        ("file,concept,set\na.png,cook,1", "'cook' is no concept"),
    ],
)
def test_a_wrong_table_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "metadata.csv").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=message) as caught:
        read(tmp_path, labels="table")
    assert caught.value.where == f"{tmp_path / 'metadata.csv'}:2"


@pytest.mark.parametrize(
    ("pattern", "message"),
    [
        ("{concept}{set}", "no text between"),
        ("{concept}_{colour}_{set}", "unknown part 'colour'"),
        ("{concept}_{set}_{set}", "named twice"),
        ("{concept}", "no part {set}"),
        ("{concept_{set}", "braces"),
        ("concept}_{set}", "a } without"),
        ("names", "no part in braces"),
    ],
)
def test_a_pattern_that_cannot_be_used_is_refused(pattern: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        made.reader("cmsc", pattern=pattern)


def test_a_name_with_a_part_too_many_does_not_fit() -> None:
    pattern = Pattern("{concept}_{set}", PARTS, ("concept", "set"))
    assert pattern.match("chef_1") == {"concept": "chef", "set": "1"}
    assert pattern.match("middle_school_1") is None
    assert pattern.match("chef_") is None
    assert pattern.match("chef") is None


WORDS = st.text(st.characters(blacklist_characters="_{}/", codec="utf-8"), min_size=1, max_size=8)


@given(st.tuples(WORDS, WORDS, WORDS))
def test_a_pattern_reads_back_what_was_written(values: tuple[str, str, str]) -> None:
    pattern = Pattern("a_{concept}__{race}_{set}_z", PARTS, ("concept", "set"))
    name = "a_{}__{}_{}_z".format(*values)
    assert pattern.match(name) == dict(zip(("concept", "race", "set"), values, strict=True))


@given(st.text(max_size=30))
def test_matching_never_fails_on_any_name(name: str) -> None:
    match = Pattern("{concept}-{*}_{set}.x", PARTS, ()).match(name)
    if match is not None:
        assert name.startswith(match["concept"])
        assert all(match.values())
