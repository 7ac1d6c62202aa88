"""Plugins and trackers hear of trainings: steps over epochs, numbers of epochs, who failed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from harness_trackers.tracker import LogTracker
from harness_training.events import Telling, TrainingFinished, TrainingStarted
from harness_training.run import NullTrainingReporter

from harness.api.tracking import tracked
from harness.descriptors import Json
from tests.plugins.trackers.test_trackers import Memory

from .test_train import flags, record, train


class Notes(NullTrainingReporter):
    def __init__(self) -> None:
        self.notes: list[str] = []

    def say(self, note: str) -> None:
        self.notes.append(note)


def begun(telling: Telling) -> None:
    """Tell of a training's first epoch, and of a step of the second."""
    settings = {"rate": 0.1, "parts": None}
    event = TrainingStarted("llava", "asd", ("scounter",), settings)
    telling.tell("harness_training_started", event)
    skew: Json = {"can't say": 0.25, "chef": None}
    telling.epoch(0, {"skew": skew})
    telling.step({"step": 1})
    telling.step({"step": 2, "loss": 0.5, "epoch": 0.4, "grad_norm": float("nan")})
    telling.step({"micro_batch": 2.0})
    telling.epoch(0, {"steps": 5, "loss": 0.4, "curve": [[5, 0.4]], "epoch": 0, "skew": skew})
    telling.step({"step": 1, "loss": 0.3})


def log_of(*finished: TrainingFinished, failing: str = "") -> tuple[Memory, list[str]]:
    """Return the log of a training, and what was said."""
    reporter, logs = Notes(), list[Memory]()

    def opened(event: Any) -> Memory:
        logs.append(Memory(event, failing))
        return logs[-1]

    with tracked({"memory": LogTracker(opened)}, reporter.say):
        telling = Telling(reporter)
        begun(telling)
        for event in finished:
            telling.tell("harness_training_finished", event)
    return logs[0], reporter.notes


def test_a_log_has_steps_over_all_epochs_and_the_numbers_of_epochs() -> None:
    log, notes = log_of(TrainingFinished(Path("trained") / "asd"))
    assert log.steps == [2, 5, 6]
    assert log.values == {
        "train/loss": 0.3,
        "train/epoch/number": 1,
        "train/epoch/steps": 5,
        "train/epoch/loss": 0.4,
        "train/epoch/skew/can_t say": 0.25,
        "train/grad_norm/not_finite": 1,
    }
    about = {"model": "llava", "tasks": "scounter", "recipe": "asd", "rate": "0.1"}
    assert log.known == {**about, "parts": "None", "training": "asd"}
    assert log.closed == [True]
    assert not notes


def test_a_training_that_is_broken_off_is_closed_as_such_and_a_fault_ends_nothing() -> None:
    log, notes = log_of(failing="numbers")
    assert log.closed == [False]
    first, last = notes
    assert "'memory' failed in harness_training_logged: OSError: no network" in first
    assert "tracker 'memory' missed 3 events" in last


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of what MLflow's own client does
def test_the_real_libraries_take_a_training_offline(
    built: Path, faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/ml.db")
    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", str(tmp_path / "events"))
    assert train(*flags(built, faces, "out", "--track", "wandb,mlflow,tensorboard")) == 0

    from mlflow.tracking import MlflowClient

    client = MlflowClient(tracking_uri=f"sqlite:///{tmp_path}/ml.db")
    experiment = client.get_experiment_by_name("social-harness")
    assert experiment is not None
    (run,) = client.search_runs([experiment.experiment_id])
    assert (run.info.run_name, run.info.status) == ("socialfusion-ft", "FINISHED")
    epoch = record(tmp_path / "out")["epochs"][-1]
    assert run.data.metrics["train/epoch/loss"] == pytest.approx(epoch["loss"])
    (folder,) = (tmp_path / "events").iterdir()
    assert "finished: true" in (folder / "run.txt").read_text()
    assert len([*(tmp_path / "wandb").glob("offline-run-*/*.wandb")]) == 1
