"""Everything the command line does, as typed functions."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, TypedDict, Unpack

from harness.arguments import Within, checked, given
from harness.config.data import unused
from harness.config.settings import Settings, load_settings
from harness.descriptors import Json
from harness.errors import UserError
from harness.evaluation.methods import find_method
from harness.evaluation.model import ConfiguredModel, configure_model
from harness.evaluation.plan import Selection
from harness.evaluation.run import (
    Planned,
    Reporter,
    RunResult,
    plan_run,
    run_tasks,
    show_plan,
    task_options,
)
from harness.evaluation.run_settings import RunSettings
from harness.evaluation.task import Task
from harness.models import Runtime, threads
from harness.models.parts import LoraSettings
from harness.plugins import plugins
from harness.runs import EvaluationRecord, read_evaluations
from harness.runs import read_evaluation as _read_evaluation
from harness.specs.catalog import load_catalog
from harness.specs.prompt import lists_options
from harness.specs.variants import check_found, variants_of
from harness.stats.intervals import over_seeds
from harness.tables.build import TableOptions, build_table
from harness.tables.known import Known, listed
from harness.tables.layout import Layout, load_layout
from harness.tables.table import Table
from harness.training.checkpoint import open_checkpoint
from harness.training.plan import TrainingPlan
from harness.training.plan import plan_training as planned_training
from harness.training.run import Watcher, run_training
from harness.training.settings import TrainingSettings
from harness.training.validation import named_task

__all__ = [
    "find_model",
    "leaderboard",
    "load_task",
    "plan",
    "read_evaluation",
    "run",
]


class NullReporter:
    """A reporter that shows nothing."""

    def planned(self, jobs: Sequence[Planned]) -> None:
        """Ignore the plan."""

    def task(self, job: Planned) -> None:
        """Ignore the task."""

    def progress(self, samples: int) -> None:
        """Ignore progress."""

    def say(self, note: str) -> None:
        """Ignore a note."""


@checked
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


@checked
def find_model(
    name: str,
    *,
    options: Mapping[str, Json] | None = None,
    runtime: Runtime | None = None,
    profile: str | None = None,
    settings: Settings | None = None,
) -> ConfiguredModel:
    """Return a model by id; its weights are loaded when it first answers.

    Raises:
        UserError: unknown model, option or preset.
    """
    held = settings or load_settings(profile=profile)
    return configure_model(
        name, options or {}, held, runtime or Runtime(cache=held.cache / "features")
    )


class RunOptions(TypedDict, total=False):
    """How a run asks: one key for each flag of ``harness run``.

    Attributes:
        options: The model's options (``-o``).
        spec_options: Named options of specs, as ``TASK.OPTION``.
        data: Task or benchmark id to the folder its data lie in.
        profile: ``demo`` or ``full``.
        results: Folder of the records.
        limit: So many samples a task; the record is marked ``limited``.
        ids: Only these samples; a text may hold several, separated by commas.
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

    options: Mapping[str, Json] | None
    spec_options: Mapping[str, Json] | None
    data: Mapping[str, Path | str] | None
    profile: str | None
    results: Path | str | None
    limit: Annotated[int | None, Within(1)]
    ids: str | Iterable[str] | None
    device: str
    dtype: Literal["auto", "float32", "bfloat16", "float16"]
    batch_size: Annotated[int | None, Within(1)]
    deterministic: bool
    kv_budget: Annotated[int | None, Within(1)]
    threads: Annotated[int, Within(1)] | Literal["auto"]
    seed: int
    variants: str
    max_pixels: Annotated[int, Within(1)]
    max_errors: Annotated[float, Within(0, 1)]
    retry_errors: bool
    again: bool
    workers: Annotated[int, Within(0)]
    checkpoint: Path | str | None
    method: str | None
    method_options: Mapping[str, Json] | None


@checked
def plan(
    model: str, tasks: str | Iterable[str], **asked: Unpack[RunOptions]
) -> tuple[ConfiguredModel, list[Planned], RunSettings]:
    """Plan a run without loading a weight; arguments as for :func:`run`."""
    settings = _settings(asked.get("profile"), asked.get("results"), asked.get("data"))
    wanted, ids = listed(tasks), asked.get("ids")
    if isinstance(ids, str):  # in a list they may hold commas
        ids = listed(ids)
    chosen = Selection(asked.get("limit"), None if ids is None else frozenset(ids))
    terms = given(RunSettings, asked, selection=chosen, named=frozenset(wanted))
    runtime = replace(
        given(Runtime, asked, cache=settings.cache / "features"), threads=terms.threads
    )
    folder = asked.get("checkpoint")
    weights = None if folder is None else open_checkpoint(Path(folder))
    named, options = asked.get("method"), asked.get("method_options") or {}
    if options and named is None:
        raise UserError("options of a method, and no method", fix="--method ID")
    method = None if named is None else find_method(named, options)
    subject = configure_model(
        model, asked.get("options") or {}, settings, runtime, weights, method=method
    )
    catalog = load_catalog(plugins().spec_folders())
    names = catalog.expand(wanted)
    of_tasks = task_options(asked.get("spec_options") or {}, names)
    specs = [catalog.task(name, of_tasks.get(name, {})) for name in names]
    terms = replace(terms, notes=unused(asked.get("data") or {}, specs))
    variants = asked.get("variants") or ""
    every = [
        one
        for spec in specs
        for one in (spec, *variants_of(spec, variants, lists_options=lists_options(spec)))
    ]
    check_found(variants, every)
    return subject, plan_run(subject, [Task(spec, settings) for spec in every], terms), terms


def _settings(
    profile: str | None, results: Path | str | None, data: Mapping[str, Path | str] | None
) -> Settings:
    """Return settings in which what is given wins."""
    return load_settings(
        profile=profile,
        results=None if results is None else Path(results),
        data=None if data is None else {name: Path(path) for name, path in data.items()},
    )


@checked
def run(
    model: str,
    tasks: str | Iterable[str],
    *,
    reporter: Reporter | None = None,
    **asked: Unpack[RunOptions],
) -> RunResult:
    """Evaluate a model on tasks; what is sealed already is not computed again.

    Args:
        model: A model's id.
        tasks: Ids of tasks or groups; a text may hold several, separated by commas.
        reporter: Who watches.
        asked: See :class:`RunOptions`.

    Raises:
        UserError: whatever is wrong with the request; nothing is computed then.
    """
    watcher = reporter or NullReporter()
    subject, planned, terms = plan(model, tasks, **asked)
    show_plan(subject, planned, watcher)
    return run_tasks(subject, planned, terms, watcher)


class TrainOptions(TypedDict, total=False):
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
        lora: Shape of adapters, or a mapping of its ``rank``, ``alpha``, ``dropout``.
        tower: A training whose vision tower is in the place of the model's own.
    """

    options: Mapping[str, Json] | None
    recipe_options: Mapping[str, Json] | None
    spec_options: Mapping[str, Json] | None
    data: Mapping[str, Path | str] | None
    profile: str | None
    settings: TrainingSettings | None
    form: str | None
    limit: Annotated[int | None, Within(1)]
    parts: str
    lora: LoraSettings | Mapping[str, Json] | None
    tower: Path | str | None


@checked
def plan_training(
    model: str, recipe: str, tasks: str | Iterable[str], **asked: Unpack[TrainOptions]
) -> TrainingPlan:
    """Plan a training without loading a weight; arguments as for :func:`train`."""
    threads.wait_passively(if_busy=True)
    how = asked.get("settings") or TrainingSettings()
    held = _settings(asked.get("profile"), None, asked.get("data"))
    # Half a number's digits are too few for small steps: without autocast all weights are whole.
    dtype = "float32" if how.precision == "float32" else "auto"
    runtime = Runtime(device=how.device, dtype=dtype, cache=held.cache / "features")
    subject = configure_model(model, asked.get("options") or {}, held, runtime)
    catalog = load_catalog(plugins().spec_folders())
    names = catalog.expand(listed(tasks))
    judge = [named_task(how.validate)[0]] if how.validate else []
    chosen = task_options(asked.get("spec_options") or {}, [*names, *judge])
    found = {
        name: Task(catalog.task(name, chosen.get(name, {})), held) for name in (*names, *judge)
    }
    settled: dict[str, Any] = {
        name: asked[name]
        for name in ("form", "limit", "parts", "lora", "tower")
        if asked.get(name) is not None
    }
    planned = planned_training(
        subject,
        [found[name] for name in names],
        recipe,
        options=asked.get("recipe_options") or {},
        settings=how,
        validated=found[judge[0]] if judge else None,
        **settled,
    )
    notes = unused(asked.get("data") or {}, (task.spec for task in found.values()))
    return replace(planned, notes=(*planned.notes, *notes))


@checked
def train(
    model: str,
    recipe: str,
    tasks: str | Iterable[str],
    out: Path | str,
    *,
    watcher: Watcher | None = None,
    **asked: Unpack[TrainOptions],
) -> Path:
    """Train a model by a recipe and return the folder; continues what was begun there.

    Args:
        model: A model's id.
        recipe: A recipe's id.
        tasks: Tasks and groups whose train splits are learnt.
        out: Folder of the training.
        watcher: Who watches.
        asked: See :class:`TrainOptions`.

    Raises:
        UserError: whatever is wrong with the request, or the folder holds another training.
    """
    return run_training(plan_training(model, recipe, tasks, **asked), Path(out), watcher)


@checked
def read_evaluation(directory: Path | str, *, whole: bool = True) -> EvaluationRecord:
    """Read one finished evaluation, checking its seal.

    Args:
        directory: Of the evaluation.
        whole: ``False`` reads what a table needs: slices, details and comparisons stay empty.

    Raises:
        UserError: not there, not finished, damaged, or of a newer format.
    """
    return _read_evaluation(directory, whole=whole)


@checked
def leaderboard(
    place: Path | str | Iterable[EvaluationRecord] | None = None,
    *,
    tasks: str | Iterable[str] | None = None,
    metric: str | None = None,
    layout: Path | str | None = None,
    ways: TableOptions | None = None,
) -> Table:
    """Return the table of finished evaluations; warns of those that are damaged or unfinished.

    Args:
        place: A results folder, a run manifest, or records; by default the layout's runs, or the
            results folder of the settings.
        tasks: Ids of the tasks and groups to show, in this order; a text may hold several,
            separated by commas.
        metric: Id or heading of the metric to show instead of each task's own.
        layout: Name or file of a layout, in the place of both.
        ways: Baseline, rule for duplicates, looks and tests.

    Raises:
        UserError: no record, an unknown task, metric or layout, or two evaluations for one cell.
    """
    if layout is not None and (tasks is not None or metric is not None):
        raise UserError("a layout says which tasks and metrics", fix="leave out tasks and metric")
    held = None if layout is None else load_layout(str(layout))
    records, known = _records(place, held), Known()
    chosen = known.chosen(tasks, records)
    if chosen is None and held is None:
        records = known.ordered(records)
    ways = ways or TableOptions()
    return build_table(
        records,
        tasks=chosen,
        metric=metric,
        layout=held,
        ways=replace(
            ways,
            supports=ways.supports or known.supports,
            seed_interval=ways.seed_interval or (over_seeds if ways.duplicates == "mean" else None),
        ),
    )


def _records(
    place: Path | str | Iterable[EvaluationRecord] | None, layout: Layout | None
) -> list[EvaluationRecord]:
    """Return the evaluations of a place, each once; what is left out is a warning."""
    if place is not None and not isinstance(place, Path | str):
        return list(place)
    results = load_settings().results
    places = [place] if place is not None else list(layout.runs) if layout is not None else []
    records: dict[Path, EvaluationRecord] = {}
    for folder in places or [results]:
        run = results / "runs" / f"{folder}.json"
        by_name = not Path(folder).exists() and run.is_file()
        found, problems = read_evaluations(run if by_name else folder)
        for problem in problems:
            warnings.warn(f"left out: {problem}", stacklevel=4)
        records |= {record.directory.resolve(): record for record in found}
    return list(records.values())
