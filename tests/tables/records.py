"""Records without a run behind them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.descriptors import Json
from harness.runs.record import Counts, EvaluationRecord, MetricValue
from harness.stats.interval import Interval


def metric(
    value: float | None = 0.5, *, name: str = "accuracy", column: str = "Accuracy", **changes: Any
) -> MetricValue:
    interval = None
    if value is not None:
        interval = Interval(value - 0.1, value + 0.1, 0.95, "cluster bootstrap, percentile", 1000)
    fields: dict[str, Any] = {
        "direction": "higher",
        "scale": 100.0,
        "main": True,
        "interval": interval,
    }
    return MetricValue(id=name, column=column, value=value, **(fields | changes))


def record(
    model: str = "echo",
    task: str = "pisc_fine",
    *metrics: MetricValue,
    settings: Mapping[str, Json] | None = None,
    **changes: Any,
) -> EvaluationRecord:
    fields: dict[str, Any] = {
        "directory": Path("results") / model / task,
        "model_fingerprint": f"fingerprint of {model}",
        "model_options": {},
        "task_title": task.replace("_", " ").upper(),
        "task_version": 1,
        "task_fingerprint": f"fingerprint of {task}",
        "task_parts": {"prompt": "p", "sample ids": "s"},
        "task_options": {},
        "images": None,
        "marks": (),
        "counts": Counts(40, 40, 0, 0, 0, 20),
        "slices": (),
        "settings": settings or {},
        "fingerprint": f"{model} on {task}",
        "lineage": f"{model} on {task}",
    }
    return EvaluationRecord(
        model=model,
        task=task,
        metrics=metrics or (metric(),),
        **(fields | changes),
    )
