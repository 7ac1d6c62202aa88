"""``harness train``: plan, progress, checkpoint."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import harness
from harness import commands
from harness.arguments import defaults, given
from harness.commands import data_paths, emit, pairs
from harness.commands import tell as log
from harness.plugins import Plugins
from harness.progress import duration
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from harness_training.figures import came_to, chosen, parts
from harness_training.parts import AUTO, LoraSettings
from harness_training.settings import LEARNING_RATE, TrainingSettings
from harness_training.steps import EachMinuteSteps

if TYPE_CHECKING:
    from harness.descriptors import Json

    from harness_training.estimate import Estimate
    from harness_training.plan import TrainingPlan

_FEW = 5
"""Steps that tell how long the others take."""
_LATER = "known after the first steps"
_LORA = defaults(LoraSettings)
_setting = partial(commands.setting, TrainingSettings)


def _lora(field: str, **more: Any) -> commands.Option[Any]:
    return commands.setting(LoraSettings, field, f"--lora-{field}", name=f"lora_{field}", **more)


def _renamed(flag: str, value: str) -> str:
    """Return ``--tasks`` for a ``--data`` that names tasks, as it did before."""
    return "--tasks" if flag == "--data" and value and "=" not in value else flag


@click.command(
    cls=commands.Command,
    renamed={
        "--batch": "--batch-size",
        "--data-path": "--data",
        "--decay": "--weight-decay",
        "--parts": "--train-parts",
        "--rate": "--learning-rate",
    },
    rename=_renamed,
    short_help="Train a model by a recipe.",
    epilog="Examples: harness train --model socialfusion --recipe joint --tasks social_all "
    "--out trained/joint | harness train --model llava -o path=llava-1.5-7b-hf --recipe asd "
    "--tasks scounter --out trained/llava-asd",
)
@commands.model
@click.option(
    "--recipe",
    required=True,
    metavar="ID",
    shell_complete=commands.completing(Plugins.recipes),
    help="Training recipe: ft, asd, single, joint, ...",
)
@commands.tasks
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the training; the same command continues there.",
)
@commands.model_options
@click.option(
    "-r",
    "--recipe-option",
    "recipe_options",
    multiple=True,
    metavar="KEY=VALUE",
    help="Set an option of the recipe.",
)
@commands.task_options
@commands.data
@commands.profile
@click.option(
    "--form",
    metavar="NAME",
    help="Form of the tasks for training; `task` is the evaluation's prompt.",
)
@click.option("--limit", type=commands.Whole(1), help="Train on at most N samples per task.")
@click.option(
    "--train-parts",
    "parts",
    default=AUTO,
    show_default=True,
    metavar="auto|full|A,B",
    help="Parts of the model to train: auto, full, or names separated by commas.",
)
@click.option(
    "--tower",
    type=click.Path(path_type=Path, file_okay=False),
    help="Use the vision tower of this training in place of the model's own.",
)
@_lora("rank", help="Rank of LoRA adapters.")
@_lora("alpha", help="Scaling of LoRA adapters (alpha / rank).")
@_lora("dropout", help="Dropout of LoRA adapters.")
@_setting("epochs", help="Number of epochs.")
@_setting("batch_size", help="Samples per step, over all processes.")
@_setting("micro_batch", help="Samples in memory at once; changes no number.")
@_setting(
    "learning_rate",
    help="Peak learning rate; by default the model's own for what trains, "
    f"{LEARNING_RATE:g} where it names none.",
)
@_setting("schedule", help="Learning-rate schedule, by its name in transformers.")
@_setting("warmup", help="Fraction of all steps in which the learning rate rises.")
@_setting("weight_decay", help="Weight decay of matrices; vectors have none.")
@_setting("precision", help="Dtype of the computation; weights that train are kept in float32.")
@_setting("device", help="Device: auto, cpu, cuda, mps.")
@_setting("seed", help="Seed of order, dropout and new weights.")
@_setting("save_every", help="Save a checkpoint every N steps within an epoch.")
@_setting(
    "checkpointing",
    "--gradient-checkpointing",
    help="Recompute activations in the backward pass: less memory, more time, the same weights.",
)
@_setting(
    "validate",
    metavar="TASK:METRIC",
    help="TASK:METRIC to measure after each epoch; the best epoch's weights are kept.",
)
@_setting("validate_limit", help="Validate on at most N samples.")
@_setting(
    "hold_out",
    metavar="FRACTION",
    help="Validate on this fraction of the train split instead of training on it.",
)
@_setting("keep", help="Keep the weights of the last N epochs.")
@_setting("processes", help="Train with N processes of this machine, each on a GPU of its own.")
@_setting("shard", help="Split the model over these processes, or those of a launcher.")
@commands.track
@commands.dry_run
@commands.as_json
def train(**flags: Any) -> int:
    """Train a model with a recipe on the train splits of tasks.

    The same command again continues where it was stopped, and returns at once when it is done.
    `harness run --checkpoint DIR` evaluates the trained model.
    """
    from harness_training.api import record_of

    plan = harness.plan_training(
        flags["model"],
        flags["recipe"],
        flags["tasks"],
        options=dict(pairs(flags["options"], "-o")),
        recipe_options=dict(pairs(flags["recipe_options"], "-r")),
        spec_options=dict(pairs(flags["spec_options"], "--task-option")),
        data=dict(data_paths(flags["data"])),
        profile=flags["profile"],
        settings=given(TrainingSettings, flags),
        form=flags["form"],
        limit=flags["limit"],
        train_parts=flags["parts"],
        tower=flags["tower"],
        track=flags["track"],
        lora=LoraSettings(**{name: flags[f"lora_{name}"] for name in _LORA}),
    )
    first, estimate = plan.is_first(), plan.estimate(flags["out"])
    console = Console(stderr=bool(flags["as_json"]), highlight=False, quiet=not first)
    _print_plan(plan, estimate, console)
    if flags["dry_run"]:
        if flags["as_json"] and first:
            emit(json.dumps(_plan_json(plan, estimate, flags["out"]), indent=2))
        return 0
    with _Display(console, plan.settings.epochs, plan.steps, says_time=estimate is None) as display:
        out = plan.run(flags["out"], display)
    if flags["as_json"] and first:
        emit(record_of(out), nl=False)
    console.print(f"trained: {out}", soft_wrap=True)
    console.print(
        f"evaluate it: harness run --model {flags['model']} --checkpoint {out} --tasks ...",
        soft_wrap=True,
    )
    return 0


def _print_plan(plan: TrainingPlan, estimate: Estimate | None, console: Console) -> None:
    table = Table(title="Plan", title_justify="left", box=None, pad_edge=False, show_header=False)
    options = ", ".join(f"{name}={value}" for name, value in plan.options.items())
    settings = plan.settings
    rows = {
        "model": plan.subject.descriptor.id,
        "recipe": f"{plan.recipe.id}: {options}",
        "samples": ", ".join(f"{task} {count:,}" for task, count in _samples(plan).items()),
        "steps": f"{plan.steps:,} (epochs: {settings.epochs}, "
        f"samples a step: {settings.batch_size})",
        "trains": f"{plan.parts}, learning rate {settings.learning_rate:g}, {settings.precision}",
        **_processes(plan),
        **_cost(plan, estimate),
    }
    if plan.validation is not None:
        about = plan.validation.about()
        rows["validates"] = (
            f"{about['task']} {about['metric']} on {about['samples']:,} samples of "
            f"{'clusters held out of ' if about['held_out'] else ''}{about['split']}"
        )
    if plan.pool.skipped:
        rows["left out"] = f"{plan.pool.skipped:,} samples without a right answer"
    if plan.notes:
        rows["note"] = "; ".join(plan.notes)
    for name, text in rows.items():
        table.add_row(name, escape(text))
    console.print(table)


def _samples(plan: TrainingPlan) -> dict[str, int]:
    """Return the number of samples of each task."""
    return dict(Counter(example.task for example in plan.pool.examples))


def _processes(plan: TrainingPlan) -> dict[str, str]:
    """Return a row on processes where there are several."""
    count = plan.about.get("processes")
    if count is None:
        return {}
    each = "a part of the model (--shard)" if plan.settings.shard else "the whole model"
    return {"processes": f"{count}, each with {each}"}


def _plan_json(plan: TrainingPlan, estimate: Estimate | None, out: Path) -> dict[str, Any]:
    """Return the plan as plain data: what decides the weights as ``train.json`` has it, and more.

    What an earlier training would tell is ``null`` where there is none.
    """
    return {
        "directory": str(out),
        "fingerprint": plan.fingerprint,
        "samples": _samples(plan),
        "steps": plan.steps,
        "parameters": estimate and dict(estimate.sizes),
        "seconds": estimate and estimate.seconds,
        "notes": list(plan.notes),
        "processes": 1,
        **plan.about,
    }


def _cost(plan: TrainingPlan, estimate: Estimate | None) -> dict[str, str]:
    """Return rows on parameters, memory and time, or when they will be known."""
    loaded = "known when the model is loaded"
    if estimate is None:
        return {"parameters": loaded, "memory": loaded, "time": _LATER}
    sizes = estimate.sizes
    time_left = duration(estimate.seconds) + (" without validation" if plan.validation else "")
    return {
        "parameters": f"trains {sizes['trained']:,} of {sizes['all']:,}",
        "memory": f"{sizes['bytes'] / 2**20:,.0f} MiB, activations on top",
        "time": f"about {time_left}, judged by the training {estimate.folder.name!r}",
    }


class _Display:
    """A progress bar over steps or a line a minute, and a line for each epoch.

    Args:
        console: Where to print.
        epochs: Epochs of the whole training.
        steps: Steps of the whole training.
        says_time: Say once, when it is known, what time is left.
    """

    def __init__(self, console: Console, epochs: int, steps: int, *, says_time: bool) -> None:
        self._console = console
        self._epochs = epochs
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
            speed_estimate_period=3600,  # a step of a large model takes minutes
        )
        self._bar = self._progress.add_task("steps", total=steps)
        self._lines: EachMinuteSteps | None = None
        if not console.is_terminal and not console.quiet:
            self._lines = EachMinuteSteps(log, "training", steps)
        self._steps = steps
        self._before = 0
        self._says_time = says_time
        self._first: tuple[float, int] | None = None

    def __enter__(self) -> _Display:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def step(self, figures: Mapping[str, float]) -> None:
        """Move the bar; say when memory made batches smaller."""
        if "micro_batch" in figures:
            self.say(f"memory ran out: micro-batches of {figures['micro_batch']:.0f}")
            return
        if self._lines is not None:
            self._lines.step(figures)
        done = self._before + int(figures.get("step", 0))
        self._progress.update(self._bar, completed=done)
        if (loss := figures.get("loss")) is not None:
            self._progress.update(self._bar, description=f"loss {loss:.3f}")
        if self._says_time:
            self._say_time(done)

    def epoch(self, number: int, figures: Mapping[str, Json]) -> None:
        """Print what an epoch will see, or its figures when it ended."""
        if self._lines is not None:
            self._lines.epoch(number, figures)
        if isinstance(steps := figures.get("steps"), int):
            self._before += steps
            line = came_to(figures)
        else:
            line = ", ".join([*chosen(figures), *parts(figures)])
        if line:
            self.say(f"epoch {number + 1} of {self._epochs}: {line}")

    def _say_time(self, done: int) -> None:
        """Say what time is left, a few steps after the first one, which is slower than others."""
        now = time.monotonic()
        if self._first is None:
            self._first = now, done
            return
        began, first = self._first
        if done - first >= _FEW:
            left = duration((now - began) / (done - first) * (self._steps - done))
            self.say(f"about {left} of training left")
            self._says_time = False

    def say(self, note: str) -> None:
        """Print a note above the bar."""
        self._console.print(escape(note), soft_wrap=True)
