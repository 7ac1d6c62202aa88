"""The human row against a slow count on a run, and its coverage over simulated annotators."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from harness_claims.annotators import answers_of
from harness_claims.annotators import left_out as each_left_out
from harness_claims.human import LeftOut, human_row, left_out
from harness_claims.human_command import human
from harness_claims.rescore import rescore
from harness_claims.rescore_command import rescore as rescore_command

import harness
from harness.errors import DataError, UserError
from harness.metrics import ScoredSample
from harness.runs import read_evaluation
from harness.runs.record import EvaluationRecord
from harness.runs.sample_record import read_samples
from harness.specs import ChooseSpec, DataSpec, MetricSpec, PromptSpec, TaskSpec
from harness.specs.resolve import read_resolved


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
        points = [item for item in target if item != [-1, -1]]
        for index, point in enumerate(points):
            remainder = np.mean([item for at, item in enumerate(points) if at != index], axis=0)
            distances.append(math.dist(point, remainder))
            models.append(math.dist(line.answer, remainder))  # type: ignore[arg-type]
    row = human_row(gaze)
    assert row.metric.value == pytest.approx(np.mean(distances))
    assert row.model_value == pytest.approx(np.mean(models))
    assert row.paired.difference == pytest.approx(np.mean(models) - np.mean(distances))
    assert row.share == pytest.approx(np.mean(distances) / np.mean(models))
    assert 0.9 < row.alpha <= 1
    code = CliRunner().invoke(human, ["results", "--tasks", "gazefollow"], catch_exceptions=False)
    assert "human (leave one out)" in code.stdout
    assert "share of the human ceiling" in code.stdout
    answer = json.loads(CliRunner().invoke(human, ["results", "--json"]).stdout)
    assert answer[0]["samples"] == row.samples


def test_a_task_of_one_answer_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    item = ScoredSample("s", "c", "happy", "happy")
    assert answers_of("happy", {}, ("happy",)) == []
    assert answers_of([[0.1, 0.2], [-1, -1]], {}, ()) == [[0.1, 0.2]]
    assert each_left_out([[0.1, 0.2]], [[0.1, 0.2]]) == []
    assert left_out(task(), [item]).alone == 1
    with pytest.raises(UserError):
        CliRunner().invoke(human, ["nowhere"], catch_exceptions=False)


def test_of_votes_the_others_choose_and_a_tie_keeps_the_releases_label() -> None:
    labels = ("calm", "glad", "sad")
    answers = answers_of("glad", {"votes": [0, 2.0, 2]}, labels)
    assert answers == ["glad", "glad", "sad", "sad"]
    assert each_left_out("glad", answers) == [("glad", "sad", 2), ("sad", "glad", 2)]
    even = answers_of("sad", {"votes": {"calm": 1, "glad": 1, "sad": 1}}, labels)
    assert each_left_out("sad", even) == [
        ("calm", "sad", 1), ("glad", "sad", 1), ("sad", "calm", 1),
    ]  # fmt: skip
    wrong: list[Any] = [[0.5, 0.5, 0], [1, 2], {"glad": -1}]
    for votes in wrong:
        with pytest.raises(DataError):
            answers_of("glad", {"votes": votes}, labels)


def test_the_human_row_stands_in_the_table_and_is_compared_with_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Votes and lists; by a slow count, in the table's row, its share and a paired test."""
    monkeypatch.chdir(tmp_path)
    options: Any = {"profile": "demo", "limit": 40, "results": "results"}
    tasks = ["vqav2", "fer_plus"]
    with pytest.raises(UserError, match="answers of two annotators"):
        harness.run("human", "raf_db", **options)
    people = harness.run("human", tasks, **options)
    model = harness.run("majority", tasks, **options)
    vqa, faces = people.records
    assert faces.title == "human (leave one out), limit=40"
    assert "human" in faces.marks
    hits, times = 0, 0
    for line in read_samples(faces.directory):
        votes: Any = line.fields["votes"]
        labels = read_resolved(faces.directory).labels
        for index, count in enumerate(votes):
            others = [number - (at == index) for at, number in enumerate(votes)]
            first = max(range(len(votes)), key=lambda at: (others[at], labels[at] == line.target))
            hits, times = hits + int(count) * (first == index), times + int(count)
    assert faces.main.value == pytest.approx(hits / times)
    assert vqa.main.value == human_row(model.records[0]).metric.value
    assert {line.score for line in read_samples(vqa.directory)} > {1.0}
    assert sum(item.n for item in vqa.slices if item.slice == "answer_type") == vqa.counts.scored
    table = harness.leaderboard("results", human_share=True)
    row = next(row for row in table.rows if row.model == "human (leave one out), limit=40")
    assert not any(cell.rank for cell in row.cells if cell is not None)
    assert [column.label for column in table.columns] == ["Acc", "of human", "Accuracy", "of human"]
    share = next(row for row in table.rows if row.model == "majority, limit=40").cells[1]
    assert share is not None
    values = model.records[0].main.value, vqa.main.value
    assert share.value == pytest.approx(100 * values[0] / values[1])  # type: ignore[operator]
    compared: Any = harness.compare(people.manifest, model.manifest)
    assert compared[0].main.first == vqa.main.value
    paired = human_row(model.records[0]).paired
    assert compared[0].main.paired.difference == pytest.approx(paired.difference)
    assert compared[0].samples == vqa.counts.scored
    with pytest.raises(UserError, match="cannot change recorded answers of annotators"):
        harness.run("human", "vqav2", method="prompt_debias", **options)


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
            answers = ["yes" if item else "no" for item in random.random(5) < share]
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


def test_what_has_no_skew_says_why_when_answers_are_read_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    class Always:
        id = "always"
        identity: Any = {"name": "always"}

        def answer(self, requests: Any) -> list[str]:
            return ["yes" for _ in requests]

    harness.run(Always(), "scounter", profile="demo", limit=24, results="results")
    for options, note in (
        ([], "concepts whose answers are all tied, which rank nobody: "),
        (["--metric-option", "attributes=shoes"], "attributes that no image has a value of: 1"),
    ):
        words = ["results", "--metrics", "auc_gap", *options]
        stdout = CliRunner().invoke(rescore_command, words, catch_exceptions=False).stdout
        assert "undefined" in stdout
        assert f"always, limit=24, SCounter: {note}" in stdout


def test_answers_are_read_again_with_other_metrics(gaze: EvaluationRecord) -> None:
    result = rescore(gaze, ["l2_avg", "l2_min"])
    mine = {metric.id: metric.value for metric in gaze.metrics}
    assert result.metrics[0].value == mine["l2_avg"]
    assert result.metrics[0].interval == gaze.main.interval
    again = ["results", "--metrics", "accuracy", "--metric-option", "share=1"]
    with pytest.raises(UserError, match="none of the metrics has an option 'share'"):
        CliRunner().invoke(rescore_command, again, catch_exceptions=False)
    code = CliRunner().invoke(rescore_command, ["results", "--metrics", "l2_min"])
    assert "GazeFollow" in code.stdout
    with pytest.raises(UserError, match="labels of a choice"):
        CliRunner().invoke(
            rescore_command, ["results", "--metrics", "brier"], catch_exceptions=False
        )
