"""Trackers hear of runs through event hooks: what they log, and that their faults cost no run."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from harness_trackers.tracker import LogTracker, facts_of, numbers_of
from harness_training.events import TrainingLogged, TrainingStarted

import harness
from harness.api.runs import NullReporter
from harness.api.tracking import find_trackers
from harness.cli.main import invoke, main
from harness.errors import PluginError
from harness.evaluation.run import RunResult
from harness.plugins import hookimpl
from tests.tables.records import metric, record


class Memory:
    """A log that keeps what it is told, or fails when it is."""

    def __init__(self, _event: Any, failing: str = "") -> None:
        self.values: dict[str, float] = {}
        self.known: dict[str, str] = {}
        self.steps: list[int] = []
        self.closed: list[bool] = []
        self.failing = failing

    def numbers(self, values: Mapping[str, float], step: int) -> None:
        if self.failing == "numbers":
            raise OSError("no network")
        self.values |= values
        self.steps.append(step)

    def facts(self, facts: Mapping[str, str]) -> None:
        self.known |= facts

    def close(self, *, finished: bool) -> None:
        self.closed.append(finished)


class Notes(NullReporter):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def say(self, note: str) -> None:
        self.notes.append(note)


def run(tmp_path: Path, trackers: Any, reporter: Any = None, **more: Any) -> RunResult:
    plan = harness.plan(
        "random", "raf_db", results=tmp_path, profile="demo", **{"limit": 70, **more}
    )
    return replace(plan, trackers=trackers).run(reporter)


def test_a_log_has_progress_values_and_what_was_evaluated(tmp_path: Path) -> None:
    logs: list[Memory] = []

    def opened(event: Any) -> Memory:
        logs.append(Memory(event))
        return logs[-1]

    result = run(tmp_path, {"memory": LogTracker(opened)})
    (log,) = logs
    assert log.closed == [True]
    assert log.steps == [64, 70, 70]
    assert log.values["raf_db/answered"] == log.values["raf_db/samples"] == 70
    metric = result.metrics["raf_db"]["accuracy"]
    assert log.values["raf_db/accuracy"] == metric.value
    assert metric.interval is not None
    assert log.values["raf_db/accuracy/low"] == metric.interval.low
    assert log.known["model"] == "random"
    assert log.known["raf_db/evaluation"] == result.records[0].directory.name
    assert "demo" in log.known["raf_db/marks"]


def test_a_tracker_that_fails_is_said_and_counted_and_the_run_goes_on(tmp_path: Path) -> None:
    def fails(event: Any) -> Memory:
        raise OSError("no network")

    reporter = Notes()
    trackers = {
        "never": LogTracker(fails),
        "mute": LogTracker(lambda event: Memory(event, failing="numbers")),
    }
    assert run(tmp_path, trackers, reporter).records
    notes = "\n".join(reporter.notes)
    assert "tracker 'never' failed in harness_run_started: OSError: no network" in notes
    assert "tracker 'never' missed 5 events of this run" in notes
    assert "tracker 'mute' missed 3 events of this run" in notes
    again = Notes()
    run(tmp_path, {"never": LogTracker(fails)}, again)
    assert "missed 3 events" in "\n".join(again.notes)  # of a run that had nothing to answer


def test_a_run_that_is_broken_off_is_closed_as_such(tmp_path: Path) -> None:
    logs: list[Memory] = []

    def opened(event: Any) -> Memory:
        logs.append(Memory(event))
        return logs[-1]

    class Stops(NullReporter):
        def task(self, job: Any) -> None:  # noqa: ARG002
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, {"memory": LogTracker(opened)}, Stops(), limit=2)
    assert logs[0].closed == [False]


def test_a_tracker_that_is_not_there_is_refused_before_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    command = ["run", "--model", "random", "--tasks", "raf_db", "--results", str(tmp_path)]
    assert invoke(main, [*command, "--track", "wanb"]) == 2
    assert "did you mean 'wandb'" in capsys.readouterr().err
    real = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name, *positional: None if name == "mlflow" else real(name, *positional),
    )
    assert invoke(main, [*command, "--track", "tensorboard,mlflow"]) == 2
    assert "pip install 'social-harness-trackers[mlflow]'" in capsys.readouterr().err
    assert not [*tmp_path.rglob("evaluation.json")]


def test_undefined_numbers_are_counted_and_their_reasons_are_facts() -> None:
    without = metric(None, name="auc", column="AUC", undefined="one class alone")
    strange = metric(float("nan"), name="odd", column="Odd", interval=None)
    messages = record("echo", "raf_db", metric(0.25), without, strange)
    values, facts = numbers_of(messages), facts_of(messages)
    assert values["raf_db/undefined"] == 2
    assert values["raf_db/accuracy"] == 0.25
    assert not {"raf_db/auc", "raf_db/odd"} & values.keys()
    assert facts["raf_db/auc"] == "undefined: one class alone"
    assert facts["raf_db/odd"] == "undefined: nan"
    assert numbers_of(record("echo", "raf_db"))["raf_db/undefined"] == 0


def test_losses_that_are_no_numbers_are_counted_by_step() -> None:
    logs: list[Memory] = []

    def opened(event: Any) -> Memory:
        logs.append(Memory(event))
        return logs[-1]

    tracker = LogTracker(opened)
    tracker.harness_training_started(TrainingStarted("llava", "ft", ("raf_db",), {}))
    for step, loss in enumerate([0.5, float("nan"), float("inf"), 0.25], 1):
        values = {"loss": loss, "rate": 0.1}
        tracker.harness_training_logged(TrainingLogged(step, values))
    (log,) = logs
    assert log.values == {"train/loss": 0.25, "train/rate": 0.1, "train/loss/not_finite": 2}
    assert log.steps == [1, 2, 3, 4]


class Hears:
    @hookimpl
    def harness_run_finished(self, event: Any) -> None: ...


class Unmarked:
    def harness_run_finished(self, event: Any) -> None: ...

    def close(self) -> None: ...


class Misspelt:
    @hookimpl
    def harness_run_finishd(self, event: Any) -> None: ...

    def close(self) -> None: ...


class Closes:
    def close(self) -> None: ...


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: None, "returned None from make, not a tracker with a method close"),
        (Hears, "not a tracker with a method close"),
        (Unmarked, "hear nothing of a run: its harness_run_finished is no event or lacks hookimpl"),
        (Misspelt, "its harness_run_finishd is no event"),
        (Closes, "would hear nothing of a run: it has no hook"),
        (lambda: 1 / 0, "raised in make: ZeroDivisionError"),
    ],
)
def test_a_tracker_that_would_hear_nothing_is_refused_before_the_run(
    make: Any, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("harness.api.tracking.load_target", lambda _: make)
    with pytest.raises(PluginError, match=message):
        find_trackers("tensorboard")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of what MLflow's own client does
def test_the_real_libraries_take_a_run_offline(tmp_path: Path) -> None:
    environment = {
        **os.environ, "WANDB_MODE": "offline", "MLFLOW_TRACKING_URI": f"sqlite:///{tmp_path}/ml.db",
        "TENSORBOARD_LOGGING_DIR": str(tmp_path / "events"), "WANDB_DIR": str(tmp_path),
    }  # fmt: skip
    done = subprocess.run(
        [sys.executable, "-m", "harness", "run", "--model", "random,null", "--tasks", "raf_db",
         "--limit", "5", "--track", "wandb,mlflow,tensorboard", "--json"],
        env=environment, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("{")  # no library printed between
    assert "missed" not in done.stderr
    value = harness.leaderboard(tmp_path / "results", tasks="raf_db").rows[0].cells[0]
    assert value is not None
    assert value.value is not None

    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=environment["MLFLOW_TRACKING_URI"])
    experiment = client.get_experiment_by_name("social-harness")
    assert experiment is not None
    runs = client.search_runs([experiment.experiment_id])
    assert {run.info.run_name: run.info.status for run in runs} == {
        "random": "FINISHED", "null": "FINISHED",
    }  # fmt: skip
    by_name = {run.info.run_name: run.data for run in runs}
    model = harness.leaderboard(tmp_path / "results", tasks="raf_db").rows[0].model
    assert by_name[model].metrics["raf_db/accuracy"] == pytest.approx(value.value / 100)

    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    folders = sorted((tmp_path / "events").iterdir())
    assert [folder.name.partition("-")[0] for folder in folders] == ["null", "random"]
    for folder in folders:
        events = EventAccumulator(str(folder)).Reload()
        assert "raf_db/accuracy" in events.Tags()["tensors"] + events.Tags()["scalars"]
        assert "finished: true" in (folder / "run.txt").read_text()
    assert len([*(tmp_path / "wandb").glob("offline-run-*/*.wandb")]) == 2
