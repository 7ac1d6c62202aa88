"""Explain a model: :func:`harness.probe`, ``gradients``, ``transfer`` and ``mir``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal, TypedDict, Unpack

from harness.analysis.results import Analysis
from harness.api.runs import settings_for
from harness.arguments import FORMER, Device, Within, checked
from harness.config.data import chosen_spec
from harness.config.settings import Settings
from harness.config.tasks import installed_catalog, task_names
from harness.descriptors import Json
from harness.evaluation.model import ConfiguredModel, configure_model
from harness.evaluation.run import task_options
from harness.evaluation.task import Task
from harness.models import Runtime, threads
from harness.workers.start import FoundExecutor, as_json, find_executor
from harness_training.checkpoint import open_trained

from harness_analyses.encoders import find_encoder
from harness_analyses.gradients import GradientSettings, plan_gradients, run_gradients
from harness_analyses.mir import MirSettings, run_mir
from harness_analyses.probe import ProbeSettings, run_probe
from harness_analyses.splits import read_task
from harness_analyses.transfer import run_transfer

if TYPE_CHECKING:
    from harness_analyses.on_workers import AnalysisWorkers

for _name in ("probe", "gradients", "mir"):
    FORMER[_name] = {"say": "on_note"}

__all__ = [
    "AnalysisOptions",
    "GradientSettings",
    "MirSettings",
    "ProbeSettings",
    "gradients",
    "mir",
    "probe",
    "transfer",
]

Say = Callable[[str], None]


class AnalysisOptions(TypedDict, total=False):
    """Options that analyses share, as :class:`harness.api.runs.RunOptions` has them.

    Attributes:
        spec_options: Named options of specs, as ``TASK.OPTION``.
        data: Task or benchmark id to the folder its data lie in.
        profile: ``demo`` or ``full``.
        results: Folder of the records.
        device: ``auto``, ``cpu``, ``cuda``, ...
        dtype: ``auto``, ``float32``, ``bfloat16``, ``float16``.
    """

    spec_options: Mapping[str, Json] | None
    data: Mapping[str, Path | str] | None
    profile: str | None
    results: Path | str | None
    device: Device
    dtype: Literal["auto", "float32", "bfloat16", "float16"]


def _silent(_: str) -> None:
    pass


def prepared(
    tasks: str | Iterable[str], shared: AnalysisOptions
) -> tuple[Settings, list[Task], Runtime]:
    """Return the settings, tasks and runtime of an analysis."""
    threads.wait_passively()
    named = task_names(tasks)
    settings = settings_for(shared.get("profile"), shared.get("results"), shared.get("data"))
    names = installed_catalog().expand(named)
    spec_options = task_options(shared.get("spec_options") or {}, names)
    specs = [chosen_spec(name, spec_options.get(name, {}), settings) for name in names]
    runtime = Runtime(
        device=shared.get("device", "auto"),
        dtype=shared.get("dtype", "auto"),
        cache=settings.cache / "features",
    )
    return settings, [Task(spec, settings) for spec in specs], runtime


def with_model(
    model: str,
    tasks: str | Iterable[str],
    options: Mapping[str, Json] | None,
    checkpoint: Path | str | None,
    shared: AnalysisOptions,
) -> tuple[Settings, list[Task], ConfiguredModel]:
    """Return the settings and tasks of an analysis, and the model that it is of."""
    settings, found_tasks, runtime = prepared(tasks, shared)
    weights = None if checkpoint is None else open_trained(Path(checkpoint))
    configured = configure_model(model, options or {}, settings, runtime, weights)
    return settings, found_tasks, configured


def _executor(on: str | None, options: Mapping[str, Json] | None) -> FoundExecutor | None:
    return find_executor(on, options or {}) if on is not None or options else None


def _workers(  # noqa: PLR0917  the arguments of a call
    executor: FoundExecutor,
    call: Mapping[str, Json],
    settings: ProbeSettings | GradientSettings,
    tasks: str | Iterable[str],
    general: Settings,
    shared: AnalysisOptions,
    say: Say,
) -> AnalysisWorkers:
    """Return workers that plan with the arguments of a call."""
    from harness_analyses.on_workers import AnalysisWorkers

    arguments: dict[str, Json] = {
        **call,
        "settings": asdict(settings),
        "tasks": list[Json](task_names(tasks)),
        "spec_options": dict(shared.get("spec_options") or {}),
        "data": as_json({name: Path(path) for name, path in (shared.get("data") or {}).items()}),
        "profile": general.profile,
        "device": shared.get("device", "auto"),
        "dtype": shared.get("dtype", "auto"),
    }
    return AnalysisWorkers(executor, arguments, general, say)


@checked
def probe(
    encoders: str | Iterable[str],
    tasks: str | Iterable[str],
    *,
    settings: ProbeSettings | None = None,
    limit: Annotated[int | None, Within(1)] = None,
    val_share: Annotated[float, Within(0, 0.5, above=True)] = 0.2,
    on: str | None = None,
    executor_options: Mapping[str, Json] | None = None,
    on_note: Say | None = None,
    **shared: Unpack[AnalysisOptions],
) -> Analysis:
    """Measure what a linear classifier finds in frozen visual encoders.

    Args:
        encoders: One encoder as ``harness probe --encoder`` takes it, or a list of them.
        tasks: Ids of tasks or groups.
        settings: Layers, pooling, control, seed and batch size.
        limit: Use at most this many samples per split.
        val_share: Fraction of train clusters to validate on where a task has no validation split.
        on: Id of an executor whose workers encode images; this process does when ``None``.
        executor_options: Its options (``-e``).
        on_note: Called with notes on progress.
        shared: See :class:`AnalysisOptions`.

    Raises:
        UserError: whatever is wrong with the request.
    """
    settings = settings or ProbeSettings()
    executor = _executor(on, executor_options)
    general, found_tasks, runtime = prepared(tasks, shared)
    names = [encoders] if isinstance(encoders, str) else list(encoders)
    workers = None
    if executor is not None:
        call: dict[str, Json] = {
            "encoders": list[Json](names),
            "limit": limit,
            "val_share": val_share,
        }
        workers = _workers(executor, call, settings, tasks, general, shared, on_note or _silent)
        workers.refuse(runtime)
        runtime = replace(runtime, device="cpu")  # here its tower only says which layers it has
    encoders_found = [find_encoder(name, general, runtime, found_tasks[0]) for name in names]
    splits = [
        read_task(task, limit=limit, share=val_share, seed=settings.seed) for task in found_tasks
    ]
    return run_probe(
        encoders_found,
        splits,
        settings,
        results=general.results,
        cache=general.cache,
        say=on_note or _silent,
        encode=None if workers is None else workers.encode(encoders_found, settings, found_tasks),
        notes=() if workers is None else workers.notes,
    )


@checked
def gradients(
    model: str,
    tasks: str | Iterable[str],
    *,
    settings: GradientSettings | None = None,
    options: Mapping[str, Json] | None = None,
    checkpoint: Path | str | None = None,
    form: str | None = None,
    limit: Annotated[int | None, Within(1)] = None,
    on: str | None = None,
    executor_options: Mapping[str, Json] | None = None,
    on_note: Say | None = None,
    **shared: Unpack[AnalysisOptions],
) -> Analysis:
    """Measure whether the training gradients of tasks conflict in a model.

    Args:
        model: A model's id.
        tasks: Two or more tasks, or a group.
        settings: Parts, minibatches, sketch length and seed.
        options: The model's options (``-o``).
        checkpoint: Folder of a finished training, whose weights replace the model's own.
        form: A task's form for training.
        limit: Use at most this many train samples per task.
        on: Id of an executor whose workers take gradients; this process does when ``None``.
        executor_options: Its options (``-e``).
        on_note: Called with notes on progress.
        shared: See :class:`AnalysisOptions`.

    Raises:
        UserError: whatever is wrong with the request.
    """
    executor, settings = _executor(on, executor_options), settings or GradientSettings()
    general, found_tasks, configured = with_model(model, tasks, options, checkpoint, shared)
    measure, notes = None, list[str]()
    if executor is not None:
        call: dict[str, Json] = {
            "model": model,
            "options": dict(options or {}),
            "checkpoint": None if checkpoint is None else str(Path(checkpoint).absolute()),
            "form": form,
            "limit": limit,
        }
        workers = _workers(executor, call, settings, tasks, general, shared, on_note or _silent)
        workers.refuse(configured.runtime)
        measure, notes = workers.measure, workers.notes
    plan = plan_gradients(
        configured,
        found_tasks,
        settings,
        form=form,
        limit=limit,
        checkpoint=None if checkpoint is None else Path(checkpoint),
    )
    return run_gradients(
        plan, results=general.results, say=on_note or _silent, measure=measure, notes=notes
    )


@checked
def mir(
    model: str,
    tasks: str | Iterable[str],
    *,
    settings: MirSettings | None = None,
    options: Mapping[str, Json] | None = None,
    checkpoint: Path | str | None = None,
    texts: Path | str | None = None,
    on_note: Say | None = None,
    **shared: Unpack[AnalysisOptions],
) -> Analysis:
    """Measure a model's modality integration rate.

    Args:
        model: A model's id.
        tasks: Tasks whose images and texts are used.
        settings: The number of pairs.
        options: The model's options (``-o``).
        checkpoint: Folder of a finished training, whose weights replace the model's own.
        texts: A file with one text per line, in place of questions and answers.
        on_note: Called with notes on progress.
        shared: See :class:`AnalysisOptions`.

    Raises:
        UserError: whatever is wrong with the request.
    """
    general, found_tasks, configured = with_model(model, tasks, options, checkpoint, shared)
    return run_mir(
        configured,
        found_tasks,
        settings or MirSettings(),
        checkpoint=None if checkpoint is None else Path(checkpoint),
        texts=None if texts is None else Path(texts),
        results=general.results,
        say=on_note or _silent,
    )


@checked
def transfer(
    places: Path | str | Iterable[Path | str] | None = None,
    *,
    results: Path | str | None = None,
) -> Analysis:
    """Compare joint with single-task training, over seeds, wherever both were evaluated.

    Args:
        places: Folders or manifests of evaluations; the results folder by default.
        results: Folder that the analysis is written to; the settings' by default.

    Raises:
        UserError: no pair of a single and a joint training, or two of one kind and seed.
    """
    folder = settings_for(None, results, None).results
    chosen = [places] if isinstance(places, Path | str) else [*(places or ())]
    return run_transfer([*map(Path, chosen)] or [folder], results=folder)
