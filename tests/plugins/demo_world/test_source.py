"""The data source: layouts as released, the same bytes everywhere, complete or absent."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from itertools import islice
from multiprocessing import get_context
from pathlib import Path

import pytest
from harness_demo_world import harness_data_sources
from harness_demo_world.contents import OWN
from harness_demo_world.drawing.hands import CLASSES
from harness_demo_world.layouts import LAYOUTS
from harness_demo_world.source import SEED_VARIABLE, DemoWorld
from harness_demo_world.world import BENCHMARKS, COUNTS, sequences
from PIL import Image

from harness.errors import UserError

SOCIAL = ("hagridv2", "pisc", "gazefollow", "raf_db", "jrdb_social")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def roots(cache: Path) -> dict[str, Path]:
    return {name: DemoWorld().locate(name, cache) for name in SOCIAL}


def _digest(root: Path) -> str:
    full = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        if path.is_file() and not path.name.startswith("."):
            full.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return full.hexdigest()


# The shipped weights were trained on these; another digest needs another VERSION of the world.
PIXELS = {
    "hagridv2": "9c83b2bb031ed531",
    "pisc": "d7495bead14b6c46",
    "gazefollow": "2bfdd1b535183167",
    "raf_db": "effb74ada72cbe62",
    "jrdb_social": "d26361fea464366f",
    "vqav2": "cd21d34476c29fce",
    "cmsc": "0c1374eb26a7dea0",
    "fairface": "261b28379cd0073f",
}


@pytest.mark.parametrize("benchmark", PIXELS)
def test_a_version_of_the_world_keeps_its_pixels(benchmark: str) -> None:
    full = hashlib.sha256()
    for path, image in islice(LAYOUTS[benchmark].pictures(0, "test"), 8):
        full.update(path.as_posix().encode() + image.tobytes())
    assert full.hexdigest()[:16] == PIXELS[benchmark]


def _locate(job: tuple[str, str]) -> str:
    return str(DemoWorld().locate(job[0], Path(job[1])))


def test_hagridv2_layout(roots: dict[str, Path]) -> None:
    root = roots["hagridv2"]
    people: dict[str, set[str]] = {}
    for split in ("train", "val", "test"):
        files = sorted((root / "hagrid_annotations" / split).iterdir())
        assert {path.stem for path in files} == set(CLASSES)
        people[split] = set()
        for path in files:
            entries = json.loads(path.read_text())
            assert len(entries) == COUNTS["hagridv2"][split] // 34
            for entry in entries.values():
                people[split].add(entry["user_id"])
                assert len(entry["bboxes"]) == len(entry["labels"])
                for x, y, w, h in entry["bboxes"]:
                    assert 0 <= x < x + w <= 1.000001
                    assert 0 <= y < y + h <= 1.000001
    assert not people["train"] & people["test"]
    assert not people["val"] & people["test"]
    entries = json.loads((root / "hagrid_annotations/test/holy.json").read_text())
    for name, entry in entries.items():
        assert entry["united_label"] == ["holy"]
        assert len(entry["united_bbox"]) == 1
        with Image.open(root / "hagrid_dataset" / "holy" / f"{name}.jpg") as image:
            assert image.size == (96, 96)


def test_pisc_layout(roots: dict[str, Path]) -> None:
    root = roots["pisc"]
    info = {
        entry["id"]: entry
        for entry in json.loads((root / "annotation_image_info.json").read_text())
    }
    fine = json.loads((root / "relationship.json").read_text())
    coarse = json.loads((root / "domain.json").read_text())
    names = json.loads((root / "relationship_split/relation_testidx.json").read_text())
    assert names == json.loads((root / "domain_split/testidx.json").read_text())
    assert len(names) == COUNTS["pisc"]["test"]
    to_coarse = {1: 1, 2: 1, 3: 1, 4: 2, 5: 2, 6: 3}
    for name in names:
        assert coarse[name]["1 2"] == to_coarse[fine[name]["1 2"]]
        assert len(info[int(name)]["bbox"]) == 2
        assert (root / "image" / f"{int(name):05d}.jpg").is_file()
    counts = [sum(fine[name]["1 2"] == code for name in names) for code in range(1, 7)]
    assert counts == [60] * 6


def test_gazefollow_layout(roots: dict[str, Path]) -> None:
    root = roots["gazefollow"]
    text = (root / "test_annotations_release.txt").read_bytes()
    assert text.startswith(b"\xef\xbb\xbf")
    rows = [line.split(",") for line in text.decode("utf-8-sig").splitlines()]
    assert len(rows) == 400 * 10
    assert {len(row) for row in rows} == {16}
    assert len({(row[0], row[6]) for row in rows}) == 400
    for row in rows[::97]:
        assert (root / row[0]).is_file()
        assert 0 <= float(row[8]) <= 1
        assert float(row[12]) > float(row[10])
    train = (root / "train_annotations_release.txt").read_text("utf-8-sig").splitlines()
    assert len(train) == COUNTS["gazefollow"]["train"]
    assert {len(line.split(",")) for line in train} == {17}
    assert {line.split(",")[14] for line in train} == {"1"}


def test_raf_db_layout(roots: dict[str, Path]) -> None:
    basic = roots["raf_db"] / "basic"
    rows = [
        line.split()
        for line in (basic / "EmoLabel/list_patition_label.txt").read_text().splitlines()
    ]
    test = [(name, int(code)) for name, code in rows if name.startswith("test_")]
    assert [sum(code == k for _, code in test) for k in range(1, 8)] == [60] * 7
    for name, _ in test[::50]:
        stem = Path(name).stem
        assert (basic / "Image/aligned" / f"{stem}_aligned.jpg").is_file()
        lines = (basic / "Annotation/manual" / f"{stem}_manu_attri.txt").read_text().splitlines()
        assert len(lines) == 8
        gender, race, age = (int(line) for line in lines[5:])
        assert gender in {0, 1}
        assert race in {0, 1, 2}
        assert 0 <= age <= 4


def test_jrdb_social_layout(roots: dict[str, Path]) -> None:
    root = roots["jrdb_social"]
    pairs = 0
    for sequence in sequences("test"):
        path = root / "labels/labels_2d_activity_social_stitched" / f"{sequence}.json"
        for file, entries in json.loads(path.read_text())["labels"].items():
            with Image.open(root / "images/image_stitched" / sequence / file) as image:
                assert image.height == 128
            ids = {entry["label_id"] for entry in entries}
            for entry in entries:
                for link in entry["H-interaction"]:
                    assert link["pair"] in ids
                    assert len(link["inter_labels"]) == 1
                    pairs += 1
    assert pairs == 400


def test_the_plugin_says_which_sequences_belong_to_a_split() -> None:
    (descriptor,) = harness_data_sources()
    assert descriptor.benchmarks == {*BENCHMARKS, *OWN}
    options = descriptor.reader_options["jrdb_social"]
    assert str(options["valid_sequences"]).split(",") == list(sequences("test"))
    assert str(options["train_sequences"]).split(",") == list(sequences("train"))


def test_valid_of_jrdb_social_has_the_test_pictures(roots: dict[str, Path], cache: Path) -> None:
    assert DemoWorld().locate("jrdb_social", cache, ("valid",)) == roots["jrdb_social"]
    assert (roots["jrdb_social"] / ".test-drawn").exists()


def test_locating_again_changes_nothing(roots: dict[str, Path], cache: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in cache.rglob("*")}
    assert DemoWorld().locate("raf_db", cache) == roots["raf_db"]
    assert {path: path.stat().st_mtime_ns for path in cache.rglob("*")} == before


def test_pictures_of_another_split_are_added(cache: Path, tmp_path: Path) -> None:
    root = DemoWorld().locate("pisc", tmp_path, ())
    assert not list(root.glob("image/*.jpg"))
    DemoWorld().locate("pisc", tmp_path, ("val",))
    assert len(list(root.glob("image/*.jpg"))) == COUNTS["pisc"]["val"]
    DemoWorld().locate("pisc", tmp_path, ("val", "test"))
    assert len(list(root.glob("image/*.jpg"))) == COUNTS["pisc"]["val"] + COUNTS["pisc"]["test"]


@pytest.mark.parametrize("benchmark", BENCHMARKS)
def test_annotations_of_all_splits_are_there_whatever_is_asked_for(
    cache: Path, tmp_path: Path, benchmark: str
) -> None:
    root = DemoWorld().locate(benchmark, tmp_path, ())
    for path, content in LAYOUTS[benchmark].annotations(0):
        written = content if isinstance(content, bytes) else content.encode()
        assert (root / path).read_bytes() == written


def test_a_root_that_was_drawn_halfway_is_completed(roots: dict[str, Path], tmp_path: Path) -> None:
    root = DemoWorld().locate("raf_db", tmp_path)
    (root / ".annotated").unlink()
    labels = root / "basic/EmoLabel/list_patition_label.txt"
    labels.unlink()
    assert DemoWorld().locate("raf_db", tmp_path) == root
    assert _digest(root) == _digest(roots["raf_db"])


def test_racing_processes_write_the_same_bytes(roots: dict[str, Path], tmp_path: Path) -> None:
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        result = list(pool.map(_locate, [("pisc", str(tmp_path))] * 2))
    assert result[0] == result[1]
    assert _digest(Path(result[0])) == _digest(roots["pisc"])
    left = {path.name for path in Path(result[0]).rglob(".*")}
    assert left == {".annotated", ".test-drawn"}


def test_another_seed_is_another_world(roots: dict[str, Path], tmp_path: Path) -> None:
    other = DemoWorld(seed=1).locate("raf_db", tmp_path, ())
    assert other.parent.name != roots["raf_db"].parent.name
    label = "basic/Annotation/manual/test_0001_manu_attri.txt"
    assert (other / label).read_text() != (roots["raf_db"] / label).read_text()


def test_an_unknown_benchmark_or_split_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no benchmark 'coco'"):
        DemoWorld().locate("coco", tmp_path)
    with pytest.raises(ValueError, match="no split 'tset'"):
        DemoWorld().locate("pisc", tmp_path, ("tset",))


def test_an_environment_variable_names_another_world(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(SEED_VARIABLE, "7")
    assert DemoWorld().locate("mmbench", tmp_path).parent.name.endswith("-seed7")
    monkeypatch.setenv(SEED_VARIABLE, "seven")
    with pytest.raises(UserError, match="'seven' is not a seed"):
        DemoWorld()


def test_the_base_part_imports_no_torch() -> None:
    code = (
        "import sys, harness_demo_world.source;"
        "sys.exit(any(m in sys.modules for m in ('torch', 'transformers', 'open_clip')))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
