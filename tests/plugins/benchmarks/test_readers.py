"""Readers on hand-written releases: what becomes a sample, and what is said about damage."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from harness_benchmarks.readers.descriptors import READERS
from harness_benchmarks.readers.gazefollow import AGAIN, DROPPED, OUTSIDE
from harness_benchmarks.readers.raf_db import RafDb

from harness.descriptors import Json, parse_options
from harness.errors import DataError, UserError
from harness.samples import Sample
from harness.samples.roots import data_root
from harness.targets import load_target

BY_ID = {descriptor.id: descriptor for descriptor in READERS}


def make(name: str, **options: Json) -> Any:
    descriptor = BY_ID[name]
    return load_target(descriptor)(parse_options(descriptor.options, options, owner=name))


def read(name: str, root: Path, split: str = "test", **options: Json) -> list[Sample]:
    return list(make(name, **options).samples(data_root(root), split))


def passed(name: str, root: Path, split: str = "test", **options: Json) -> dict[str, int]:
    """What became no sample: the same before and after a walk, and after two."""
    reader, folder = make(name, **options), data_root(root)
    before = reader.passed_over(folder, split)
    for _ in reader.samples(folder, split):
        pass
    assert reader.passed_over(folder, split) == before
    return {subject: count for subject, count in before.items() if count}


def write(root: Path, name: str, content: Any) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", sorted(BY_ID))
def test_options_have_defaults_and_refuse_other_values(name: str, tmp_path: Path) -> None:
    units = next(option for option in BY_ID[name].options if option.name == "unit")
    assert units.default == units.choices[0]
    with pytest.raises(UserError, match=r"planet.*one of|unknown value"):
        make(name, unit="planet")
    with pytest.raises(UserError, match="unknown split"):
        make(name).annotations(data_root(tmp_path), "tset")


# HaGRIDv2


def hand(*labels: str, **more: Any) -> dict[str, Any]:
    boxes = [[0.1 * k, 0.2, 0.25, 0.3] for k in range(len(labels))]
    return {"bboxes": boxes, "labels": list(labels), "united_bbox": None, "united_label": None,
            "user_id": "u1", "hand_landmarks": [],
            "meta": {"age": [31.2], "gender": ["female"], "race": ["White"]}, **more}  # fmt: skip


def hagrid(root: Path, **files: Any) -> Path:
    for path in make("hagrid", no_gesture="include").annotations(data_root(root), "test"):
        write(root, path, files.get(Path(path).stem, {}))
    return root


def test_hagrid_takes_the_first_gesture_and_drops_pictures_without(tmp_path: Path) -> None:
    root = hagrid(
        tmp_path,
        like={"a": hand("no_gesture", "like"), "b": hand("no_gesture"), "c": hand()},
        no_gesture={"d": hand("no_gesture", "no_gesture")},
    )
    (samples,) = read("hagrid", root)
    assert (samples.id, samples.target, samples.cluster) == ("like/a", "like", "u1")
    assert samples.images[0].name == "hagrid_dataset/like/a.jpg"
    assert samples.boxes[0].unit == "relative"
    assert (samples.boxes[0].x1, samples.boxes[0].x2) == pytest.approx((0.1, 0.35))
    assert {name: (g.value, g.source) for name, g in samples.groups.items()} == {
        "gender": ("female", "machine"),
        "race": ("White", "machine"),
        "age": ("30-39", "machine"),
    }
    assert passed("hagrid", root) == {
        "images in a gesture's file whose labels name no gesture, left out": 2
    }
    both = read("hagrid", root, no_gesture="include", unit="image")
    assert [sample.target for sample in both] == ["like", "no_gesture"]
    assert both[0].cluster == "like/a"


@pytest.mark.parametrize("united", [[[0.5, 0.5, 0.2, 0.2]], [None, [0.5, 0.5, 0.2, 0.2]]])
def test_hagrid_prefers_the_united_box(tmp_path: Path, united: Any) -> None:
    hagrid(tmp_path, holy={"a": hand("holy", "holy", united_bbox=united)})
    assert read("hagrid", tmp_path)[0].boxes[0].x1 == 0.5


@pytest.mark.parametrize("united", [None, [None, None], []])
def test_hagrid_falls_back_to_the_hands_box(tmp_path: Path, united: Any) -> None:
    hagrid(tmp_path, holy={"a": hand("no_gesture", "holy", united_bbox=united)})
    assert read("hagrid", tmp_path)[0].boxes[0].x1 == pytest.approx(0.1)


def test_hagrid_finds_the_small_release(tmp_path: Path) -> None:
    hagrid(tmp_path, like={"a": hand("like")}, ok={"b": hand("ok", meta=None)})
    (tmp_path / "HaGRIDv2_dataset_512" / "like").mkdir(parents=True)
    like, ok = read("hagrid", tmp_path)
    assert like.images[0].name == "HaGRIDv2_dataset_512/like/a.jpg"
    assert ok.images[0].name == "hagrid_dataset/ok/b.jpg"
    assert ok.groups == {}


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        ({"bboxes": []}, "'labels' is missing"),
        ([], "an object was expected"),
        (hand("like", user_id=None), "user_id should be a text"),
        (hand("like", bboxes=[]), "0 boxes but 1 labels"),
        (hand("like", bboxes=[[1, 2, 3]]), "should hold 4 numbers"),
        (hand("like", bboxes=[[1, 2, 3, "x"]]), "not a finite number"),
        (hand("two up"), "not a class of HaGRIDv2"),
        (hand("like", bboxes=[[100, 200, 300, 300]]), "not shares of the image's sides"),
    ],
)
def test_hagrid_names_the_damaged_record(tmp_path: Path, entry: Any, words: str) -> None:
    hagrid(tmp_path, like={"a": hand("like"), "bad": entry})
    with pytest.raises(DataError, match=words) as caught:
        read("hagrid", tmp_path)
    assert "like.json" in str(caught.value.where)
    assert "'bad'" in str(caught.value.where)


# PISC


def pisc(root: Path) -> Path:
    info = [
        {"id": 7, "imgH": 8, "imgW": 9, "bbox": [[1, 2, 3, 4], [5, 6, 7, 8], [-1, 0, 20, 9]]},
        {"id": 12, "imgH": 8, "imgW": 9, "bbox": [[0, 0, 1, 1], [1, 1, 2, 2]]},
        {"id": 40, "imgH": 8, "imgW": 9, "bbox": []},
    ]
    write(root, "annotation_image_info.json", info)
    write(root, "domain.json", {"7": {"1 2": 1, "1 3": 3}, "12": {"1 2": 2}})
    write(root, "relationship.json", {"12": {"2 1": 6}, "7": {"1 3": 1}})
    write(root, "domain_split/testidx.json", ["7", "40"])
    write(root, "relationship_split/relation_testidx.json", ["7", "12"])
    return root


def test_pisc_counts_pairs_and_labels_from_one(tmp_path: Path) -> None:
    coarse = read("pisc", pisc(tmp_path), level="coarse")
    assert [(s.id, s.target) for s in coarse] == [
        ("00007/1-2", "intimate"),
        ("00007/1-3", "no relation"),
    ]
    assert coarse[1].images[0].name == "image/00007.jpg"
    assert [(b.name, b.x1, b.y1, b.x2, b.y2, b.unit) for b in coarse[1].boxes] == [
        ("first person", 1, 2, 3, 4, "pixel"),
        ("second person", -1, 0, 20, 9, "pixel"),
    ]
    assert {b.size for s in coarse for b in s.boxes} == {(9, 8)}
    missing = "images in the split's list that have no labelled pair, left out"
    assert passed("pisc", tmp_path, level="coarse") == {missing: 1}
    assert passed("pisc", tmp_path) == {}
    fine = read("pisc", tmp_path)
    assert [(s.id, s.target) for s in fine] == [
        ("00012/2-1", "no relation"),
        ("00007/1-3", "friends"),
    ]
    assert fine[0].boxes[0].x1 == 1


@pytest.mark.parametrize(
    ("file", "content", "words"),
    [
        ("domain.json", {"7": {"1 2": 4}}, "label 4 is not among 1 to 3"),
        ("domain.json", {"7": {"1 2": 0}}, "label 0"),
        ("domain.json", {"7": {"0 2": 1}}, "people count from 1"),
        ("domain.json", {"7": {"1 4": 1}}, "3 boxes"),
        ("domain.json", {"7": {"1-2": 1}}, "whole number"),
        ("domain.json", {"7": {"1": 1}}, "two people"),
        ("domain.json", {"7": [1]}, "should be an object"),
        ("domain.json", {"x": {}}, "whole number"),
        ("domain_split/testidx.json", {"7": 1}, r"'\[' was expected"),
        ("domain_split/testidx.json", ["x"], "whole number"),
        ("annotation_image_info.json", [{"id": 40, "bbox": []}], "image 7 is missing"),
        ("annotation_image_info.json", [{"id": 7}], "'bbox' is missing"),
        ("annotation_image_info.json", [{"id": 7, "bbox": [], "imgW": 9}], "'imgH' is missing"),
        (
            "annotation_image_info.json",
            [{"id": 7, "bbox": [], "imgW": 0, "imgH": 9}],
            "not the size",
        ),
        ("annotation_image_info.json", [{"id": 7, "bbox": [[1]]}], "should hold 4 numbers"),
        ("annotation_image_info.json", [{"id": 7, "bbox": []}] * 2, "image 7 is listed twice"),
    ],
)
def test_pisc_names_the_damaged_record(tmp_path: Path, file: str, content: Any, words: str) -> None:
    pisc(tmp_path)
    path = write(tmp_path, file, content)
    with pytest.raises(DataError, match=words) as caught:
        read("pisc", tmp_path, level="coarse")
    assert str(path) in str(caught.value.where)


def test_pisc_counts_images_listed_again_and_boxes_without_the_size_of_their_image(
    tmp_path: Path,
) -> None:
    info = [{"id": 7, "bbox": [[1, 2, 3, 4], [5, 6, 7, 8]]}]
    write(pisc(tmp_path), "annotation_image_info.json", info)
    write(tmp_path, "domain.json", {"7": {"1 2": 1}})
    write(tmp_path, "domain_split/testidx.json", ["7", "7"])
    (sample,) = read("pisc", tmp_path, level="coarse")
    (unsized,) = sample.notes.items()
    assert unsized == (
        "boxes of which the release does not say on what size of image they were marked", 2,
    )  # fmt: skip
    (again,) = passed("pisc", tmp_path, level="coarse").items()
    assert again == ("entries of the split's list that name an image again", 1)


def test_pisc_notes_a_pair_that_is_labelled_in_either_order(tmp_path: Path) -> None:
    info = [{"id": 7, "bbox": [[1, 2, 3, 4], [5, 6, 7, 8], [1, 2, 4, 5]], "imgW": 9, "imgH": 8}]
    write(pisc(tmp_path), "annotation_image_info.json", info)
    write(tmp_path, "domain.json", {"7": {"1 2": 1, "2 1": 2, "1 3": 3}})
    noted = [dict(sample.notes) for sample in read("pisc", tmp_path, level="coarse")]
    both = "pairs that the file labels in either order, asked in both"
    assert noted == [{both: 1}, {both: 1}, {}]


# GazeFollow

EYE = "0.1,0.1,0.3,0.8,{eye}"
HEAD = "180,60,100,130"


def gaze_row(image: str, eye: str, gaze: str, *strs: str) -> str:
    return ",".join([image, "0", "0.1,0.1,0.3,0.8", eye, gaze, HEAD, *strs, "demo", ""])


def test_gazefollow_groups_annotators_by_path_and_eye(tmp_path: Path) -> None:
    rows = [
        gaze_row("test2/0/a.jpg", "0.3,0.2", "0.6,0.5"),
        gaze_row("test2/0/b.jpg", "0.3,0.2", "0.1,0.1"),
        gaze_row("test2/0/a.jpg", "0.4,0.2", "0.7,0.7"),
        gaze_row("test2/0/a.jpg", "0.3,0.2", "0.8,0.4"),
    ]
    write(tmp_path, "test_annotations_release.txt", "\ufeff" + "\n".join(rows) + "\n\n")
    samples = read("gazefollow", tmp_path)
    assert [(s.id, s.target) for s in samples] == [
        ("test2/0/a.jpg@0.3,0.2", [[0.6, 0.5], [0.8, 0.4]]),
        ("test2/0/a.jpg@0.4,0.2", [[0.7, 0.7]]),
        ("test2/0/b.jpg@0.3,0.2", [[0.1, 0.1]]),
    ]
    assert samples[0].images[0].name == samples[0].cluster == "test2/0/a.jpg"
    assert samples[0].boxes[0].x2 == 100
    assert samples[0].fields == {"eye_x": 0.3, "eye_y": 0.2, "annotators": 2}


def test_an_eye_that_is_written_otherwise_is_one_eye(tmp_path: Path) -> None:
    rows = [gaze_row("a.jpg", eye, "0.6,0.5") for eye in ("0.3,0.2", "0.30,.2", "3e-1,0.200")]
    write(tmp_path, "test_annotations_release.txt", "\n".join(rows))
    (sample,) = read("gazefollow", tmp_path)
    assert (sample.id, sample.fields["annotators"]) == ("a.jpg@0.3,0.2", 3)


def test_gazefollow_drops_annotators_without_a_point_and_counts_them(tmp_path: Path) -> None:
    rows = [gaze_row("a.jpg", "0.3,0.2", gaze) for gaze in ("0.6,0.5", "-1,-1", "0.8,0.4")]
    rows += [gaze_row("b.jpg", "0.3,0.2", "-1,-1.0")] * 2
    write(tmp_path, "test_annotations_release.txt", "\n".join(rows))
    first, two = read("gazefollow", tmp_path)
    assert (first.target, first.fields["annotators"]) == ([[0.6, 0.5], [0.8, 0.4]], 2)
    assert (first.notes, first.fault) == ({DROPPED: 1}, None)
    assert (two.target, two.fields["annotators"], two.notes) == (None, 0, {DROPPED: 2})
    assert two.fault is not None
    assert two.fault.kind == "no_point"
    pixels = [gaze_row("a.jpg", "0.3,0.2", gaze) for gaze in ("0.6,0.5", "384,0.5", "-0.2,1.005")]
    write(tmp_path, "test_annotations_release.txt", "\n".join(pixels))
    (first,) = read("gazefollow", tmp_path)
    assert (first.target, first.notes) == ([[0.6, 0.5]], {OUTSIDE: 2})
    write(tmp_path, "test_annotations_release.txt", gaze_row("a.jpg", "0.3,0.2", "-1,0.5"))
    with pytest.raises(DataError, match="one coordinate of the gaze is -1"):
        read("gazefollow", tmp_path)
    inside = [gaze_row("a.jpg", "0.3,0.2", gaze, "1") for gaze in ("-1,-1", "0.1,0.2")]
    write(tmp_path, "train_annotations_release.txt", "\n".join(inside))
    assert [s.target for s in read("gazefollow", tmp_path, "train")] == [[[0.1, 0.2]]]


def test_gazefollow_counts_rows_that_repeat_a_point_and_keeps_them(tmp_path: Path) -> None:
    gazes = ("0.6,0.5", "0.6,0.5", "0.6,0.5", "0.7,0.5", "-1,-1", "-1,-1")
    rows = [gaze_row("a.jpg", "0.3,0.2", gaze) for gaze in gazes]
    write(tmp_path, "test_annotations_release.txt", "\n".join(rows))
    (sample,) = read("gazefollow", tmp_path)
    assert (sample.fields["annotators"], sample.notes) == (4, {AGAIN: 2, DROPPED: 2})
    rows = [gaze_row("a.jpg", "0.3,0.2", gaze, "1") for gaze in gazes[:4]]
    write(tmp_path, "train_annotations_release.txt", "\n".join(rows))
    assert [s.notes for s in read("gazefollow", tmp_path, "train")] == [{}, *[{AGAIN: 1}] * 2, {}]


def test_gazefollow_keeps_train_rows_that_look_inside(tmp_path: Path) -> None:
    rows = [gaze_row("train/a.jpg", "0.3,0.2", "0.6,0.5", inout) for inout in ("1", "0", "-1", "1")]
    write(tmp_path, "train_annotations_release.txt", "\n".join(rows))
    samples = read("gazefollow", tmp_path, "train")
    assert [s.target for s in samples] == [[[0.6, 0.5]], [[0.6, 0.5]]]
    assert len({s.id for s in samples}) == 2
    assert passed("gazefollow", tmp_path, "train") == {
        "rows that look outside their image, or are invalid, left out": 2
    }


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"train/a.jpg,0,0.1", "3 columns"),
        (gaze_row("train/a.jpg", "0.3,x", "0.6,0.5", "1").encode(), "eye holds 'x'"),
        (gaze_row("train/a.jpg", "0.3,0.2", "nan,0.5", "1").encode(), "not a finite number"),
        (gaze_row("train/a.jpg", "0.3,0.2", "0.1,0.5", "2").encode(), "inout is 2"),
        (gaze_row("train/\u00e9.jpg", "0.3,0.2", "0.1,0.5", "1").encode("latin-1"), "not UTF-8"),
        (gaze_row("", "0.3,0.2", "0.1,0.5", "1").encode(), "path should be a text"),
    ],
)
def test_gazefollow_names_the_line(tmp_path: Path, line: bytes, words: str) -> None:
    good = gaze_row("train/a.jpg", "0.3,0.2", "0.6,0.5", "1").encode()
    path = tmp_path / "train_annotations_release.txt"
    path.write_bytes(good + b"\n" + line + b"\n")
    with pytest.raises(DataError, match=words) as caught:
        read("gazefollow", tmp_path, "train")
    assert caught.value.where == f"{path}:2"


def test_gazefollow_says_that_a_file_is_empty(tmp_path: Path) -> None:
    write(tmp_path, "test_annotations_release.txt", "\ufeff\n")
    with pytest.raises(DataError, match="holds no line"):
        read("gazefollow", tmp_path)


# RAF-DB

LIST = "basic/EmoLabel/list_patition_label.txt"
ATTRIBUTES = "basic/Annotation/manual/test_0001_manu_attri.txt"


def test_raf_db_reads_labels_and_people(tmp_path: Path) -> None:
    write(tmp_path, LIST, "train_00001.jpg 5\ntest_0001.jpg 1\ntest_0002.jpg 7\n")
    write(tmp_path, ATTRIBUTES, "1\t2\n" * 5 + "1\n2\n4\n")
    first, two = read("raf_db", tmp_path)
    assert (first.id, first.target, two.target) == ("test_0001", "surprise", "neutral")
    assert first.images[0].name == "basic/Image/aligned/test_0001_aligned.jpg"
    assert {name: group.value for name, group in first.groups.items()} == {
        "gender": "female",
        "race": "Asian",
        "age": "70+",
    }
    assert first.groups["age"].source == "human"
    assert two.groups == {}
    original = read("raf_db", tmp_path, images="original")
    assert original[0].images[0].name == "basic/Image/original/test_0001.jpg"
    assert [s.target for s in read("raf_db", tmp_path, "train")] == ["sadness"]


@pytest.mark.parametrize(
    ("line", "words"),
    [("test_0002.jpg", "a name and a label"), ("test_0002.jpg 8", "among 1 to 7"),
     ("test_0002.jpg x", "whole number"), ("tset_0002.jpg 1", "neither train_ nor test_"),
     ("test_0002.jpg 11", "compound set"), ("test_0002_aligned.jpg 1", "without '_aligned'"),
     ("test_0002.jpg 0.1 0.2", "not those of RAF-ML")],
)  # fmt: skip
def test_raf_db_names_the_line(tmp_path: Path, line: str, words: str) -> None:
    path = write(tmp_path, LIST, f"test_0001.jpg 1\n{line}\n")
    with pytest.raises(DataError) as caught:
        read("raf_db", tmp_path)
    assert words in str(caught.value)
    assert caught.value.where == f"{path}:2"


def test_raf_db_s_compound_set_alone_is_named(tmp_path: Path) -> None:
    (tmp_path / "compound").mkdir()
    with pytest.raises(DataError, match="this is the compound set"):
        make("raf_db").annotations(data_root(tmp_path), "test")


@pytest.mark.parametrize(
    ("text", "words"),
    [("1 2\n" * 5 + "1\n2\n", "7 lines"), ("1 2\n" * 5 + "1\n3\n4\n", "race 3"),
     ("1 2\n" * 5 + "1\n1 1\n4\n", "whole number")],
)  # fmt: skip
def test_raf_db_names_a_damaged_attribute_file(tmp_path: Path, text: str, words: str) -> None:
    write(tmp_path, LIST, "test_0001.jpg 1\n")
    path = write(tmp_path, ATTRIBUTES, text)
    with pytest.raises(DataError, match=words) as caught:
        read("raf_db", tmp_path)
    assert str(path) in str(caught.value.where)


def test_raf_db_s_attribute_files_are_hashed_with_its_list(tmp_path: Path) -> None:
    write(tmp_path, LIST, "test_0001.jpg 1\n")
    reader, root = RafDb({"images": "aligned", "unit": "image"}), data_root(tmp_path)
    hashes = [reader.content_hash(root, LIST)]
    assert hashes == [root.sha256(LIST)]
    for age in (3, 4):
        write(tmp_path, ATTRIBUTES, "1\t2\n" * 5 + f"1\n2\n{age}\n")
        hashes.append(reader.content_hash(root, LIST))
    write(tmp_path, "basic/Annotation/manual/notes.txt", "not read\n")
    assert len(set(hashes)) == 3
    assert reader.content_hash(root, LIST) == hashes[-1]


# JRDB-Social


def person(number: int, **links: dict[str, int]) -> dict[str, Any]:
    return {
        "label_id": f"pedestrian:{number}",
        "box": [10 * number, 5, 20, 30],
        "H-interaction": [
            {"pair": f"pedestrian:{name[1:]}", "inter_labels": labels}
            for name, labels in links.items()
        ],
        "demographics_info": [{"gender": {"Male" if number % 2 else "Female": 1}, "age": {}}],
    }


def jrdb(root: Path, *people: Any) -> Path:
    folder = "labels/labels_2d_activity_social_stitched"
    return write(root, f"{folder}/street.json", {"labels": {"000003.jpg": list(people)}})


STREET: dict[str, Json] = {"valid_sequences": " street ,"}


def test_jrdb_takes_each_pair_once_a_frame(tmp_path: Path) -> None:
    jrdb(
        tmp_path,
        person(1, p2={"hugging": 2}, p9={"hugging": 1}, p3={}),
        person(2, p1={"walking together": 1}),
        person(3, p1={"conversation": 1, "hugging": 3}, p3={"hugging": 1}),
    )
    first, two = read("jrdb_social", tmp_path, "valid", **STREET)
    assert (first.id, first.target) == ("street/000003.jpg/1-2", "hugging")
    assert (two.id, two.target) == ("street/000003.jpg/3-1", "conversation")
    assert first.images[0].name == "images/image_stitched/street/000003.jpg"
    assert [(b.x1, b.y1, b.x2, b.y2) for b in first.boxes] == [(10, 5, 30, 35), (20, 5, 40, 35)]
    assert {name: group.value for name, group in first.groups.items()} == {
        "gender": "Female + Male",
        "difficulty": "2",
    }
    assert first.cluster == "street"
    assert {box.size for box in first.boxes} == {(3760, 480)}
    (other, _) = read("jrdb_social", tmp_path, "valid", size="any", **STREET)
    assert {box.size for box in other.boxes} == {None}
    with pytest.raises(UserError, match="is not a size"):
        read("jrdb_social", tmp_path, "valid", size="0x480", **STREET)
    (samples,) = read("jrdb_social", tmp_path, "valid", multi="drop", unit="image", **STREET)
    assert (samples.id, samples.cluster) == (first.id, "street/000003.jpg")
    left = {
        "pairs whose partner has no box in the frame, left out": 1,
        "mentions of a pair without an interaction, left out": 1,
        "pairs of a person with itself, left out": 1,
    }
    assert passed("jrdb_social", tmp_path, "valid", **STREET) == left
    repeated = "pairs with several interactions, which the option multi drops"
    assert passed("jrdb_social", tmp_path, "valid", multi="drop", **STREET) == {**left, repeated: 1}
    jrdb(tmp_path, person(1, p2={"hugging": 2}), person(2), person(2))
    twice = "boxes of a person who has another in the same frame: the last counts"
    assert passed("jrdb_social", tmp_path, "valid", **STREET) == {twice: 1}


def test_jrdb_knows_the_toolkits_sequences_and_no_test_labels(tmp_path: Path) -> None:
    root = data_root(tmp_path)
    reader = make("jrdb_social")
    assert len(reader.annotations(root, "train")) == 20
    assert len(reader.annotations(root, "valid")) == 7
    with pytest.raises(UserError, match="not public"):
        reader.annotations(root, "test")


@pytest.mark.parametrize(
    ("people", "words"),
    [
        ([{"box": [1, 2, 3, 4]}], "'label_id' is missing"),
        ([person(1, p2={"hugging": 1}), {"label_id": "pedestrian:2"}], "'box' is missing"),
        ([{"label_id": "p", "H-interaction": [{"pair": "q"}]}], "'inter_labels' is missing"),
        ([{"label_id": "p", "H-interaction": 3}], "should be a list"),
    ],
)
def test_jrdb_names_the_frame(tmp_path: Path, people: list[Any], words: str) -> None:
    path = jrdb(tmp_path, *people)
    with pytest.raises(DataError, match=words) as caught:
        read("jrdb_social", tmp_path, "valid", **STREET)
    assert str(caught.value.where).startswith(f"{path}: '000003.jpg'")
