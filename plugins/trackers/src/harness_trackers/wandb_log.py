"""Runs in Weights & Biases, which its own variables configure: WANDB_MODE, WANDB_PROJECT, ..."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from harness.events import RunStarted

from harness_trackers.tracker import PROJECT, LogTracker, name_of

if TYPE_CHECKING:
    from harness_trackers.tracker import Started


class WandbLog:
    """One run; neither its console nor its code is sent."""

    def __init__(self, event: Started) -> None:
        import wandb

        settings = wandb.Settings(console="off", silent=True, save_code=False, disable_git=True)
        self._run: Any = wandb.init(
            project=os.environ.get("WANDB_PROJECT", PROJECT),
            name=name_of(event),
            job_type="evaluation" if isinstance(event, RunStarted) else "training",
            reinit="create_new",
            settings=settings,
        )

    def numbers(self, values: Mapping[str, float], step: int) -> None:
        """Log numbers."""
        self._run.log({**values, "answered": step}, step=step)

    def facts(self, facts: Mapping[str, str]) -> None:
        """Put facts into the run's config."""
        self._run.config.update(dict(facts), allow_val_change=True)

    def close(self, *, finished: bool) -> None:
        """End the run."""
        self._run.finish(exit_code=0 if finished else 1)


def make() -> LogTracker:
    """Return the tracker."""
    return LogTracker(WandbLog)
