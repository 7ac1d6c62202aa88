"""Settings of a training that belong to no recipe. Light: no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

from harness.arguments import FORMER, Device, Seed, Several, Within, Workers, check_fields
from harness.descriptors import Json

from harness_training.parts import AUTO, FULL

LEARNING_RATE = 1e-4
"""Learning rate of a part for which the model's descriptor names none."""
Schedule = Literal[
    "linear", "cosine", "cosine_with_restarts", "polynomial",
    "constant", "constant_with_warmup", "inverse_sqrt",
]  # fmt: skip
"""Schedules of transformers that need nothing but the numbers of steps."""
_RECORDED = {"batch_size": "batch", "learning_rate": "rate", "weight_decay": "decay"}
"""Setting to its key in records, where both differ: fingerprints depend on the keys."""
FORMER["TrainingSettings"] = {old: new for new, old in _RECORDED.items()}
FORMER["plan_training"] = {"parts": "train_parts"}
FORMER["train"] = {"parts": "train_parts", "watcher": "reporter"}


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSettings:
    """How weights are changed.

    Attributes:
        epochs: Passes over the pool, as the recipe chooses them.
        batch_size: Samples per step (effective, over all micro-batches and processes).
        micro_batch: Samples in a process's memory at once; halved when memory runs out.
        learning_rate: Learning rate at its peak; ``None``: the model's own (:func:`learning_rate`).
        schedule: One of transformers' schedulers.
        warmup: Share of all steps in which the learning rate rises.
        weight_decay: Weight decay of matrices; vectors have none.
        clip: Largest norm of the gradient.
        precision: dtype of the computation; weights that train are kept in float32, the others
            as they are stored, in float32 when this is.
        seed: For order, dropout and new weights.
        save_every: Steps between checkpoints within an epoch.
        log_every: Steps between lines of the log.
        workers: Processes that open images ahead.
        device: As for ``harness run``.
        checkpointing: Compute activations again in the backward pass: less memory, more time.
        validate: ``TASK:METRIC`` that is measured after each epoch and chooses the weights that
            are kept; empty: the last epoch's are.
        validate_limit: At most this many validation samples, those whose id has the smallest hash.
        hold_out: Share of the validated task's train clusters that are validated on instead of
            trained on; 0: the task's own validation split.
        keep: Number of last epochs whose weights stay on disk, beside the best.
        shard: Split the model over all processes, instead of a whole one in each.
        processes: Processes of this machine that train together, each on a GPU of its own; 1 where
            ``torchrun`` or ``accelerate launch`` starts them.
    """

    epochs: Several = 1
    batch_size: Several = 32
    micro_batch: Several = 8
    learning_rate: Annotated[float | None, Within(0, 1, above=True)] = None
    schedule: Schedule = "cosine"
    warmup: Annotated[float, Within(0, 1)] = 0.03
    weight_decay: Annotated[float, Within(0, 100)] = 0.0
    clip: Annotated[float, Within(0, above=True)] = 1.0
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    seed: Seed = 0
    save_every: Several = 200
    log_every: Several = 10
    workers: Workers = 0
    device: Device = "auto"
    checkpointing: bool = False
    validate: str = ""
    validate_limit: Annotated[int | None, Within(1)] = None
    hold_out: Annotated[float, Within(0, 0.9)] = 0.0
    keep: Several = 2
    shard: bool = False
    processes: Several = 1

    def __post_init__(self) -> None:
        check_fields(self)

    def about(self) -> dict[str, Json]:
        """Return what decides the weights, as a record has it.

        What came later stands there only when it is asked for: older trainings stay what they were.
        The number of processes stands beside them, whatever starts these.
        """
        return {
            _RECORDED.get(key, key): value
            for key, value in asdict(self).items()
            if key != "processes" and (key != "shard" or value)
        }


def present_settings(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings in a study's file by their present names; the file may use old ones."""
    former = {**FORMER["TrainingSettings"], **FORMER["train"]}
    return {former.get(name, name): value for name, value in settings.items()}


def trained_parts(trains: tuple[str, ...], parts: str) -> tuple[str, ...]:
    """Return the names of the parts that ``--train-parts`` means; arguments as below."""
    if parts in {AUTO, "full"}:
        return trains if parts == AUTO else FULL
    return tuple(part.strip() for part in parts.split(","))


def learning_rate(
    rates: Mapping[str, float], trains: tuple[str, ...], parts: str
) -> tuple[float, bool]:
    """Return the learning rate of a training that names none, and whether its model names it.

    Args:
        rates: A descriptor's ``learning_rates``.
        trains: Its ``trains``: the parts that ``auto`` stands for.
        parts: As for ``harness train --train-parts``.
    """
    named_rates = [rates[part] for part in trained_parts(trains, parts) if part in rates]
    return (min(named_rates), True) if named_rates else (LEARNING_RATE, False)
