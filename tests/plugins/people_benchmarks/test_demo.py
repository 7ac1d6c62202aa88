"""Drawn data: a source beside the demo world's, drawn once, the same bytes everywhere."""

from __future__ import annotations

import hashlib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from harness_people_benchmarks.demo.contents import BENCHMARKS
from harness_people_benchmarks.demo.source import DemoPeople

import harness
from harness.config.data import source_of
from harness.config.tasks import installed_catalog
from harness.plugins import plugins
from harness.specs import ChooseSpec


def digest(root: Path) -> str:
    content = hashlib.sha256()
    for path in sorted(root.rglob("*")):
        if path.is_file():
            content.update(path.relative_to(root).as_posix().encode() + path.read_bytes())
    return content.hexdigest()


def test_a_source_beside_another_adds_its_benchmarks() -> None:
    for name, benchmark, source in (
        ("demo_world", "fairface", "demo_world"),
        ("demo_world", "pairs", "demo_people"),
        ("demo_people", "pairs", "demo_people"),
    ):
        descriptor = source_of(benchmark, name)
        assert descriptor is not None
        assert descriptor.id == source
    assert source_of("fairface", "demo_people") is None
    assert source_of("nowhere", "demo_world") is None
    assert source_of("pairs", None) is None


def test_no_benchmark_has_two_sources() -> None:
    sources = list(plugins().data_sources().values())
    names = [name for source in sources for name in source.benchmarks]
    assert len(names) == len(set(names))


def test_every_task_of_the_groups_has_drawn_data() -> None:
    catalog = installed_catalog()
    for group in ("bias_all", "people_all", "encoders_all"):
        for task in catalog.group(group).tasks:
            assert source_of(catalog.task(task).data.benchmark, "demo_world") is not None, task


def test_equal_scores_are_never_right_where_one_option_always_is() -> None:
    """The first option wins a tie: a model that is blind to the image must not win with it."""
    looked_at = []
    for name in ("sb_bench", "vl_checklist", "vlbiasbench_closed", "fairface_attributes"):
        task = harness.load_task(name)
        spec = task.spec
        targets = {str(sample.target) for sample in task.samples()}
        if isinstance(spec.ask, ChooseSpec) and spec.main_metric.id == "accuracy":
            looked_at.append(name)
            assert len(targets) > 1 or targets != {spec.labels[0]}, name
    assert "vl_checklist" in looked_at


def test_no_place_of_an_answer_is_right_for_most_questions_of_sb_bench() -> None:
    """A model that names one letter knows nothing, and must not seem to."""
    targets = Counter(str(sample.target) for sample in harness.load_task("sb_bench").samples())
    assert set(targets) == {"ans0", "ans1", "ans2"}
    assert max(targets.values()) < targets.total() / 2
    for sample in harness.load_task("sb_bench").samples():
        assert sample.fields[str(sample.target)] == "Not known"
        biased = str(sample.fields["biased"])
        who = "old" if "could not" in str(sample.fields["question"]) else "young"
        assert sample.fields[biased] == f"The {who} person"


def test_the_demo_asks_for_the_classes_that_it_draws_and_real_data_for_all(tmp_path: Path) -> None:
    drawn = harness.load_task("imagenet_zeroshot", profile="demo")
    assert {str(sample.target) for sample in drawn.samples()} == set(drawn.spec.labels)
    chosen = harness.load_task("imagenet_zeroshot", profile="demo", options={"classes": "all"})
    assert len(chosen.spec.labels) == 1000
    (tmp_path / "val" / "n01440764").mkdir(parents=True)
    task = harness.load_task("imagenet_zeroshot", profile="demo", data=tmp_path)
    assert len(task.spec.labels) == 1000
    real = harness.load_task("imagenet_zeroshot", profile="full", data=tmp_path)
    assert real.spec == task.spec == chosen.spec


@pytest.mark.parametrize("options", [None, {"classes": "all"}, {"classes": "drawn"}])
def test_a_run_asks_for_the_classes_that_its_task_was_loaded_with(
    tmp_path: Path, options: dict[str, Any] | None
) -> None:
    task = harness.load_task("imagenet_zeroshot", profile="demo", options=options)
    [record] = harness.run("random", task, limit=2, results=tmp_path).records
    assert record.task_options == {"classes": task.spec.options["classes"].value}


@pytest.mark.parametrize("benchmark", ["genderbias_vl", "pope"])
def test_a_twin_has_the_same_bytes_each_time(tmp_path: Path, benchmark: str) -> None:
    first = DemoPeople(3).locate(benchmark, tmp_path / "a")
    again = DemoPeople(3).locate(benchmark, tmp_path / "a")
    assert first == again
    assert digest(first) == digest(DemoPeople(3).locate(benchmark, tmp_path / "b"))
    assert benchmark in BENCHMARKS
