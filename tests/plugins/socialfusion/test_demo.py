"""The shipped model on the drawn world: through the whole harness, equal at any batch size."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import harness
from harness.runs import EvaluationRecord
from harness.runs.seal import SEALED

pytestmark = pytest.mark.torch
TASKS = ("hagridv2", "pisc_fine", "gazefollow", "raf_db", "jrdb_social")


@pytest.fixture(autouse=True)
def _quiet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("HARNESS_PROFILE", "HARNESS_RESULTS"):
        monkeypatch.delenv(name, raising=False)


def answers(record: EvaluationRecord) -> list[dict[str, Any]]:
    lines = (record.directory / "samples.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def test_it_beats_chance_and_majority_with_intervals_apart(tmp_path: Path) -> None:
    model = harness.run("socialfusion", "social_all", results=tmp_path, limit=80)
    plain = harness.run("majority", "social_all", results=tmp_path, limit=80)
    assert tuple(record.task for record in model.records) == TASKS
    for ours, theirs in zip(model.records, plain.records, strict=True):
        assert {"demo", "limited"} <= set(ours.marks)
        assert ours.counts.errors == ours.counts.unparsed == 0
        interval, there = ours.main.interval, theirs.main.interval
        assert interval is not None
        assert there is not None
        if ours.main.direction == "lower":
            assert interval.high < there.low
        else:
            assert interval.low > there.high


@pytest.mark.parametrize("task", ["gazefollow", "raf_db"])
def test_any_batch_size_gives_the_same_answers(tmp_path: Path, task: str) -> None:
    item, many = (
        harness.run("socialfusion", task, results=tmp_path / str(size), limit=40, batch_size=size)
        for size in (1, 32)
    )
    for left, right in zip(answers(item.records[0]), answers(many.records[0]), strict=True):
        assert left["answer"] == right["answer"]
        assert left.get("text") == right.get("text")
        assert left.get("scores") == pytest.approx(right.get("scores"), abs=1e-4)


def test_deterministic_records_are_byte_equal_at_any_batch_size(tmp_path: Path) -> None:
    directories = [
        harness.run(
            "socialfusion",
            "raf_db",
            results=tmp_path / str(size),
            limit=40,
            batch_size=size,
            deterministic=True,
        )
        .records[0]
        .directory
        for size in (1, 32)
    ]
    for name in SEALED:
        assert (directories[0] / name).read_bytes() == (directories[1] / name).read_bytes()
