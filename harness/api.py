"""Everything the command line does, as typed functions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from harness.config.settings import Settings, load_settings
from harness.descriptors import Json
from harness.evaluation.plan import Selection
from harness.evaluation.run import (
    MAX_ERRORS,
    Planned,
    Reporter,
    RunResult,
    Terms,
    plan_run,
    run_tasks,
    task_options,
)
from harness.evaluation.subject import Subject, find_subject
from harness.evaluation.task import Task
from harness.models import Runtime
from harness.plugins import plugins
from harness.runs import EvaluationRecord, read_evaluation, read_evaluations
from harness.samples.images import MAX_PIXELS
from harness.specs.catalog import load_catalog
from harness.specs.prompt import lists_options
from harness.specs.variants import variants_of
from harness.tables.build import build_table
from harness.tables.table import Table

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


def plan(  # noqa: PLR0913  one keyword for each flag of `harness run`
    model: str,
    tasks: str | Iterable[str],
    *,
    options: Mapping[str, Json] | None = None,
    spec_options: Mapping[str, Json] | None = None,
    data: Mapping[str, Path] | None = None,
    profile: str | None = None,
    results: Path | str | None = None,
    limit: int | None = None,
    ids: Iterable[str] | None = None,
    device: str = "auto",
    dtype: str = "auto",
    batch_size: int | None = None,
    deterministic: bool = False,
    seed: int = 0,
    variants: str = "",
    max_pixels: int = MAX_PIXELS,
    max_errors: float = MAX_ERRORS,
) -> tuple[Subject, list[Planned], Terms]:
    """Plan a run without loading a weight; arguments as for :func:`run`."""
    settings = load_settings(profile=profile, results=Path(results) if results else None, data=data)
    runtime = Runtime(
        device=device,
        dtype=dtype,
        batch_size=batch_size,
        deterministic=deterministic,
        cache=settings.cache / "features",
    )
    subject = find_subject(model, options or {}, settings, runtime)
    catalog = load_catalog(plugins().spec_folders())
    names = catalog.expand([tasks] if isinstance(tasks, str) else list(tasks))
    chosen = task_options(spec_options or {}, names)
    terms = Terms(
        selection=Selection(limit, frozenset(ids) if ids is not None else None),
        seed=seed,
        max_pixels=max_pixels,
        max_errors=max_errors,
    )
    specs = [catalog.task(name, chosen.get(name, {})) for name in names]
    asked = [
        one
        for spec in specs
        for one in (spec, *variants_of(spec, variants, lists_options=lists_options(spec)))
    ]
    return subject, plan_run(subject, [Task(spec, settings) for spec in asked], terms), terms


def run(  # noqa: PLR0913  one keyword for each flag of `harness run`
    model: str,
    tasks: str | Iterable[str],
    *,
    options: Mapping[str, Json] | None = None,
    spec_options: Mapping[str, Json] | None = None,
    data: Mapping[str, Path] | None = None,
    profile: str | None = None,
    results: Path | str | None = None,
    limit: int | None = None,
    ids: Iterable[str] | None = None,
    device: str = "auto",
    dtype: str = "auto",
    batch_size: int | None = None,
    deterministic: bool = False,
    seed: int = 0,
    variants: str = "",
    max_pixels: int = MAX_PIXELS,
    max_errors: float = MAX_ERRORS,
    reporter: Reporter | None = None,
) -> RunResult:
    """Evaluate a model on tasks; what is sealed already is not computed again.

    Args:
        model: A model's id.
        tasks: Ids of tasks or groups; a string may hold several, separated by commas.
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
        seed: For whatever is random.
        variants: Ways of asking each task otherwise as well: ``paraphrases``, ``rotations=3``,
            ``shuffles=3`` (of options that a prompt lists), separated by commas.
        max_pixels: Larger images are errors.
        max_errors: Share of samples that may error before ``failed`` says so.
        reporter: Who watches.

    Raises:
        UserError: whatever is wrong with the request; nothing is computed then.
    """
    watcher = reporter or Silent()
    subject, planned, terms = plan(
        model,
        tasks,
        options=options,
        spec_options=spec_options,
        data=data,
        profile=profile,
        results=results,
        limit=limit,
        ids=ids,
        device=device,
        dtype=dtype,
        batch_size=batch_size,
        deterministic=deterministic,
        seed=seed,
        variants=variants,
        max_pixels=max_pixels,
        max_errors=max_errors,
    )
    watcher.planned(planned)
    return run_tasks(subject, planned, terms, watcher)


def leaderboard(
    place: Path | str | Iterable[EvaluationRecord] = "results",
    *,
    tasks: Sequence[str] | None = None,
) -> Table:
    """Return the table of finished evaluations: a results folder, a run manifest, or records."""
    if isinstance(place, Path | str):
        records, _ = read_evaluations(place)
    else:
        records = list(place)
    return build_table(records, tasks=tasks)
