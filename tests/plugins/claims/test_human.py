"""The human row against a slow count on a run, and its coverage over simulated annotators."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from harness_claims.human import LeftOut, annotators_of, human_row, left_out
from harness_claims.human_command import human
from harness_claims.rescore import rescore
from harness_claims.rescore_command import rescore as rescore_command

import harness
from harness.errors import UserError
from harness.metrics import ScoredSample
from harness.runs import read_evaluation
from harness.runs.record import EvaluationRecord
from harness.runs.sample_record import read_samples
from harness.specs import ChooseSpec, DataSpec, MetricSpec, PromptSpec, TaskSpec


@pytest.fixture
def gaze(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> EvaluationRecord:
    """Random points for people of the demo world, each of whom ten annotators looked at."""
    monkeypatch.chdir(tmp_path)
    harness.run("random", "gazefollow", profile="demo", limit=20, results="results")
    return read_evaluation(next(Path("results").rglob("seal.json")).parent)


def test_each_annotator_is_scored_against_the_rest_by_the_tasks_metric(
    gaze: EvaluationRecord,
) -> None:
    distances, models = [], []
    for line in read_samples(gaze.directory):
        target: Any = line.target
        points = [one for one in target if one != [-1, -1]]
        for place, point in enumerate(points):
            rest = np.mean([one for at, one in enumerate(points) if at != place], axis=0)
            distances.append(math.dist(point, rest))
            models.append(math.dist(line.answer, rest))  # type: ignore[arg-type]
    row = human_row(gaze)
    assert row.metric.value == pytest.approx(np.mean(distances))
    assert row.model_value == pytest.approx(np.mean(models))
    assert row.paired.difference == pytest.approx(np.mean(models) - np.mean(distances))
    assert row.share == pytest.approx(np.mean(distances) / np.mean(models))
    assert 0.9 < row.alpha <= 1
    found = CliRunner().invoke(human, ["results", "--tasks", "gazefollow"], catch_exceptions=False)
    assert "human (leave one out)" in found.stdout
    assert "share of the human ceiling" in found.stdout
    answer = json.loads(CliRunner().invoke(human, ["results", "--json"]).stdout)
    assert answer[0]["samples"] == row.samples


def test_a_task_of_one_answer_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    one = ScoredSample("s", "c", "happy", "happy")
    assert annotators_of(one) == []
    assert annotators_of(ScoredSample("s", "c", [[0.1, 0.2], [-1, -1]], None)) == [[0.1, 0.2]]
    assert left_out(task(), [one]).alone == 1
    with pytest.raises(UserError):
        CliRunner().invoke(human, ["nowhere"], catch_exceptions=False)


def task() -> TaskSpec:
    """Return a task of ten people's answers."""
    metric = MetricSpec("vqa_accuracy", "Acc", "higher", 100.0, main=True, options={})
    return TaskSpec(
        id="x", version=1, title="", summary="", citation="", licence="", intended_use="",
        data=DataSpec("", "", "", None, {}, ""), prompt=PromptSpec(""),
        ask=ChooseSpec(("yes", "no")), answer="", metrics=(metric,), unit="image",
    )  # fmt: skip


def simulated(random: np.random.Generator, images: int) -> LeftOut:
    """Return annotators of whom a share that varies over images says yes, two questions each."""
    samples = []
    for image in range(images):
        share = random.beta(2, 1)
        for question in range(2):
            answers = ["yes" if one else "no" for one in random.random(5) < share]
            samples.append(ScoredSample(f"{image}-{question}", str(image), list(answers), "yes"))
    return left_out(task(), samples)


@pytest.mark.slow
def test_intervals_hold_the_populations_human_number() -> None:
    truth = simulated(np.random.default_rng(0), 20_000).value(0).value
    assert truth is not None
    hits, trials = 0, 300
    for trial in range(trials):
        interval = simulated(np.random.default_rng(trial + 1), 80).value(trial).interval
        assert interval is not None
        hits += interval.low <= truth <= interval.high
    assert 0.92 <= hits / trials <= 0.98


def test_answers_are_read_again_with_other_metrics(gaze: EvaluationRecord) -> None:
    found = rescore(gaze, ["l2_avg", "l2_min"])
    mine = {one.id: one.value for one in gaze.metrics}
    assert found.metrics[0].value == mine["l2_avg"]
    assert found.metrics[0].interval == gaze.main.interval
    again = ["results", "--metrics", "accuracy", "--metric-option", "share=1"]
    with pytest.raises(UserError, match="none of the metrics has an option 'share'"):
        CliRunner().invoke(rescore_command, again, catch_exceptions=False)
    shown = CliRunner().invoke(rescore_command, ["results", "--metrics", "l2_min"])
    assert "GazeFollow" in shown.stdout
    with pytest.raises(UserError, match="labels of a choice"):
        CliRunner().invoke(
            rescore_command, ["results", "--metrics", "brier"], catch_exceptions=False
        )
