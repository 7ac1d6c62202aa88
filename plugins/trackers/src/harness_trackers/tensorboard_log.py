"""Runs as event files of TensorBoard, in TENSORBOARD_LOGGING_DIR or `tensorboard/`."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from harness_trackers.tracker import LogTracker, name_of

if TYPE_CHECKING:
    from harness_trackers.tracker import Started


class TensorboardLog:
    """One folder of event files, each run in its own."""

    def __init__(self, event: Started) -> None:
        from tensorboard.summary import Writer

        parent = Path(os.environ.get("TENSORBOARD_LOGGING_DIR") or "tensorboard")
        stamp = datetime.now().astimezone().strftime("%Y%m%d-%H%M%S")
        self._folder = parent / f"{name_of(event)}-{stamp}-{uuid4().hex[:6]}"
        self._folder.mkdir(parents=True)
        self._writer: Any = Writer(str(self._folder))
        self._facts: dict[str, str] = {}

    def numbers(self, values: Mapping[str, float], step: int) -> None:
        """Add scalars."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def facts(self, facts: Mapping[str, str]) -> None:
        """Keep facts for a text file beside the events."""
        self._facts |= facts

    def close(self, *, finished: bool) -> None:
        """Write what the run is and close the files."""
        facts = {**self._facts, "finished": str(finished).lower()}
        lines = "".join(f"{name}: {text}\n" for name, text in facts.items())
        (self._folder / "run.txt").write_text(lines, encoding="utf-8")
        self._writer.close()


def make() -> LogTracker:
    """Return the tracker."""
    return LogTracker(TensorboardLog)
