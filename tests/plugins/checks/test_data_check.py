"""A folder held against its release: what is broken is counted, listed and told apart."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from harness_benchmarks.readers.gazefollow import DROPPED
from harness_checks.data_check import SplitReport, check_task
from harness_people_benchmarks.readers.fer_plus import _HEADER as FER_HEADER
from PIL import Image

import harness
from harness.config.settings import load_settings
from harness.evaluation.task import Task
from harness.samples.views import BEYOND, MISSES, SCALED
from harness.specs.loader import with_options
from harness.specs.yaml_loader import parse_yaml
from tests.plugins.benchmarks.people import counterfactuals, picture, shard
from tests.plugins.benchmarks.test_fairface import HEADER
from tests.specs.specs_for_tests import SPEC

ROW = "val/{}.jpg,3-9,Male,White,False"


def faces(root: Path, count: int, *more: str) -> Path:
    """Write a FairFace of ``count`` faces; ``more`` are further rows without a picture."""
    rows = [ROW.format(n) for n in range(count)]
    text = HEADER + "\n".join([*rows, *more]) + "\n"
    (root / "fairface_label_val.csv").write_text(text, encoding="utf-8")
    (root / "val").mkdir(exist_ok=True)
    for n in range(count):
        (root / "val" / f"{n}.jpg").write_bytes(picture(n))
    return root


def check(task: str, root: Path, images: int | None = None, **options: Any) -> list[SplitReport]:
    messages: list[tuple[str, int, int | None]] = []
    result = check_task(
        harness.load_task(task, data=root, options=options), images, lambda *x: messages.append(x)
    )
    assert messages
    return result


def problems(report: SplitReport) -> dict[str, int]:
    return {finding.kind: finding.count for finding in report.problems}


def test_counts_are_held_against_the_published_ones(tmp_path: Path) -> None:
    (report,) = check("fairface", faces(tmp_path, 3))
    assert report.counts == {"samples": 3, "images": 3, "clusters": 3}
    assert problems(report) == {"count differs": 1}
    assert report.problems[0].examples == ["3 samples, the release has 10,954"]
    assert report.opened == 3


def test_missing_and_unreadable_images_and_repeated_ids_are_listed(tmp_path: Path) -> None:
    root = faces(tmp_path, 4, ROW.format("gone"), ROW.format(0))
    (root / "val" / "2.jpg").write_bytes(b"no picture")
    (report,) = check("fairface", root)
    results = {finding.kind: finding.examples for finding in report.problems}
    assert results["id repeated"] == ["val/0"]
    assert results["image missing"] == ["val/gone.jpg"]
    assert "val/2.jpg" in results["image unreadable"][0]
    assert report.opened == 4


def test_a_broken_annotation_is_a_problem_not_a_crash(tmp_path: Path) -> None:
    (report,) = check("fairface", faces(tmp_path, 1, "val/1.jpg,3-9,Male,Martian,False"))
    assert problems(report) == {"annotations broken": 1}
    assert "'Martian' is no race" in report.problems[0].examples[0]


def test_missing_annotations_are_listed_by_name(tmp_path: Path) -> None:
    shard(tmp_path, counterfactuals("chef", 0), 0, 3)
    (report, *_) = check_task(harness.load_task("scounter", data=tmp_path), 0, lambda *_: None)
    assert problems(report) == {"annotation file missing": 2}
    assert report.problems[0].examples[0] == "data/train-00001-of-00003.parquet"


def test_a_split_that_is_there_in_part_is_not_left_out_in_silence(tmp_path: Path) -> None:
    (tmp_path / "Attribute" / "vaw").mkdir(parents=True)
    (tmp_path / "Attribute" / "vaw" / "action.json").write_text("[]", encoding="utf-8")
    reports = check_task(harness.load_task("vl_checklist", data=tmp_path), 0, lambda *_: None)
    assert [report.split for report in reports] == ["people", "attribute"]
    assert all(list(problems(report)) == ["annotation file missing"] for report in reports)


def test_a_file_that_breaks_after_the_checked_split_is_a_problem_too(tmp_path: Path) -> None:
    cut = f"{','.join(FER_HEADER)}\nTraining,fer0000000.png,{'0,' * 9}0\nPublicTest,fer"
    (tmp_path / "fer2013new.csv").write_text(cut, encoding="utf-8")
    for report in check_task(harness.load_task("fer_plus", data=tmp_path), 0, lambda *_: None):
        assert problems(report) == {"annotations broken": 1}
        assert "fer2013new.csv:3" in report.problems[0].examples[0]


def test_the_images_opened_are_the_same_every_time(tmp_path: Path) -> None:
    root = faces(tmp_path, 20)
    (root / "val" / "3.jpg").write_bytes(b"")
    runs = [check("fairface", root, images=5)[0] for _ in range(2)]
    assert [run.opened for run in runs] == [5, 5]
    assert problems(runs[0]) == problems(runs[1])
    assert check("fairface", root, images=0)[0].opened == 0


def test_dealt_splits_are_counted_and_their_images_opened_once(tmp_path: Path) -> None:
    shard(tmp_path, [row for n in range(20) for row in counterfactuals("chef", n)])
    reports = {report.split: report for report in check("scounter", tmp_path)}
    parts = [reports[split].counts["samples"] for split in ("train", "val", "test")]
    assert sum(parts) == reports["all"].counts["samples"] == 240
    assert [reports[split].opened for split in ("train", "test", "all")] == [0, 0, 240]
    assert problems(reports["all"]) == {"count differs": 2}


def test_what_options_leave_out_is_noted_and_counted(tmp_path: Path) -> None:
    for n in range(9):
        (tmp_path / f"chef_White_male_old_{n}.png").write_bytes(picture(n))
    (tmp_path / "odd.png").write_bytes(picture())
    reports = check("cmsc", tmp_path, max_unmatched=0.5)
    full = next(report for report in reports if report.split == "all")
    assert ("left out", 1, ["odd.png"]) in [
        (note.kind, note.count, note.examples) for note in full.notes
    ]
    assert full.counts["samples"] == 10
    assert full.problems == []


def test_a_label_that_is_no_option_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "basic" / "EmoLabel"
    folder.mkdir(parents=True)
    (folder / "list_patition_label.txt").write_text("test_0001.jpg 1\n", encoding="utf-8")
    spec = with_options(parse_yaml(SPEC), {})
    settings = load_settings().with_data({"mood": tmp_path})
    (report,) = check_task(Task(spec, settings), 0, lambda *_: None)[:1]
    results = {finding.kind: finding.examples for finding in report.problems}
    assert results["label outside the list"] == ["test_0001: surprise"]


@pytest.mark.parametrize("packed", ["zip", "tar"])
def test_an_archive_is_checked_like_its_folder(tmp_path: Path, packed: str) -> None:
    import shutil

    root = tmp_path / "faces"
    root.mkdir()
    faces(root, 3)
    path = Path(shutil.make_archive(str(tmp_path / "release"), packed, root))
    (report,) = check("fairface", path)
    assert problems(report) == {"count differs": 1}
    assert report.opened == 3


def relations(root: Path, size: tuple[int, int], *, orientation: int = 1) -> Path:
    """Write PISC's coarse test split: one image marked at 80 x 40, stored at another size."""
    info = [{"id": 7, "imgW": 80, "imgH": 40, "bbox": [[5, 5, 30, 30], [40, 5, 90, 30]]}]
    for name, content in (
        ("annotation_image_info.json", info),
        ("domain.json", {"7": {"1 2": 1}}),
        ("domain_split/testidx.json", ["7"]),
    ):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(json.dumps(content), encoding="utf-8")
    exif = Image.Exif()
    exif[0x0112] = orientation
    (root / "image").mkdir(exist_ok=True)
    Image.new("RGB", size, "white").save(root / "image" / "00007.jpg", exif=exif)
    return root


def test_boxes_on_images_of_another_size_are_told(tmp_path: Path) -> None:
    (report,) = check("pisc_coarse", relations(tmp_path, (40, 20)))
    messages = {note.kind: note.count for note in report.notes}
    assert messages == {SCALED: 2, BEYOND: 1}
    (report,) = check("pisc_coarse", relations(tmp_path, (80, 40)))
    assert {note.kind: note.count for note in report.notes} == {BEYOND: 1}


@pytest.mark.parametrize(("size", "orientation"), [((80, 50), 1), ((80, 40), 6)])
def test_boxes_of_an_image_of_another_shape_are_a_problem(
    tmp_path: Path, size: tuple[int, int], orientation: int
) -> None:
    (report,) = check("pisc_coarse", relations(tmp_path, size, orientation=orientation))
    assert problems(report)["box cannot be placed"] == 1
    assert "image/00007.jpg: box 'first person' was marked" in report.problems[-1].examples[0]


def test_a_run_counts_the_boxes_it_scaled_and_says_so_under_its_table(tmp_path: Path) -> None:
    result = harness.run(
        "open_clip", "pisc_coarse", data={"pisc": relations(tmp_path / "d", (40, 20))},
        results=tmp_path / "r", profile="demo",
    )  # fmt: skip
    (record,) = result.records
    of_the_release = "samples in this split, of which the release has 15,497"
    absent = {
        f"samples, over which {label} is undefined (no sample has the label)": 1
        for label in ("No relation", "Non-intimate")
    }
    assert record.counts.notes == {SCALED: 2, BEYOND: 1, of_the_release: 1, **absent}
    notes = harness.leaderboard(tmp_path / "r").notes
    assert any(f"{SCALED}: 2." in note for note in notes)


def test_an_image_that_stands_in_two_splits_is_named(tmp_path: Path) -> None:
    root = faces(tmp_path, 3)
    (root / "fairface_label_train.csv").write_text(
        HEADER + "train/0.jpg,3-9,Male,White,False\ntrain/9.jpg,3-9,Male,White,False\n",
        encoding="utf-8",
    )
    (root / "train").mkdir()
    (root / "train" / "0.jpg").write_bytes(picture(2))
    (root / "train" / "9.jpg").write_bytes(picture(9))
    _, train = check("fairface", root)
    assert [(note.kind, note.examples) for note in train.notes] == [
        ("image also in val", ["train/0.jpg is val/2.jpg"])
    ]


def test_a_head_that_misses_its_eye_tells_a_copy_of_another_size(tmp_path: Path) -> None:
    row = "a.jpg,0,0.1,0.1,0.3,0.8,0.15,0.1,0.5,0.5,20,10,50,40,demo,\n"  # of 200 x 200
    (tmp_path / "test_annotations_release.txt").write_text(row)
    for size, messages in ((200, {}), (400, {MISSES: 1}), (100, {MISSES: 1})):
        Image.new("RGB", (size, size)).save(tmp_path / "a.jpg")
        report, *_ = check("gazefollow", tmp_path)
        assert {note.kind: note.count for note in report.notes} == messages


def test_samples_that_cannot_be_asked_are_named(tmp_path: Path) -> None:
    for number, gaze in enumerate(("0.5,0.5", "-1,-1")):
        Image.new("RGB", (200, 200)).save(tmp_path / f"{number}.jpg")
        with (tmp_path / "test_annotations_release.txt").open("a", encoding="utf-8") as file:
            file.write(f"{number}.jpg,0,0.1,0.1,0.3,0.8,0.3,0.2,{gaze},10,10,70,50,demo,\n")
    report, *_ = check("gazefollow", tmp_path)
    assert problems(report) == {"sample that cannot be asked": 1}
    assert {note.kind: note.count for note in report.notes} == {DROPPED: 1}
    result = harness.run(
        "null", "gazefollow", data={"gazefollow": tmp_path}, results=tmp_path / "r"
    )
    assert result.records[0].counts.errors == 1
    assert result.records[0].counts.notes == {DROPPED: 1}
