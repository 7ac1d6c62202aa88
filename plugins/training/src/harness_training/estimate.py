"""Estimates how long a training will take, from an earlier one like it. Loads no weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.descriptors import Json
from harness.errors import UserError
from harness.jsonfiles import read_object

from harness_training.parts import LoraSettings
from harness_training.plan import TrainingPlan
from harness_training.run import RECORD

_ALIKE = ("device", "precision", "micro_batch", "checkpointing", "shard")


@dataclass(frozen=True, slots=True)
class Estimate:
    """What an earlier training says of one that is planned.

    Attributes:
        folder: The earlier one.
        sizes: Its :func:`harness_training.run.sizes`.
        seconds: That are left of the planned one, without loading and validation.
    """

    folder: Path
    sizes: Mapping[str, int]
    seconds: float


def estimate(plan: TrainingPlan, out: Path) -> Estimate | None:
    """Return what the newest training like a plan tells, or ``None`` where there is none.

    It is looked for beside the plan's folder and among the results' trainings. It trained the same
    parts of the same model on the same kind of device; what measuring takes is known from one by
    the same recipe alone.

    Args:
        plan: The training to come.
        out: Its folder; epochs that are done there take no time.
    """
    done = sum((path / "end").is_dir() for path in out.glob("epoch-*"))
    epochs = max(0, plan.settings.epochs - done)
    for path in _records(plan, out):
        try:
            record = read_object(path)
            if not _alike(record, plan):
                continue
            each = _seconds_a_sample(record, measured=record["recipe"]["id"] == plan.recipe.id)
            sizes = {name: int(record["parameters"][name]) for name in ("all", "trained", "bytes")}
        except (UserError, ValueError, LookupError, TypeError, AttributeError, ArithmeticError):
            continue  # damaged, or of a version that kept less
        return Estimate(path.parent, sizes, each * epochs * len(plan.pool.examples))
    return None


def _records(plan: TrainingPlan, out: Path) -> Iterator[Path]:
    """Yield the records of finished trainings, the newest first."""
    places = {out.resolve().parent, (plan.tasks[0].settings.results / "trainings").resolve()}
    paths = [path for place in places for path in place.glob(f"*/{RECORD}")]
    yield from sorted(paths, key=lambda path: (path.stat().st_mtime, path), reverse=True)


def _alike(record: Mapping[str, Any], plan: TrainingPlan) -> bool:
    settings = plan.settings.about()
    return (
        _lineage(record["model"]) == _lineage(plan.about["model"])
        and record["parts"] == plan.parts
        and (
            record["recipe"]["id"] == plan.recipe.id
            or not (plan.chooses_weights or record["trained"].get("frozen"))
        )
        and LoraSettings(**record["lora"]) == plan.lora
        and record.get("processes") == plan.about.get("processes")
        and all(record["settings"].get(name) == settings.get(name) for name in _ALIKE)
    )


def _lineage(model: Json) -> Json:
    """Return what a model is but for its plugin's code, which does not make it slower."""
    return model.get("lineage", model.get("fingerprint")) if isinstance(model, dict) else None


def _seconds_a_sample(record: Mapping[str, Any], *, measured: bool) -> float:
    """Return seconds for each sample of the pool and epoch; a recipe may show fewer or more."""
    epochs = record["epochs"]
    samples = sum(epoch["samples"] for epoch in epochs)
    seconds = sum(epoch["training_seconds"] for epoch in epochs) / samples
    if measured:
        names = ("encoding_seconds", "measuring_seconds")
        measuring = sum(epoch.get(name, 0.0) for epoch in epochs for name in names)
        seconds += measuring / (len(epochs) * record["data"]["samples"])
    return float(seconds)
