"""FER+, VL-CheckList and Face-Human-Bench: layouts, and what is wrong with them."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from harness_benchmarks.readers.passed_over import AGAIN
from harness_people_benchmarks.readers.fer_plus import majority
from harness_people_benchmarks.readers.vl_checklist import PARTS, SAME

import harness
from harness.errors import DataError, UserError
from harness.metrics import ScoredSample
from harness.samples import Sample
from harness.samples.roots import data_root
from tests import made

CASES = Path(__file__).parents[2] / "conformance" / "fer_plus_cases.json"
HEADER = ("Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,"
          "unknown,NF\n")  # fmt: skip


def test_the_majority_is_that_of_the_authors_code() -> None:
    for case in json.loads(CASES.read_text())["cases"]:
        label = majority([float(number) for number in case["votes"]])
        assert (8 if label is None else label) == case["majority"], case


def fer(root: Path, *rows: str, header: str = HEADER) -> Path:
    (root / "fer2013new.csv").write_text(header + "\n".join(rows))
    return root


def faces(root: Path, split: str = "test") -> list[Sample]:
    return list(made.reader("fer_plus").samples(data_root(root), split))


def test_faces_whose_votes_are_not_those_of_ten_people_are_counted(tmp_path: Path) -> None:
    root = fer(
        tmp_path, "PrivateTest,a.png,6,4,0,0,0,0,0,0,0,0", "PrivateTest,b.png,60,4,0,0,0,0,0,0,0,0",
        "PrivateTest,c.png,6,1,0,0,0,0,0,0,0,0", "PrivateTest,d.png,6,1,0,0,0,0,0,0,2,1",
    )  # fmt: skip
    counted = "faces whose votes do not sum to the release's 10"
    assert [face.notes for face in faces(root)] == [{}, {counted: 1}, {counted: 1}, {}]
    assert not any(face.notes for face in harness.load_task("fer_plus", profile="demo").samples())


def test_faces_without_a_majority_are_left_out_and_listed(tmp_path: Path) -> None:
    root = fer(
        tmp_path, "PrivateTest,a.png,6,4,0,0,0,0,0,0,0,0", "PrivateTest,b.png,4,4,2,0,0,0,0,0,0,0",
        "PrivateTest,,0,0,0,0,0,0,0,0,0,10", "PrivateTest,c.png,1,1,0,0,0,0,0,0,8,0",
        "Training,d.png,0,0,0,0,0,0,9,1,0,0", "PrivateTest,e.png,9,0,0,0,0,0,1,0,0,0",
        "PrivateTest,e.png,0,9,0,0,0,0,1,0,0,0",
    )  # fmt: skip
    first, again = faces(root)
    assert (first.id, first.target, first.images[0].name) == (
        "test/a", "neutral", "FER2013Test/a.png",
    )  # fmt: skip
    assert (again.id, again.target) == ("test/e", "happiness")
    reader = made.reader("fer_plus")
    assert reader.left_out(data_root(root), "test") == [
        "e.png (named again)", "b.png", "a row without a face", "c.png",
    ]  # fmt: skip
    (note,) = reader.notes(data_root(root), "test")
    assert note.startswith("e.png: named by two rows; the last one counts")
    assert [face.target for face in faces(root, "train")] == ["fear"]


@pytest.mark.parametrize(
    ("row", "header", "message"),
    [
        ("PrivateTest,a.png,6,4", HEADER, "4 columns, not 12"),
        ("Test,a.png,6,4,0,0,0,0,0,0,0,0", HEADER, "'Test' is not a part of this release"),
        ("PrivateTest,a.png,x,4,0,0,0,0,0,0,0,0", HEADER, "votes for neutral .* found 'x'"),
        ("PrivateTest,a.png,0,4.5,0,0,0,0,0,0,0,0", HEADER, "votes for happiness .* found '4.5'"),
        ("PrivateTest,a.png,0,9-Mar,0,0,0,0,0,0,0,0", HEADER, "found '9-Mar'"),
        (f"{'y' * 999},a.png,1,4,0,0,0,0,0,0,0,0", HEADER, "characters more"),
        ("PrivateTest,a.png,-1,4,0,0,0,0,0,0,0,0", HEADER, "below 0"),
        ("", HEADER.replace(",NF", ""), "the column 'NF' is missing"),
        ("", HEADER.replace("anger,disgust", "disgust,anger"), "not that of the release"),
    ],
)
def test_a_wrong_row_of_votes_is_named(tmp_path: Path, row: str, header: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        faces(fer(tmp_path, row, header=header))


def checklist(root: Path, entries: list[Any]) -> list[Sample]:
    for name in PARTS["relation"]:
        path = root / "data" / f"{name}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(entries if name == "Relation/hake_action" else []))
    return list(made.reader("vl_checklist").samples(data_root(root), "relation"))


TEXTS = {"POS": ["ride a horse"], "NEG": ["feed a horse"]}


def test_a_pair_of_texts_is_a_sample(tmp_path: Path) -> None:
    (pair,) = checklist(tmp_path, [["vcoco/val2014/1.jpg", TEXTS]])
    assert pair.images[0].name == "hake/vcoco/val2014/1.jpg"
    assert (pair.fields["positive"], pair.fields["negative"]) == ("ride a horse", "feed a horse")
    assert {name: group.value for name, group in pair.groups.items()} == {
        "part": "Relation", "kind": "action", "source": "hake",
    }  # fmt: skip


def test_texts_that_are_not_asked_are_counted(tmp_path: Path) -> None:
    (pair,) = checklist(tmp_path, [["1.jpg", {"POS": ["a", "b", "c"], "NEG": ["d", "e"]}]])
    assert pair.notes == {"texts after the first of their kind, which are not asked": 3}


def test_a_pair_of_one_text_is_noted(tmp_path: Path) -> None:
    (pair,) = checklist(tmp_path, [["1.jpg", {"POS": ["a b"], "NEG": ["a b"]}]])
    assert pair.notes == {SAME: 1}


def test_a_pair_that_the_list_has_twice_is_noted(tmp_path: Path) -> None:
    others = {"POS": ["ride a horse"], "NEG": ["lead a horse"]}
    pairs = checklist(tmp_path, [["1.jpg", TEXTS], ["1.jpg", others], ["1.jpg", TEXTS]])
    assert [dict(pair.notes) for pair in pairs] == [{}, {}, {AGAIN: 1}]


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        (["a.jpg"], "an image and its texts"),
        (["a.jpg", {"POS": ["x"]}], "the key 'NEG' is missing"),
        (["a.jpg", {"POS": [], "NEG": ["y"]}], "'POS' lists no text"),
        ("a.jpg", "an entry should be a list"),
        (["", TEXTS], "the image should be a text"),
    ],
)
def test_what_is_no_pair_is_refused_by_place(tmp_path: Path, entry: Any, message: str) -> None:
    with pytest.raises(DataError, match=message) as caught:
        checklist(tmp_path, [["b.jpg", TEXTS], entry])
    assert str(caught.value.where).endswith("hake_action.json[1]")


def test_the_gap_is_that_of_the_page() -> None:
    metric = made.metric("probability_gap", concept="value", first="Male", second="Female")
    samples = [
        ScoredSample(f"{value}{gender}", "c", None, "yes", (math.log(p), math.log(1 - p)),
                     ("yes", "no"), groups={"gender": gender}, fields={"value": value},
                     score_kind="logprob")
        for value, gender, p in (
            ("kind", "Male", 0.9), ("kind", "Male", 0.7), ("kind", "Female", 0.6),
            ("lazy", "Male", 0.4), ("lazy", "Female", 0.5), ("wise", "Male", 0.1),
        )
    ]  # fmt: skip
    prepared = metric.prepare(samples)
    weights = np.ones((2, len(samples)))
    weights[1, 2] = 0
    assert metric.value(prepared, weights) == pytest.approx([0.15, 0.1])
    with pytest.raises(UserError, match="needs two different values"):
        made.metric("probability_gap", first="Male")
    with pytest.raises(UserError, match="'ja' is not among"):
        made.metric("probability_gap", ("yes", "no"), positive="ja", first="a", second="b")
