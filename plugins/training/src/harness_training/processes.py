"""One training by several processes, as ``torchrun`` and ``accelerate launch`` start them.

Each process takes its part of every step; gradients are averaged. It holds the whole model
(DistributedDataParallel, through Trainer), and the first process alone plans, measures and writes;
or a part of it (FSDP, :mod:`harness_training.fsdp`), and all measure, since none can alone.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

from harness.errors import UserError

from harness_training.settings import TrainingSettings

_LONGEST = timedelta(days=2)  # others wait while the first one measures


@dataclass(frozen=True, slots=True)
class Processes:
    """Which of how many processes this is."""

    rank: int = 0
    count: int = 1

    @property
    def first(self) -> bool:
        """Whether this process plans and writes."""
        return self.rank == 0

    def wait(self) -> None:
        """Return when every process has come here."""
        if self.count > 1:
            from torch import distributed

            distributed.barrier()

    def sum(self, value: float) -> float:
        """Return the sum of every process's value."""
        if self.count == 1:
            return value
        import torch
        from torch import distributed

        device = "cuda" if distributed.get_backend() == "nccl" else "cpu"
        total = torch.tensor(value, dtype=torch.float64, device=device)
        distributed.all_reduce(total)
        return float(total)

    @contextmanager
    def first_before_others(self) -> Iterator[None]:
        """Let the first process through, then the others: they find what it has made."""
        if not self.first:
            self.wait()
        yield
        if self.first:
            self.wait()

    @contextmanager
    def in_turn(self) -> Iterator[None]:
        """Let one process through after the other: what each needs is not there N times at once."""
        for rank in range(self.count):
            if rank == self.rank:
                yield
            self.wait()


def how_many() -> int:
    """Return how many processes a launcher has started to train together."""
    return _number("WORLD_SIZE", os.environ.get("WORLD_SIZE", "1"))


def how_many_train(settings: TrainingSettings) -> int:
    """Return how many processes train together, started or to be started.

    Raises:
        UserError: a launcher started others than the settings ask for.
    """
    started = how_many()
    if settings.processes > 1 < started != settings.processes:
        raise UserError(
            f"{settings.processes} processes are asked for, and a launcher started {started}",
            where="--processes",
            fix="leave it out: the launcher's own option says how many there are",
        )
    return max(started, settings.processes)


def processes(device: str) -> Processes:
    """Return this process's place, and connect it with the others where there are some.

    Args:
        device: As for ``harness run``.

    Raises:
        UserError: started for accelerate's own way of splitting the model.
    """
    count = how_many()
    for name in ("ACCELERATE_USE_FSDP", "ACCELERATE_USE_DEEPSPEED"):
        if os.environ.get(name, "false").lower() in {"true", "1"}:
            raise UserError(
                f"accelerate's own sharding is not supported ({name} is set)",
                fix="use --shard, started by torchrun or accelerate launch",
            )
    if count == 1:
        return Processes()
    rank = _number("RANK", os.environ.get("RANK", ""))
    import torch
    from accelerate import PartialState  # type: ignore[import-untyped]

    cpu = device == "cpu" or not torch.cuda.is_available()
    PartialState(cpu=cpu, timeout=_LONGEST)  # makes a CUDA device the process's own
    return Processes(rank, count)


def _number(name: str, text: str) -> int:
    if text.isdecimal():
        return int(text)
    state = f"is {text!r}, which is not a number" if text else "is not set, and WORLD_SIZE is"
    raise UserError(
        f"the environment variable {name} {state}",
        fix="start several processes with torchrun or accelerate launch, or unset WORLD_SIZE",
    )
