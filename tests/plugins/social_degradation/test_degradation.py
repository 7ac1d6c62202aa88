"""A study of degradation: what its file may say, and what its tables make of parts."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest
from harness_social_degradation.page import write_page
from harness_social_degradation.run import Answered, Parts
from harness_social_degradation.study import BEFORE, DegradationStudy, read_degradation
from harness_social_degradation.tables import (
    summary,
    tables_of,
    transfers,
    write_degradation,
    written,
)
from harness_studies.files import open_study
from scipy import stats

from harness.analysis.results import Analysis, table_of
from harness.cli.main import entry
from harness.errors import UserError
from harness.specs.yaml_loader import read_yaml
from tests.tables.records import metric, record

STUDY = """
study: small
kind: degradation
title: What is lost
profile: demo
model: {model: socialfusion, options: {preset: demo}}
seeds: [0, 1, 2]
continued:
  - {label: generic, tasks: [vqav2], rate: 1.0e-3}
  - {label: social, tasks: [raf_db], rate: 1.0e-3}
  - {label: slow, tasks: [raf_db], rate: 1.0e-4}
probe: {tasks: [raf_db], controls: [hagridv2]}
transfer: {tasks: [raf_db, hagridv2], after: generic, gradients: {batches: 4}}
"""
LOST = {"generic": (0.10, 0.20, 0.30), "social": (0.0, 0.1, -0.1), "slow": (0.0, 0.0, 0.0)}
BEFORE_VALUES = {"raf_db": 0.8, "hagridv2": 0.5}


def study(tmp_path: Path, text: str = STUDY) -> DegradationStudy:
    (tmp_path / "small.yaml").write_text(text, encoding="utf-8")
    return read_degradation(read_yaml(tmp_path / "small.yaml"))


def probed(seed: int) -> Analysis:
    """Return probes in which controls lose a tenth of what tasks lose."""
    rows: list[dict[str, Any]] = []
    lost: list[dict[str, Any]] = []
    for task, value in BEFORE_VALUES.items():
        position: dict[str, Any] = {"task": task, "layer": "-1", "pooling": "mean"}
        about: dict[str, Any] = {"metric": "Accuracy", "direction": "higher", "scale": 100.0}
        about |= {"block": 3, "low": 0.1, "high": 0.9}
        rows.append({"encoder": BEFORE, **position, **about, "value": value})
        for label, drops in LOST.items():
            drop = drops[seed] * (0.1 if task == "hagridv2" else 1.0)
            rows.append({"encoder": label, **position, **about, "value": value - drop})
            lost.append({"second": label, **position, "scale": 100.0, "degradation": drop})
    tables = (table_of("probe", rows), table_of("degradation", lost))
    return Analysis("probe", f"probe{seed}", {}, tables)


def pulled(cosine: float) -> Analysis:
    pair: dict[str, Any] = {"first": "raf_db", "second": "hagridv2", "mean": cosine}
    tasks: list[dict[str, Any]] = [{"task": "raf_db", "own": 0.5}, {"task": "hagridv2", "own": 0.6}]
    tables = (table_of("pairs", [{**pair, "negative": 0.25}]), table_of("tasks", tasks))
    return Analysis("gradients", "g", {}, tables)


def answered() -> list[Answered]:
    """Return evaluations in which joint training gains a tenth before, and nothing after."""
    collected = []
    for seed in (0, 1, 2):
        for tower, gain in ((BEFORE, 0.05), ("generic", 0.0)):
            for recipe, value in (("single", 0.5), ("joint", 0.5 + gain)):
                records = [record("m", task, metric(value)) for task in ("raf_db", "hagridv2")]
                collected.append(Answered(tower, recipe, seed, records))
    return collected


def parts() -> Parts:
    gradients = {
        (tower, seed): pulled(0.1 * seed + (0.0 if tower == BEFORE else -0.3))
        for tower in (BEFORE, "generic")
        for seed in (0, 1, 2)
    }
    probes = {seed: probed(seed) for seed in (0, 1, 2)}
    return Parts(probes, gradients, answered(), {"generic": 10})


def test_what_is_lost_is_a_mean_over_seeds_with_student_s_interval(tmp_path: Path) -> None:
    tables = {table.name: table.records() for table in tables_of(study(tmp_path), parts())}
    rows = {(row["encoder"], row["task"]): row for row in tables["degradation"]}
    row = rows["generic", "raf_db"]
    low, high = stats.t.interval(0.95, 2, loc=0.2, scale=stats.sem(LOST["generic"]))
    assert (row["degradation"], row["low"], row["high"]) == pytest.approx((0.2, low, high))
    assert row["before"] == 0.8
    assert row["after"] == pytest.approx(0.6)
    assert row["is_control"] is False
    assert rows["generic", "hagridv2"]["is_control"] is True
    assert len(tables["probe"]) == 2 + 2 * 3 * 3, "the tower before is the same for all seeds"


def test_tasks_are_held_against_controls_by_what_share_they_lose(tmp_path: Path) -> None:
    tables = {table.name: table.records() for table in tables_of(study(tmp_path), parts())}
    rows = {(row["encoder"], row["group"]): row["relative_loss"] for row in tables["groups"]}
    assert rows["generic", "tasks"] == pytest.approx(0.2 / 0.8)
    assert rows["generic", "controls"] == pytest.approx(0.02 / 0.5)
    assert rows["generic", "tasks - controls"] == pytest.approx(0.25 - 0.04)


def test_two_trainings_are_held_against_each_other_seed_by_seed(tmp_path: Path) -> None:
    tables = {table.name: table.records() for table in tables_of(study(tmp_path), parts())}
    row, *others = (row for row in tables["contrasts"] if row["task"] == "raf_db")
    assert not others, "only those at one rate"
    assert (row["first"], row["second"]) == ("generic", "social")
    assert row["by_seed"] == pytest.approx([0.1, 0.1, 0.4])


def test_transfer_and_conflict_stand_by_tower(tmp_path: Path) -> None:
    content = study(tmp_path)
    rows = {(row["tower"], row["task"]): row for row in transfers(content, answered())}
    assert rows[BEFORE, "raf_db"]["relative"] == pytest.approx(0.1)
    assert rows["generic", "raf_db"]["relative"] == 0
    assert rows["after - before", "raf_db"]["relative"] == pytest.approx(-0.1)
    tables = {table.name: table.records() for table in tables_of(content, parts())}
    cosines = {(row["tower"], row["first"], row["second"]): row for row in tables["conflict"]}
    assert cosines[BEFORE, "raf_db", "hagridv2"]["cosine"] == pytest.approx(0.1)
    assert cosines["generic", "raf_db", "hagridv2"]["cosine"] == pytest.approx(-0.2)
    assert cosines["generic", "raf_db", "raf_db"]["cosine"] == 0.5


def test_a_missing_value_leaves_no_mean() -> None:
    assert summary([0.1, None]) == (None, None, None)
    assert summary([0.1]) == (0.1, None, None)


def test_tables_are_written_where_people_look(tmp_path: Path) -> None:
    result = write_degradation(study(tmp_path), parts(), tmp_path / "results")
    again = write_degradation(study(tmp_path), parts(), tmp_path / "results")
    assert again.fingerprint == result.fingerprint
    assert again.table("groups") == result.table("groups")
    files = written(result, tmp_path / "out")
    assert json.loads(files[0].read_text())["tables"].keys() >= {"degradation", "transfer"}
    with (tmp_path / "out" / "groups.csv").open(newline="") as lines:
        assert {row["group"] for row in csv.DictReader(lines)} >= {"tasks", "controls"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("after: generic", "after: generik", "nearest: generic|generic"),
        ("label: social", "label: before", "'before' is repeated or reserved"),
        ("label: social", "label: generic", "'generic' is repeated or reserved"),
        ("tasks: [vqav2]", "tasks: [vqav3]", "'vqav3'"),
        ("model: socialfusion", "model: socialfusio", "'socialfusio'"),
        ("controls: [hagridv2]", "controll: [hagridv2]", "unknown key 'controll'"),
        ("tasks: [raf_db, hagridv2]", "tasks: [raf_db]", "at least two tasks"),
    ],
)
def test_a_file_that_is_wrong_says_where(tmp_path: Path, old: str, new: str, message: str) -> None:
    assert old in STUDY
    with pytest.raises(UserError) as raised:
        study(tmp_path, STUDY.replace(old, new, 1))
    assert any(item in str(raised.value) for item in message.split("|"))
    assert "small.yaml:" in str(raised.value)


def test_the_shipped_study_is_valid_and_plans(capsys: pytest.CaptureFixture[str]) -> None:
    content = read_degradation(open_study("social_degradation"))
    assert len(content.seeds) == 3
    assert len(content.probe.tasks) == 5
    assert len(content.probe.controls) == 3
    with pytest.raises(SystemExit) as ended:
        entry(["study", "social_degradation", "--dry-run"])
    assert not ended.value.code
    assert "trainings with the tower unfrozen" in capsys.readouterr().out


def test_a_page_keeps_what_a_person_wrote(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    content = study(tmp_path)
    result = write_degradation(content, parts(), tmp_path / "results")
    page = tmp_path / "small.md"
    files = write_page(content, result, page, {"generic": 10})
    assert {path.name for path in files} >= {
        "small.md", "small.json", "small_degradation.svg", "small_transfer.svg",
        "small_conflict.svg",
    }  # fmt: skip
    text = page.read_text()
    assert "| raf\\_db, Accuracy | 80.0 [10.0, 90.0] | +20.0 [-4.8, +44.8] |" in text
    assert "raf\\_db with itself" in text
    assert "kind: degradation" in text
    page.write_text("# Mine\n\nWhat I think.\n\n" + text.partition("\n\n")[2])
    write_page(content, result, page, {"generic": 10})
    assert page.read_text() == "# Mine\n\nWhat I think.\n\n" + text.partition("\n\n")[2]
    page.write_text("# Another page\n")
    with pytest.raises(UserError, match="no marker for the study's tables"):
        write_page(content, result, page, {"generic": 10})


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("{preset: demo}", "{preset: dmo}", "unknown preset of model 'socialfusion' 'dmo'"),
        ("{preset: demo}", "{pres: demo}", "unknown option of model 'socialfusion' 'pres'"),
        ("seeds:", "training: {device: cpuu}\nseeds:", '"cpuu": auto, cpu, cuda, cuda:1 or mps'),
    ],
)
def test_a_name_that_means_nothing_is_refused_at_its_line(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    with pytest.raises(UserError, match=r"small\.yaml:[0-9]+:[0-9]+") as raised:
        study(tmp_path, STUDY.replace(old, new))
    assert message in str(raised.value)
