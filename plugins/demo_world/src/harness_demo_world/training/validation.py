"""Figures of a trained model on a world that nothing else uses, through the harness itself."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import harness

from harness_demo_world.associations import WORLDS
from harness_demo_world.source import SEED_VARIABLE
from harness_demo_world.training.schedule import portion

VALIDATION_WORLD = 9
TASKS = "papers_all"
_LIMIT = 504

Figures = dict[str, dict[str, float | None]]


def validate(model: str, weights: Path, seed: int, share: float) -> Figures:
    """Return each task's metrics of a saved model on the validation world.

    The test split of the demo's own world is never asked here.
    """
    before = os.environ.get(SEED_VARIABLE)
    os.environ[SEED_VARIABLE] = str(seed + VALIDATION_WORLD * WORLDS)
    try:
        with tempfile.TemporaryDirectory() as results:
            finished = harness.run(
                model,
                TASKS,
                options={"path": str(weights)},
                profile="demo",
                results=Path(results),
                limit=portion(_LIMIT, share),
            )
    finally:
        if before is None:
            del os.environ[SEED_VARIABLE]
        else:
            os.environ[SEED_VARIABLE] = before
    return {
        record.task: {metric.column: metric.value for metric in record.metrics}
        for record in finished.records
    }
