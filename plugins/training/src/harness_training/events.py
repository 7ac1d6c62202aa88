"""Life-cycle events of a training, and the hooks by which trackers hear them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from harness.descriptors import Json
from harness.plugins import plugins

from harness_training.run import TrainingReporter

_NOT_IN_NAMES = re.compile(r"[^\w\-. :/]")
"""Characters that a store may refuse in the name of a number; a recipe's keys are answers, too."""


@dataclass(frozen=True, slots=True)
class TrainingStarted:
    """A training begins; ``settings`` are those that ``train.json`` records."""

    model: str
    recipe: str
    tasks: tuple[str, ...]
    settings: Mapping[str, Json]


@dataclass(frozen=True, slots=True)
class TrainingLogged:
    """Numbers after ``step`` steps of the whole training: of a step, or ``epoch/NAME``."""

    step: int
    values: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class TrainingFinished:
    """The weights and the record are in the folder."""

    folder: Path


class HearsTrainings(Protocol):
    """A tracker that also receives events of trainings, by hooks marked ``hookimpl``."""

    def harness_training_started(self, event: TrainingStarted) -> None:
        """Called when a training starts; no weight is loaded yet."""
        ...

    def harness_training_logged(self, event: TrainingLogged) -> None:
        """Called with the numbers of a step or an epoch."""
        ...

    def harness_training_finished(self, event: TrainingFinished) -> None:
        """Called when the weights are in place."""
        ...


class Telling:
    """Passes events on to a reporter, and their numbers to trackers.

    Args:
        reporter: Receives all events, and which trackers failed at one.
    """

    def __init__(self, reporter: TrainingReporter) -> None:
        self._reporter = reporter
        self._before = 0

    def tell(self, hook: str, event: object) -> None:
        """Tell trackers of an event."""
        if problem := plugins().notify(hook, event):
            self.say(problem)

    def step(self, figures: Mapping[str, float]) -> None:
        """Receive a step; the trainer's log has numbers of some of them."""
        self._reporter.step(figures)
        values = {name: float(value) for name, value in figures.items() if name not in _COUNTS}
        if values and "step" in figures:
            self._log(int(figures["step"]), values)

    def epoch(self, number: int, figures: Mapping[str, Json]) -> None:
        """Receive what an epoch will see, or its numbers when it has ended."""
        self._reporter.epoch(number, figures)
        if isinstance(steps := figures.get("steps"), int):
            self._log(steps, {**dict(_numbers("epoch", figures)), "epoch/number": number + 1})
            self._before += steps

    def say(self, note: str) -> None:
        """Pass on a note."""
        self._reporter.say(note)

    def _log(self, step: int, values: Mapping[str, float]) -> None:
        self.tell("harness_training_logged", TrainingLogged(self._before + step, values))


_COUNTS = {"epoch", "step"}  # Trainer's epoch is the share of the one epoch that it knows


def _numbers(name: str, value: Any) -> Iterator[tuple[str, float]]:
    """Yield the numbers of a record by their path; a curve was reported step by step."""
    if isinstance(value, Mapping):
        for key, below in value.items():
            if key not in {"curve", "epoch"}:
                yield from _numbers(f"{name}/{_NOT_IN_NAMES.sub('_', str(key))}", below)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield name, float(value)
