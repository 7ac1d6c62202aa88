"""What every tracker does: events of a run become numbers and facts of a log."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from pathlib import Path
from sys import stderr
from typing import TYPE_CHECKING, Protocol

import harness
from harness.events import BlockAnswered, RunFinished, RunStarted, TaskFinished
from harness.plugins import hookimpl
from harness.runs.record import EvaluationRecord, MetricValue

if TYPE_CHECKING:
    from harness_training.events import TrainingFinished, TrainingLogged, TrainingStarted

    Started = RunStarted | TrainingStarted

PROJECT = "social-harness"
"""Project or experiment of runs, where the library's own environment names none."""


class Log(Protocol):
    """One run in a library's log."""

    def numbers(self, values: Mapping[str, float], step: int) -> None:
        """Log numbers; the step is how many samples were answered."""
        ...

    def facts(self, facts: Mapping[str, str]) -> None:
        """Log what the run is, and what it left."""
        ...

    def close(self, *, finished: bool) -> None:
        """End the run."""
        ...


def name_of(event: Started) -> str:
    """Return the name of a run, or of a training with its recipe."""
    return event.model if isinstance(event, RunStarted) else f"{event.model}-{event.recipe}"


class LogTracker:
    """Receives events and writes each run or training into a log: numbers, no text of a sample.

    Args:
        open_log: Opens the log of a run or training.
    """

    def __init__(self, open_log: Callable[[Started], Log]) -> None:
        self._open = open_log
        self._log: Log | None = None
        self._answered: Counter[str] = Counter()
        self._not_finite: Counter[str] = Counter()

    @hookimpl
    def harness_run_started(self, event: RunStarted) -> None:
        """Open a log."""
        self._begin(event, {})

    @hookimpl
    def harness_training_started(self, event: TrainingStarted) -> None:
        """Open a log, with the settings among its facts."""
        settings = {name: str(value) for name, value in event.settings.items()}
        self._begin(event, {"recipe": event.recipe, **settings})

    def _begin(self, event: Started, facts: Mapping[str, str]) -> None:
        self.close()
        self._answered.clear()
        self._not_finite.clear()
        with redirect_stdout(stderr):
            self._log = self._open(event)
            self._log.facts({"model": event.model, "tasks": ", ".join(event.tasks), **facts})

    @hookimpl
    def harness_block_answered(self, event: BlockAnswered) -> None:
        """Log how far a task is."""
        samples, errors = f"{event.task}/answered", f"{event.task}/errors"
        self._answered.update({samples: event.samples, errors: event.errors})
        values = {name: float(self._answered[name]) for name in (samples, errors)}
        self._opened().numbers(values, self._step)

    @hookimpl
    def harness_task_finished(self, event: TaskFinished) -> None:
        """Log the values of an evaluation, with their intervals."""
        record = harness.read_evaluation(event.directory, details=False)
        with redirect_stdout(stderr):
            self._opened().numbers(numbers_of(record), self._step)
            self._opened().facts(facts_of(record))

    @hookimpl
    def harness_run_finished(self, event: RunFinished) -> None:
        """Name the run's manifest and close the log."""
        self._opened().facts({"manifest": Path(event.manifest).name})
        self._close(finished=True)

    @hookimpl
    def harness_training_logged(self, event: TrainingLogged) -> None:
        """Log the numbers of a step or an epoch; of those that a store cannot hold, how many."""
        values: dict[str, float] = {}
        for name, value in event.values.items():
            if math.isfinite(value):
                values[f"train/{name}"] = value
            else:
                self._not_finite[f"train/{name}/not_finite"] += 1
                values |= self._not_finite
        with redirect_stdout(stderr):
            self._opened().numbers(values, event.step)

    @hookimpl
    def harness_training_finished(self, event: TrainingFinished) -> None:
        """Name the training's folder and close the log."""
        self._opened().facts({"training": event.folder.name})
        self._close(finished=True)

    def close(self) -> None:
        """Close a log that no event closed: its run was broken off."""
        self._close(finished=False)

    @property
    def _step(self) -> int:
        return sum(count for name, count in self._answered.items() if name.endswith("/answered"))

    def _opened(self) -> Log:
        if self._log is None:
            raise RuntimeError("the log was not opened")
        return self._log

    def _close(self, *, finished: bool) -> None:
        log, self._log = self._log, None
        if log is not None:
            with redirect_stdout(stderr):
                log.close(finished=finished)


def numbers_of(record: EvaluationRecord) -> dict[str, float]:
    """Return values and interval ends by ``TASK/METRIC``, unscaled, and how many are undefined."""
    task = _task(record)
    values: dict[str, float] = {}
    for metric in record.metrics:
        if metric.value is None or _is_undefined(metric):
            continue
        name = f"{task}/{metric.id}"
        values[name] = metric.value
        if metric.interval is not None:
            values |= {f"{name}/low": metric.interval.low, f"{name}/high": metric.interval.high}
    values[f"{task}/samples"] = record.counts.samples
    values[f"{task}/errors"] = record.counts.errors
    values[f"{task}/undefined"] = sum(map(_is_undefined, record.metrics))
    return {name: float(value) for name, value in values.items() if math.isfinite(value)}


def facts_of(record: EvaluationRecord) -> dict[str, str]:
    """Return what tells an evaluation from others, and why metrics of it are undefined."""
    task = _task(record)
    facts = {"evaluation": record.directory.name, "marks": ", ".join(record.marks)}
    for metric in record.metrics:
        if _is_undefined(metric):
            facts[metric.id] = f"undefined: {metric.undefined or metric.value}"
    return {f"{task}/{name}": text for name, text in facts.items() if text}


def _is_undefined(metric: MetricValue) -> bool:
    return metric.value is None or not math.isfinite(metric.value)


def _task(record: EvaluationRecord) -> str:
    return f"{record.task}-{record.variant}".replace(" ", "-") if record.variant else record.task
