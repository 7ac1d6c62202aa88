"""Everything the command line does, as typed functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Literal, TypedDict, Unpack

from harness.config.data import refuse_unused
from harness.config.settings import Settings, load_settings
from harness.descriptors import Json
from harness.errors import UserError
from harness.evaluation.methods import find_method
from harness.evaluation.plan import Selection
from harness.evaluation.run import (
    MAX_ERRORS,
    Planned,
    Reporter,
    RunResult,
    Terms,
    plan_run,
    run_tasks,
    show_plan,
    task_options,
)
from harness.evaluation.subject import Subject, find_subject
from harness.evaluation.task import Task
from harness.models import Runtime, threads
from harness.plugins import plugins
from harness.runs import EvaluationRecord, read_evaluation, read_evaluations
from harness.samples.images import MAX_PIXELS
from harness.specs.catalog import load_catalog
from harness.specs.prompt import lists_options
from harness.specs.variants import check_found, variants_of
from harness.tables.build import Ways, build_table
from harness.tables.layout import load_layout
from harness.tables.table import Table
from harness.training.checkpoint import open_checkpoint
from harness.training.plan import TrainingPlan
from harness.training.plan import plan_training as planned_training
from harness.training.run import Watcher, run_training
from harness.training.settings import TrainingSettings
from harness.training.validation import named_task

__all__ = [
    "leaderboard",
    "load_model",
    "load_task",
    "plan",
    "read_evaluation",
    "run",
]


class Silent:
    """A reporter that shows nothing."""

    def planned(self, jobs: Sequence[Planned]) -> None:
        """Ignore the plan."""

    def task(self, job: Planned) -> None:
        """Ignore the task."""

    def progress(self, samples: int) -> None:
        """Ignore progress."""

    def say(self, note: str) -> None:
        """Ignore a note."""


def load_task(
    name: str,
    *,
    options: Mapping[str, Json] | None = None,
    data: Path | str | None = None,
    profile: str | None = None,
    settings: Settings | None = None,
) -> Task:
    """Return a task by id; its samples are read when they are asked for.

    Args:
        name: The task's id.
        options: Named options of the spec.
        data: Folder of its data; the profile's otherwise.
        profile: ``demo`` or ``full``.
        settings: Settings already read, instead of a profile.

    Raises:
        UserError: unknown task or option.
    """
    held = settings or load_settings(profile=profile)
    if data is not None:
        held = held.with_data({name: Path(data)})
    catalog = load_catalog(plugins().spec_folders())
    return Task(catalog.task(name, options or {}), held)


def load_model(
    name: str,
    *,
    options: Mapping[str, Json] | None = None,
    runtime: Runtime | None = None,
    profile: str | None = None,
    settings: Settings | None = None,
) -> Subject:
    """Return a model by id; its weights are loaded when it first answers.

    Raises:
        UserError: unknown model, option or preset.
    """
    held = settings or load_settings(profile=profile)
    return find_subject(
        name, options or {}, held, runtime or Runtime(cache=held.cache / "features")
    )


class Asking(TypedDict, total=False):
    """How a run asks: one key for each flag of ``harness run``.

    Attributes:
        options: The model's options (``-o``).
        spec_options: Named options of specs, as ``TASK.OPTION``.
        data: Task or benchmark id to the folder its data lie in.
        profile: ``demo`` or ``full``.
        results: Folder of the records.
        limit: So many samples a task; the record is marked ``limited``.
        ids: Only these samples.
        device: ``auto``, ``cpu``, ``cuda``, ``cuda:1``, ``mps``.
        dtype: ``auto``, ``float32``, ``bfloat16``, ``float16``.
        batch_size: Requests a forward pass; the model chooses when ``None``.
        deterministic: Records byte-equal at any batch size.
        kv_budget: Bytes that keys and values may take at once.
        threads: Of PyTorch on a CPU; ``auto`` goes by the model's size and by what else runs. They
            wait without spinning, unless PyTorch was imported before.
        seed: For whatever is random.
        variants: Ways of asking each task otherwise as well: ``paraphrases``, ``rotations=3``,
            ``shuffles=3`` (of options that a prompt lists), separated by commas.
        max_pixels: Larger images are errors.
        max_errors: Share of samples that may error before ``failed`` says so.
        retry_errors: Ask blocks that hold a sample error again, sealed or not.
        again: Set aside what is there, and ask all of it anew.
        workers: Processes that open images ahead; a thread does when 0.
        checkpoint: Folder of a finished training, put over the model's own weights.
        method: Id of a method at answer time.
        method_options: Its options.
    """

    options: Mapping[str, Json]
    spec_options: Mapping[str, Json]
    data: Mapping[str, Path]
    profile: str | None
    results: Path | str | None
    limit: int | None
    ids: Iterable[str] | None
    device: str
    dtype: str
    batch_size: int | None
    deterministic: bool
    kv_budget: int | None
    threads: int | Literal["auto"]
    seed: int
    variants: str
    max_pixels: int
    max_errors: float
    retry_errors: bool
    again: bool
    workers: int
    checkpoint: Path | None
    method: str | None
    method_options: Mapping[str, Json]


def plan(
    model: str, tasks: str | Iterable[str], **asked: Unpack[Asking]
) -> tuple[Subject, list[Planned], Terms]:
    """Plan a run without loading a weight; arguments as for :func:`run`."""
    results = asked.get("results")
    if asked.get("workers", 0) < 0:
        raise UserError("fewer than no workers", fix="workers=0 opens images in a thread")
    if (number := asked.get("threads", "auto")) != "auto" and number < 1:
        raise UserError(f"{number} threads compute nothing", fix="threads='auto', or 1 or more")
    settings = load_settings(
        profile=asked.get("profile"),
        results=Path(results) if results else None,
        data=asked.get("data"),
    )
    runtime = Runtime(
        device=asked.get("device", "auto"),
        dtype=asked.get("dtype", "auto"),
        batch_size=asked.get("batch_size"),
        deterministic=asked.get("deterministic", False),
        cache=settings.cache / "features",
        kv_budget=asked.get("kv_budget"),
        threads=asked.get("threads", "auto"),
    )
    folder = asked.get("checkpoint")
    weights = None if folder is None else open_checkpoint(folder)
    named, given = asked.get("method"), asked.get("method_options", {})
    if given and named is None:
        raise UserError("options of a method, and no method", fix="--method ID")
    method = None if named is None else find_method(named, given)
    subject = find_subject(
        model, asked.get("options", {}), settings, runtime, weights, method=method
    )
    ids = asked.get("ids")
    wanted = [tasks] if isinstance(tasks, str) else list(tasks)
    terms = Terms(
        selection=Selection(asked.get("limit"), None if ids is None else frozenset(ids)),
        seed=asked.get("seed", 0),
        max_pixels=asked.get("max_pixels", MAX_PIXELS),
        max_errors=asked.get("max_errors", MAX_ERRORS),
        retry_errors=asked.get("retry_errors", False),
        again=asked.get("again", False),
        workers=asked.get("workers", 0),
        named=frozenset(part.strip() for text in wanted for part in text.split(",")),
    )
    catalog = load_catalog(plugins().spec_folders())
    names = catalog.expand(wanted)
    chosen = task_options(asked.get("spec_options", {}), names)
    specs = [catalog.task(name, chosen.get(name, {})) for name in names]
    refuse_unused(asked.get("data", {}), specs)
    variants = asked.get("variants", "")
    every = [
        one
        for spec in specs
        for one in (spec, *variants_of(spec, variants, lists_options=lists_options(spec)))
    ]
    check_found(variants, every)
    return subject, plan_run(subject, [Task(spec, settings) for spec in every], terms), terms


def run(
    model: str,
    tasks: str | Iterable[str],
    *,
    reporter: Reporter | None = None,
    **asked: Unpack[Asking],
) -> RunResult:
    """Evaluate a model on tasks; what is sealed already is not computed again.

    Args:
        model: A model's id.
        tasks: Ids of tasks or groups; a string may hold several, separated by commas.
        reporter: Who watches.
        asked: See :class:`Asking`.

    Raises:
        UserError: whatever is wrong with the request; nothing is computed then.
    """
    watcher = reporter or Silent()
    subject, planned, terms = plan(model, tasks, **asked)
    show_plan(subject, planned, watcher)
    return run_tasks(subject, planned, terms, watcher)


class Teaching(TypedDict, total=False):
    """How a training goes: one key for each group of flags of ``harness train``.

    Attributes:
        options: The model's options (``-o``).
        recipe_options: The recipe's (``-r``).
        spec_options: Named options of specs, as ``TASK.OPTION``.
        data: Task or benchmark id to the folder its data lie in.
        profile: ``demo`` or ``full``.
        settings: Epochs, batch, rate and so on.
        form: A task's form for training; the first by default.
        limit: So many samples a task at most.
        parts: What trains: ``auto``, ``full`` or names.
        lora: ``rank``, ``alpha``, ``dropout``.
        tower: A training whose vision tower is in the place of the model's own.
    """

    options: Mapping[str, Json]
    recipe_options: Mapping[str, Json]
    spec_options: Mapping[str, Json]
    data: Mapping[str, Path]
    profile: str | None
    settings: TrainingSettings
    form: str | None
    limit: int | None
    parts: str
    lora: Mapping[str, Json]
    tower: Path | None


def plan_training(
    model: str, recipe: str, tasks: str | Iterable[str], **asked: Unpack[Teaching]
) -> TrainingPlan:
    """Plan a training without loading a weight; arguments as for :func:`train`."""
    threads.wait_passively(if_busy=True)
    how = asked.get("settings", TrainingSettings())
    held = load_settings(profile=asked.get("profile"), data=asked.get("data"))
    # Half a number's digits are too few for small steps: without autocast all weights are whole.
    dtype = "float32" if how.precision == "float32" else "auto"
    runtime = Runtime(device=how.device, dtype=dtype, cache=held.cache / "features")
    subject = find_subject(model, asked.get("options", {}), held, runtime)
    catalog = load_catalog(plugins().spec_folders())
    names = catalog.expand([tasks] if isinstance(tasks, str) else list(tasks))
    judge = [named_task(how.validate)[0]] if how.validate else []
    chosen = task_options(asked.get("spec_options", {}), [*names, *judge])
    found = {
        name: Task(catalog.task(name, chosen.get(name, {})), held) for name in (*names, *judge)
    }
    refuse_unused(asked.get("data", {}), (task.spec for task in found.values()))
    return planned_training(
        subject,
        [found[name] for name in names],
        recipe,
        options=asked.get("recipe_options", {}),
        settings=how,
        form=asked.get("form"),
        limit=asked.get("limit"),
        parts=asked.get("parts", "auto"),
        lora=asked.get("lora"),
        tower=asked.get("tower"),
        validated=found[judge[0]] if judge else None,
    )


def train(
    model: str,
    recipe: str,
    tasks: str | Iterable[str],
    out: Path,
    *,
    watcher: Watcher | None = None,
    **asked: Unpack[Teaching],
) -> Path:
    """Train a model by a recipe and return the folder; continues what was begun there.

    Args:
        model: A model's id.
        recipe: A recipe's id.
        tasks: Tasks and groups whose train splits are learnt.
        out: Folder of the training.
        watcher: Who watches.
        asked: See :class:`Teaching`.

    Raises:
        UserError: whatever is wrong with the request, or the folder holds another training.
    """
    return run_training(plan_training(model, recipe, tasks, **asked), out, watcher)


def leaderboard(
    place: Path | str | Iterable[EvaluationRecord] = "results",
    *,
    tasks: Sequence[str] | None = None,
    metric: str | None = None,
    layout: str | None = None,
    ways: Ways | None = None,
) -> Table:
    """Return the table of finished evaluations.

    Args:
        place: A results folder, a run manifest, or records.
        tasks: Ids of the tasks to show, in this order.
        metric: Id or heading of the metric to show instead of each task's own.
        layout: Name or file of a layout, in the place of both.
        ways: Baseline, rule for duplicates, looks and tests.

    Raises:
        UserError: no record, an unknown task, metric or layout, or two evaluations for one cell.
    """
    if isinstance(place, Path | str):
        records, _ = read_evaluations(place)
    else:
        records = list(place)
    held = None if layout is None else load_layout(layout)
    return build_table(records, tasks=tasks, metric=metric, layout=held, ways=ways)
