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
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from harness.descriptors import Json, is_installed
from harness.engine.batching import free_memory, out_of_memory
from harness.errors import HarnessError, UserError
from harness.jsonfiles import read_json, read_object
from harness.training.contract import Epoch, Recipe
from torch import Tensor
from torch.utils.data import Dataset
from transformers import Trainer, TrainerCallback, TrainingArguments, get_scheduler
from transformers.trainer_callback import PrinterCallback

from harness_training import weights as trained_weights
from harness_training.batches import Reference, batch_of
from harness_training.module import Item, TrainingModule
from harness_training.processes import Processes
from harness_training.settings import TrainingSettings

Report = Callable[[Mapping[str, float]], None]
_WHOLE = "whole"
_LOSS = "loss.json"


@dataclass(slots=True)
class Stage:
    """What all epochs share.

    Attributes:
        steps: Steps of all epochs, for the schedule.
        report: Receives log lines.
        micro_batch: Samples in memory at once; halved for good when memory runs out.
    """

    module: TrainingModule
    trained: trained_weights.Trained
    recipe: Recipe
    settings: TrainingSettings
    folder: Path
    steps: int
    report: Report
    micro_batch: int
    processes: Processes
    reference: Reference | None = None


class EpochItems(Dataset[Item]):
    """What one epoch sees, opened when it is asked for.

    Args:
        epoch: What is seen.
        item: Makes an item of a place and a weight, and of a rejected answer where there is one.
        together: Samples that all processes take at once. The last ones are filled up with samples
            of weight 0, so that each process takes as many.
    """

    def __init__(self, epoch: Epoch, item: Callable[..., Item], together: int = 1) -> None:
        self._epoch = epoch
        self._item = item
        self._length = math.ceil(len(epoch.order) / together) * together

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, at: int) -> Item:
        epoch, weight = self._epoch, 1.0
        if at >= len(epoch.order):
            at, weight = 0, 0.0
        elif epoch.weights is not None:
            weight = epoch.weights[at]
        pair = () if epoch.rejected is None else (epoch.rejected[at],)
        return self._item(epoch.order[at], weight, *pair)


class Optimiser:
    """AdamW over what trains, and its schedule: made once, kept over epochs."""

    def __init__(self, stage: Stage) -> None:
        settings = stage.settings
        assert settings.learning_rate is not None  # a plan has settled it
        named = [
            weight for _, _, weight in trained_weights.weights(stage.module.model, stage.trained)
        ]
        groups = [
            {
                "params": [one for one in named if one.ndim > 1],
                "weight_decay": settings.weight_decay,
            },
            {"params": [one for one in named if one.ndim < 2], "weight_decay": 0.0},
        ]
        self.optimiser = torch.optim.AdamW(
            [group for group in groups if group["params"]], lr=settings.learning_rate, fused=False
        )
        self.schedule = get_scheduler(
            settings.schedule,
            self.optimiser,
            num_warmup_steps=math.ceil(settings.warmup * stage.steps),
            num_training_steps=stage.steps,
        )

        self._here = stage.processes
        self._is_split = stage.module.is_split

    def save(self, folder: Path) -> None:
        """Write both states; of split weights each process writes what it holds."""
        if self._is_split:
            from harness_training.fsdp import state_here

            folder.mkdir(parents=True, exist_ok=True)
            torch.save(state_here(self.optimiser), folder / self._own_name)
        elif self._here.first:
            torch.save(self.optimiser.state_dict(), folder / "optimiser.pt")
        if self._here.first:
            torch.save(self.schedule.state_dict(), folder / "schedule.pt")

    def load(self, folder: Path) -> None:
        """Read both states back; nothing is unpickled but tensors and plain data."""
        if self._is_split:
            from harness_training.fsdp import load_state_here

            state = torch.load(folder / self._own_name, map_location="cpu", weights_only=True)
            load_state_here(self.optimiser, state)
        else:
            self.optimiser.load_state_dict(torch.load(folder / "optimiser.pt", weights_only=True))
        self.schedule.load_state_dict(torch.load(folder / "schedule.pt", weights_only=True))

    @property
    def _own_name(self) -> str:
        return f"optimiser-{self._here.rank}.pt"


def run_epoch(
    stage: Stage,
    optimiser: Optimiser,
    number: int,
    epoch: Epoch,
    item: Callable[..., Any],
) -> dict[str, Json]:
    """Train one epoch, from its last checkpoint if there is one; return its figures.

    When memory runs out the micro-batch is halved for the rest of the training, the effective batch
    stays, and the epoch goes on from its last checkpoint.

    Raises:
        UserError: the loss is not finite, or memory does not suffice for one sample.
    """
    folder = stage.folder / f"epoch-{number:03d}"
    before = int(optimiser.schedule.last_epoch)
    start = folder / "start"
    is_new = not start.is_dir()
    stage.processes.wait()
    if is_new:
        save_state(stage, optimiser, start)
    count = stage.processes.count
    while True:
        together = count * stage.micro_batch if count > 1 else 1
        trainer = EpochTrainer(
            stage,
            len(epoch.order),
            optimiser,
            model=stage.module,
            args=arguments(stage, folder, number),
            train_dataset=EpochItems(epoch, item, together),
            data_collator=collate,
            optimizers=(optimiser.optimiser, optimiser.schedule),
        )
        trainer.remove_callback(PrinterCallback)
        if stage.processes.first:
            trainer.add_callback(Reporting(stage.report, stage.folder / "logs", before))
        last = last_checkpoint(folder)
        try:
            result = trainer.train(resume_from_checkpoint=None if last is None else str(last))
        except (RuntimeError, MemoryError) as error:
            if not out_of_memory(error):
                raise
            if stage.micro_batch == 1:
                raise UserError(
                    "memory does not suffice for one sample",
                    fix="--gradient-checkpointing, fewer --train-parts, or lora",
                ) from None
            if stage.recipe.trains_pairs:
                raise UserError(
                    f"memory does not suffice for {stage.micro_batch} pairs at once",
                    fix="a smaller --batch-size, --gradient-checkpointing, or --train-parts lora",
                ) from None
            if count > 1:
                raise UserError(
                    f"memory does not suffice for {stage.micro_batch} samples per process",
                    fix="use a smaller --micro-batch: several processes do not search for one",
                ) from None
        else:
            stage.module.flush()
            return {
                "steps": result.global_step,
                "loss": trainer.total / len(epoch.order),
                "curve": trainer.curve(),
            }
        stage.micro_batch = smaller(stage.micro_batch, stage.settings.batch_size)
        stage.report({"micro_batch": float(stage.micro_batch)})
        stage.module.zero_grad(set_to_none=True)
        del trainer
        free_memory()
        load_state(stage, optimiser, start)


def smaller(micro_batch: int, batch: int) -> int:
    """Return the largest divisor of the batch that is at most half the micro-batch."""
    return next(size for size in range(micro_batch // 2, 0, -1) if batch % size == 0)


def last_checkpoint(folder: Path) -> Path | None:
    """Return the last checkpoint that was written to its end.

    A process that dies while Trainer writes one leaves a part of it, which is passed over.
    """
    folders = [path.parent for path in folder.glob(f"checkpoint-*/{_WHOLE}")]
    return max(folders, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


def save_state(stage: Stage, optimiser: Optimiser, folder: Path) -> None:
    """Write weights, optimiser and schedule; the folder appears when all of them are there.

    Every process must come here.
    """
    part = folder.with_name(folder.name + ".part")
    processes = stage.processes
    if processes.first:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
    processes.wait()
    trained_weights.save(stage.module.model, stage.trained, part, writes=processes.first)
    optimiser.save(part)
    processes.wait()
    if processes.first:
        part.replace(folder)
    processes.wait()


def load_state(stage: Stage, optimiser: Optimiser, folder: Path) -> None:
    """Read back what :func:`save_state` wrote."""
    trained_weights.restore(stage.module.model, stage.trained, folder)
    optimiser.load(folder)


class Arguments(TrainingArguments):
    """Trainer's settings for processes of one device each."""

    @property
    def n_gpu(self) -> int:
        """At most 1: Trainer would cut batches over all a machine has (DataParallel)."""
        return min(1, int(super().n_gpu))


def arguments(stage: Stage, folder: Path, number: int) -> TrainingArguments:
    """Return Trainer's settings for one epoch."""
    settings = stage.settings
    at_once = stage.micro_batch * stage.processes.count
    return Arguments(
        output_dir=str(folder),
        num_train_epochs=1,
        per_device_train_batch_size=stage.micro_batch,
        gradient_accumulation_steps=settings.batch_size // at_once,
        max_grad_norm=settings.clip,
        fp16=settings.precision == "float16",  # for its scaling of gradients
        logging_steps=settings.log_every,
        logging_nan_inf_filter=False,
        save_strategy="steps",
        save_steps=settings.save_every,
        save_total_limit=2,
        report_to=[],
        disable_tqdm=True,
        seed=(settings.seed * 1_000 + number) % 2**32,
        train_sampling_strategy="sequential",
        remove_unused_columns=False,
        dataloader_num_workers=settings.workers,
        use_cpu=stage.module.model.device.type == "cpu",
        dataloader_pin_memory=torch.cuda.is_available(),
    )


def collate(items: Sequence[Item]) -> dict[str, Any]:
    """Return a batch; Trainer wants a mapping whose first tensor tells the batch's size."""
    weights = torch.tensor([item.weight for item in items], dtype=torch.float32)
    return {"weights": weights, "items": list(items)}


class EpochTrainer(Trainer):
    """Trainer with the recipe's loss and our own files of weights.

    Args:
        stage: What epochs share.
        samples: That the epoch sees.
        optimiser: Writes and reads its own state where weights are split.
        given: Trainer's own.

    Attributes:
        total: Sum of the losses of all samples so far.
        totals: What it was after each ``log_every`` steps.
    """

    def __init__(self, stage: Stage, samples: int, optimiser: Optimiser, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._stage = stage
        self._optimiser = optimiser
        self._samples = samples
        self.total = 0.0
        self.totals: list[float] = []
        self.model_accepts_loss_kwargs = False

    def compute_loss(  # the signature is Trainer's
        self, model: Any, inputs: dict[str, Any], *_: Any, **__: Any
    ) -> Tensor:
        """Return the recipe's loss of a batch, weighed so that a step is a mean over samples."""
        recipe, reference = self._stage.recipe, self._stage.reference
        if recipe.trains_pairs:
            loss = recipe.pairs_loss(model(inputs["items"]))
        else:
            batch = batch_of(model, inputs["items"], inputs["weights"], recipe, reference)
            loss = recipe.batch_loss(batch)
        if not torch.isfinite(loss):
            ids = ", ".join(item.id for item in inputs["items"][:4])
            raise self._not_finite(f"the loss is not finite at step {{}}, samples {ids}", 1)
        # Trainer takes the mean over micro-batches, and over processes; the last ones of an epoch
        # may be smaller than the others.
        count = len(inputs["items"])
        together = self._stage.settings.batch_size
        of_step = min(together, self._samples - self.state.global_step * together)
        processes = self._stage.processes
        if self.state.global_step == (len(self.totals) + 1) * self._stage.settings.log_every:
            self.totals.append(self.total)  # this batch is the first one after such a step
        self.total += processes.sum(float(loss.detach()) * count)
        share = count * self.current_gradient_accumulation_steps * processes.count / of_step
        return loss * share

    def curve(self) -> list[Json]:
        """Return step and mean loss since the step before it, every ``log_every`` steps."""
        settings = self._stage.settings
        points: list[Json] = []
        steps = range(settings.log_every, self.state.global_step, settings.log_every)
        ends = [*zip(steps, self.totals, strict=True), (self.state.global_step, self.total)]
        for (before, previous), (step, total) in pairwise([(0, 0.0), *ends]):
            seen = min(step * settings.batch_size, self._samples) - before * settings.batch_size
            points.append([step, (total - previous) / seen])
        return points

    def _not_finite(self, message: str, ahead: int = 0) -> UserError:
        return UserError(
            message.format(self.state.global_step + ahead),
            where=self.args.output_dir,
            fix="use a lower learning rate or max_weight; the last good checkpoint is kept",
        )

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        trained = trained_weights.weights(self._stage.module.model, self._stage.trained)
        bad = sum(
            not torch.isfinite(trained_weights.here(weight)).all() for _, _, weight in trained
        )
        if self._stage.processes.sum(bad):
            raise self._not_finite("weights are not finite after step {}")
        super()._save_checkpoint(model, trial)
        self._stage.processes.wait()
        if self._stage.processes.first:
            folder = Path(self.args.output_dir or ".") / f"checkpoint-{self.state.global_step}"
            (folder / _WHOLE).touch()

    def save_model(self, output_dir: str | None = None, _internal_call: bool = False) -> None:
        """Write the weights and the losses so far; every process must come here."""
        del _internal_call
        folder = Path(output_dir or self.args.output_dir or ".")
        first = self._stage.processes.first
        trained_weights.save(self._stage.module.model, self._stage.trained, folder, writes=first)
        if first:
            losses = json.dumps([self.total, self.totals])
            (folder / _LOSS).write_text(losses, encoding="utf-8")

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        if self._stage.module.is_split:
            self._optimiser.save(Path(output_dir))
        else:
            super()._save_optimizer_and_scheduler(output_dir)

    def _load_optimizer_and_scheduler(self, checkpoint: str | None) -> None:
        if self._stage.module.is_split and checkpoint is not None:
            self._optimiser.load(Path(checkpoint))
        else:
            super()._load_optimizer_and_scheduler(checkpoint)

    def _get_grad_norm(self, model: Any, grad_norm: Any = None) -> Any:
        norm: Any = super()._get_grad_norm
        value = norm(model, grad_norm=grad_norm)
        return value.full_tensor() if hasattr(value, "full_tensor") else value

    def _load_from_checkpoint(self, resume_from_checkpoint: str, model: Any = None) -> None:
        del model
        stage, folder = self._stage, Path(resume_from_checkpoint)
        trained_weights.restore(stage.module.model, stage.trained, folder)
        self.total, self.totals = read_json(folder / _LOSS)


class Reporting(TrainerCallback):
    """Hands Trainer's log lines on, and writes them for TensorBoard where it is installed.

    Args:
        report: Receives the lines.
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
        numbers = {
            key: value for key, value in (logs or {}).items() if isinstance(value, float | int)
        }
        self._report({**numbers, "step": state.global_step})
        for name, value in numbers.items() if self._board is not None else ():
            self._board.add_scalar(name, value, self._before + state.global_step)

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Say that a step is done."""
        del args, control
        self._report({"step": state.global_step})

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
    pairs = {} if epoch.rejected is None else {"rejected": list(epoch.rejected)}
    chosen = {"order": list(epoch.order), "weights": weights, "figures": dict(epoch.figures)}
    write_json(path, {**chosen, **pairs})


def read_epoch(path: Path) -> Epoch:
    """Return what an epoch sees, as it was written down."""
    try:
        content = read_object(path)
        rejected = content.get("rejected")
        return Epoch(content["order"], content["weights"], content["figures"], rejected)
    except (KeyError, TypeError) as error:
        raise HarnessError(f"cannot be read: {error!r}", where=path) from None
