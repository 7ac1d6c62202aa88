"""Runs in MLflow: where MLFLOW_TRACKING_URI says, else in `mlflow.db` of the working folder."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from harness_trackers.tracker import PROJECT, LogTracker, name_of

if TYPE_CHECKING:
    from harness_trackers.tracker import Started

_STORE = "sqlite:///mlflow.db"
_MOST = 500  # characters of a tag that every store takes


class MlflowLog:
    """One run of an experiment."""

    def __init__(self, event: Started) -> None:
        from mlflow.tracking import MlflowClient

        uri = os.environ.get("MLFLOW_TRACKING_URI") or _STORE
        name = os.environ.get("MLFLOW_EXPERIMENT_NAME") or PROJECT
        self._client: Any = MlflowClient(tracking_uri=uri)
        experiment = self._client.get_experiment_by_name(name)
        about = experiment.experiment_id if experiment else self._client.create_experiment(name)
        self._run: str = self._client.create_run(about, run_name=name_of(event)).info.run_id

    def numbers(self, values: Mapping[str, float], step: int) -> None:
        """Log numbers in one call."""
        from mlflow.entities import Metric

        now = int(datetime.now(UTC).timestamp() * 1000)  # when, not how long
        metrics = [Metric(name, value, now, step) for name, value in values.items()]
        self._client.log_batch(self._run, metrics=metrics)

    def facts(self, facts: Mapping[str, str]) -> None:
        """Set tags."""
        for name, text in facts.items():
            self._client.set_tag(self._run, name, text[:_MOST])

    def close(self, *, finished: bool) -> None:
        """End the run."""
        self._client.set_terminated(self._run, "FINISHED" if finished else "FAILED")


def make() -> LogTracker:
    """Return the tracker."""
    return LogTracker(MlflowLog)
