"""Drawn data: a source beside the demo world's, drawn once, the same bytes everywhere."""

from __future__ import annotations

import hashlib
from pathlib import Path

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


@pytest.mark.parametrize("benchmark", ["genderbias_vl", "pope"])
def test_a_twin_has_the_same_bytes_each_time(tmp_path: Path, benchmark: str) -> None:
    first = DemoPeople(3).locate(benchmark, tmp_path / "a")
    again = DemoPeople(3).locate(benchmark, tmp_path / "a")
    assert first == again
    assert digest(first) == digest(DemoPeople(3).locate(benchmark, tmp_path / "b"))
    assert benchmark in BENCHMARKS
