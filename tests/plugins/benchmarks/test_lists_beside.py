"""A list beside those of a release could hold samples: that it is not read is counted."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from harness.config.settings import load_settings
from harness.config.tasks import installed_catalog
from harness.evaluation.task import Task
from harness.readers.contract import PassesOver
from harness.readers.shards import Copies
from harness.samples.roots import data_root

TASKS = ["face_human_bench", "hagridv2", "vl_checklist", "genderbias_vl", "jrdb_social"]


@pytest.mark.parametrize("name", TASKS)
def test_a_list_that_the_release_does_not_have_is_counted(name: str, tmp_path: Path) -> None:
    spec = installed_catalog().task(name)
    drawn = Task(spec, load_settings(profile="demo"))
    split, home = spec.data.split, drawn.located.root.local("")
    assert home is not None
    lists = drawn.reader.annotations(drawn.located.root, split)
    for path in lists:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(home / path, tmp_path / path)

    def said() -> list[tuple[str, int]]:
        task = Task(spec, load_settings(profile="demo"))
        task.__dict__["located"] = replace(drawn.located, root=data_root(tmp_path))
        counts = task.left_out(split)
        return [(text, times) for text, times in counts.items() if "lists beside" in text]

    assert said() == []
    beside = (tmp_path / lists[0]).with_name("further.json")
    beside.write_text("[]", encoding="utf-8")
    ((text, times),) = said()
    assert ("such as 'further.json'" in text, times) == (True, 1)


@pytest.mark.parametrize("name", TASKS)
def test_the_drawn_release_has_no_list_that_no_split_reads(name: str) -> None:
    spec = installed_catalog().task(name)
    drawn = Task(spec, load_settings(profile="demo"))
    assert not [text for text in drawn.left_out(spec.data.split) if "lists beside" in text]


def test_lists_of_other_splits_and_options_are_known(tmp_path: Path) -> None:
    spec = installed_catalog().task("face_human_bench")
    drawn = Task(spec, load_settings(profile="demo"))
    lists = drawn.reader.annotations(drawn.located.root, spec.data.split)
    for path in lists:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / lists[0]).with_name("face_recognition_basic.json").write_text("[]", "utf-8")
    assert not any("face_recognition" in path for path in lists)
    assert isinstance(drawn.reader, PassesOver)
    assert not drawn.reader.passed_over(data_root(tmp_path), spec.data.split)


def test_a_gap_among_shards_of_the_hub_s_own_conversion_is_a_missing_file(tmp_path: Path) -> None:
    folder = tmp_path / "default" / "test"
    folder.mkdir(parents=True)
    for number in (0, 2):
        (folder / f"{number:04d}.parquet").write_bytes(b"")
    names = Copies({}).shards(data_root(tmp_path), "test")
    assert names == [f"default/test/{number:04d}.parquet" for number in range(3)]
    (folder / "0000.parquet").unlink()
    (folder / "0002.parquet").unlink()
    assert Copies({}).shards(data_root(tmp_path), "test") == []
