"""Reports a training's progress to log files, with at most one line per minute."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from harness.descriptors import Json
from harness.progress import EachMinute


class EachMinuteSteps:
    """Says at most once a minute how far a training is.

    Args:
        say: Takes a line.
        name: Name of the training.
        steps: Steps of the whole training.
    """

    def __init__(self, say: Callable[[str], None], name: str, steps: int) -> None:
        self._say = say
        self._new = partial(EachMinute, say, name, steps, "steps")
        self._before = 0
        self._lines: EachMinute | None = None
        self._begins = self._new()  # the first step may be long in coming

    def step(self, figures: Mapping[str, float]) -> None:
        """Count a step."""
        if "step" not in figures:
            return
        done = self._before + int(figures["step"])
        if self._lines is None:
            self._lines = self._new(done=done)  # what was done before tells nothing of the speed
        loss = figures.get("loss")
        self._lines.reach(done, "" if loss is None else f"loss {loss:.3f}")

    def epoch(self, number: int, figures: Mapping[str, Json]) -> None:
        """Count an epoch's steps."""
        del number
        if isinstance(steps := figures.get("steps"), int):
            self._before += steps

    def say(self, note: str) -> None:
        """Say a note at once."""
        self._say(note)
