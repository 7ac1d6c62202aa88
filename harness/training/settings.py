"""Settings of a training that belong to no recipe. Light: no torch."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Literal

from harness.descriptors import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingSettings:
    """How weights are changed.

    Attributes:
        epochs: Passes over the pool, as the recipe chooses them.
        batch: Samples a step (effective, over all micro-batches and processes).
        micro_batch: Samples in a process's memory at once; halved when memory runs out.
        rate: Learning rate at its peak.
        schedule: A name of transformers' schedulers.
        warmup: Share of all steps in which the rate rises.
        decay: Weight decay of matrices; vectors have none.
        clip: Largest norm of the gradient.
        precision: Of the computation; weights that train are kept in float32, the others as they
            are stored, in float32 when this is.
        seed: For order, dropout and new weights.
        save_every: Steps between checkpoints within an epoch.
        log_every: Steps between lines of the log.
        workers: Processes that open images ahead.
        device: As for ``harness run``.
        checkpointing: Compute activations again in the backward pass: less memory, more time.
        validate: ``TASK:METRIC`` that is measured after each epoch and chooses the weights that
            are kept; empty: the last epoch's are.
        validate_limit: So many validation samples, those whose id has the smallest hash.
        hold_out: Share of the validated task's train clusters that are validated on instead of
            trained on; 0: the task's own validation split.
        keep: Weights of so many last epochs stay on disk, beside the best.
        shard: Split the model over all processes, instead of a whole one in each.
    """

    epochs: int = 1
    batch: int = 32
    micro_batch: int = 8
    rate: float = 1e-4
    schedule: str = "cosine"
    warmup: float = 0.03
    decay: float = 0.0
    clip: float = 1.0
    precision: Literal["float32", "bfloat16", "float16"] = "float32"
    seed: int = 0
    save_every: int = 200
    log_every: int = 10
    workers: int = 0
    device: str = "auto"
    checkpointing: bool = False
    validate: str = ""
    validate_limit: int | None = None
    hold_out: float = 0.0
    keep: int = 2
    shard: bool = False

    def about(self) -> dict[str, Json]:
        """Return what decides the weights, as a record has it.

        What came later stands there only when it is asked for: older trainings stay what they were.
        """
        return {key: value for key, value in asdict(self).items() if key != "shard" or value}
