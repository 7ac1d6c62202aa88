"""One epoch after the other through transformers' Trainer: exact to resume, never silent.

Each epoch is a Trainer of its own over what the recipe chose, with one optimiser and one schedule
for all of them. What an epoch sees is written down before its first step, so a run that was killed
continues with the same samples; Trainer's own checkpoints bring back weights, optimiser, schedule
and random states in the middle of an epoch.
"""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset
from transformers import Trainer, TrainerCallback, TrainingArguments, get_scheduler
from transformers.trainer_callback import PrinterCallback
from transformers.trainer_utils import get_last_checkpoint

from harness.descriptors import Json, is_installed
from harness.engine import trained as parts
from harness.engine.batching import free_memory, out_of_memory
from harness.engine.training import Item, TrainingModule
from harness.errors import HarnessError, UserError
from harness.training.contract import Epoch, Recipe
from harness.training.settings import TrainingSettings

Report = Callable[[Mapping[str, float]], None]


@dataclass(frozen=True, slots=True)
class Stage:
    """What all epochs share."""

    module: TrainingModule
    trained: parts.Trained
    recipe: Recipe
    settings: TrainingSettings
    folder: Path
    steps: int
    report: Report


class EpochItems(Dataset[Item]):
    """What one epoch sees, opened when it is asked for."""

    def __init__(self, epoch: Epoch, item: Callable[[int, float], Item]) -> None:
        self._epoch = epoch
        self._item = item

    def __len__(self) -> int:
        return len(self._epoch.order)

    def __getitem__(self, at: int) -> Item:
        weights = self._epoch.weights
        return self._item(self._epoch.order[at], 1.0 if weights is None else weights[at])


class Optimiser:
    """AdamW over what trains, and its schedule: made once, kept over epochs."""

    def __init__(self, stage: Stage) -> None:
        settings = stage.settings
        named = [weight for _, _, weight in parts.weights(stage.module.model, stage.trained)]
        groups = [
            {"params": [one for one in named if one.ndim > 1], "weight_decay": settings.decay},
            {"params": [one for one in named if one.ndim < 2], "weight_decay": 0.0},
        ]
        self.optimiser = torch.optim.AdamW(
            [group for group in groups if group["params"]], lr=settings.rate, fused=False
        )
        self.schedule = get_scheduler(
            settings.schedule,
            self.optimiser,
            num_warmup_steps=math.ceil(settings.warmup * stage.steps),
            num_training_steps=stage.steps,
        )

    def save(self, folder: Path) -> None:
        """Write both states."""
        torch.save(self.optimiser.state_dict(), folder / "optimiser.pt")
        torch.save(self.schedule.state_dict(), folder / "schedule.pt")

    def load(self, folder: Path) -> None:
        """Read both states back; nothing is unpickled but tensors and plain data."""
        for held, name in ((self.optimiser, "optimiser.pt"), (self.schedule, "schedule.pt")):
            held.load_state_dict(torch.load(folder / name, weights_only=True))


def run_epoch(
    stage: Stage,
    optimiser: Optimiser,
    number: int,
    epoch: Epoch,
    item: Callable[[int, float], Item],
) -> dict[str, Json]:
    """Train one epoch, from its last checkpoint if there is one; return its figures.

    When memory runs out the micro-batch is halved, the effective batch stays, and the epoch goes
    on from its last checkpoint.

    Raises:
        UserError: the loss is not finite, or memory does not suffice for one sample.
    """
    folder = stage.folder / f"epoch-{number:03d}"
    before = int(optimiser.schedule.last_epoch)
    start = folder / "start"
    if not start.is_dir():
        save_state(stage, optimiser, start)
    micro_batch = min(stage.settings.micro_batch, stage.settings.batch)
    while True:
        trainer = EpochTrainer(
            stage,
            model=stage.module,
            args=arguments(stage.settings, folder, number, micro_batch),
            train_dataset=EpochItems(epoch, item),
            data_collator=collate,
            optimizers=(optimiser.optimiser, optimiser.schedule),
        )
        trainer.remove_callback(PrinterCallback)
        trainer.add_callback(Reporting(stage.report, stage.folder / "logs", before))
        last: str | None = get_last_checkpoint(str(folder))  # type: ignore[no-untyped-call]
        try:
            result = trainer.train(resume_from_checkpoint=last)
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            if micro_batch == 1:
                raise UserError(
                    "memory does not suffice for one sample", fix="train fewer parts, or lora"
                ) from None
        else:
            stage.module.flush()
            return {"steps": result.global_step, "loss": result.training_loss}
        micro_batch //= 2
        stage.report({"micro_batch": float(micro_batch)})
        stage.module.zero_grad(set_to_none=True)
        free_memory()
        load_state(stage, optimiser, start)


def save_state(stage: Stage, optimiser: Optimiser, folder: Path) -> None:
    """Write weights, optimiser and schedule; the folder appears when all of them are there."""
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    parts.save(stage.module.model, stage.trained, part)
    optimiser.save(part)
    part.replace(folder)


def load_state(stage: Stage, optimiser: Optimiser, folder: Path) -> None:
    """Read back what :func:`save_state` wrote."""
    parts.restore(stage.module.model, stage.trained, folder)
    optimiser.load(folder)


def arguments(
    settings: TrainingSettings, folder: Path, number: int, micro_batch: int
) -> TrainingArguments:
    """Return Trainer's settings for one epoch."""
    return TrainingArguments(
        output_dir=str(folder),
        num_train_epochs=1,
        per_device_train_batch_size=micro_batch,
        gradient_accumulation_steps=max(1, settings.batch // micro_batch),
        max_grad_norm=settings.clip,
        bf16=settings.precision == "bfloat16",
        fp16=settings.precision == "float16",
        logging_steps=settings.log_every,
        logging_nan_inf_filter=False,
        save_strategy="steps",
        save_steps=settings.save_every,
        save_total_limit=2,
        report_to=[],
        disable_tqdm=True,
        seed=settings.seed * 1_000 + number,
        train_sampling_strategy="sequential",
        remove_unused_columns=False,
        dataloader_num_workers=settings.workers,
        use_cpu=settings.device == "cpu",
        dataloader_pin_memory=torch.cuda.is_available(),
    )


def collate(items: Sequence[Item]) -> dict[str, Any]:
    """Return a batch; Trainer wants a mapping whose first tensor tells the batch's size."""
    weights = torch.tensor([item.weight for item in items], dtype=torch.float32)
    return {"weights": weights, "items": list(items)}


class EpochTrainer(Trainer):
    """Trainer with the recipe's loss and our own files of weights."""

    def __init__(self, stage: Stage, **given: Any) -> None:
        super().__init__(**given)
        self._stage = stage
        self.model_accepts_loss_kwargs = False

    def compute_loss(  # the signature is Trainer's
        self, model: Any, inputs: dict[str, Any], *_: Any, **__: Any
    ) -> Tensor:
        """Return the recipe's loss of a batch."""
        logprobs, mask = model(inputs["items"])
        weights = inputs["weights"].to(logprobs.device)
        loss = self._stage.recipe.loss(logprobs, mask, weights)
        if not torch.isfinite(loss):
            ids = ", ".join(item.id for item in inputs["items"][:4])
            raise UserError(
                f"the loss is not finite at step {self.state.global_step + 1}, samples {ids}",
                where=self.args.output_dir,
                fix="a lower rate, or max_weight; the last good checkpoint is kept",
            )
        return loss

    def _save(self, output_dir: str | None = None, state_dict: Any = None) -> None:
        del state_dict
        folder = Path(output_dir or self.args.output_dir or ".")
        parts.save(self._stage.module.model, self._stage.trained, folder)

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        del model
        stage = self._stage
        parts.restore(stage.module.model, stage.trained, Path(resume_from_checkpoint))


class Reporting(TrainerCallback):
    """Hands Trainer's log lines on, and writes them for TensorBoard where it is installed.

    Args:
        report: Hears the lines.
        logs: Folder of the event files.
        before: Steps of the epochs before this one.
    """

    def __init__(self, report: Report, logs: Path, before: int) -> None:
        self._report = report
        self._before = before
        self._board = board(logs)

    def on_log(  # the signature is Trainer's
        self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any
    ) -> None:
        """Hand on step, loss and rate."""
        del args, control
        held = {key: value for key, value in (logs or {}).items() if isinstance(value, float | int)}
        self._report({**held, "step": state.global_step})
        for name, value in held.items() if self._board is not None else ():
            self._board.add_scalar(name, value, self._before + state.global_step)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Close the event file."""
        del args, state, control
        if self._board is not None:
            self._board.close()


def board(logs: Path) -> Any:
    """Return a writer of TensorBoard's event files, ``None`` where it is not installed."""
    if not is_installed("tensorboard"):
        return None
    from torch.utils.tensorboard import SummaryWriter

    make: Any = SummaryWriter
    return make(str(logs))


def write_epoch(path: Path, epoch: Epoch) -> None:
    """Write down what an epoch sees, whole or not at all."""
    from harness.runs.seal import write_json

    weights = None if epoch.weights is None else list(epoch.weights)
    write_json(
        path, {"order": list(epoch.order), "weights": weights, "figures": dict(epoch.figures)}
    )


def read_epoch(path: Path) -> Epoch | None:
    """Return what an epoch sees, or ``None`` when it was not chosen yet."""
    if not path.is_file():
        return None
    try:
        held = json.loads(path.read_bytes())
        return Epoch(held["order"], held["weights"], held["figures"])
    except (ValueError, KeyError, TypeError) as error:
        raise HarnessError(f"cannot be read: {error!r}", where=path) from None
