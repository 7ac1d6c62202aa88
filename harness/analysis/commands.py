"""What the commands of analyses do, as typed functions: names to objects, then the analysis."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypedDict, Unpack

from harness.analysis.encoders import find_encoder
from harness.analysis.gradients import GradientSettings, run_gradients
from harness.analysis.mir import MirSettings, run_mir
from harness.analysis.probe import ProbeSettings, run_probe
from harness.analysis.results import Analysis
from harness.analysis.splits import read_task
from harness.config.settings import Settings, load_settings
from harness.descriptors import Json
from harness.evaluation.model import ConfiguredModel, configure_model
from harness.evaluation.run import task_options
from harness.evaluation.task import Task
from harness.models import Runtime, threads
from harness.plugins import plugins
from harness.specs.catalog import load_catalog
from harness.training.checkpoint import open_checkpoint

Say = Callable[[str], None]


class AnalysisOptions(TypedDict, total=False):
    """What all analyses of tasks take; keys as in :class:`harness.api.RunOptions`."""

    spec_options: Mapping[str, Json]
    data: Mapping[str, Path]
    profile: str | None
    results: Path | None
    device: str
    dtype: str


def _settled(tasks: str, asked: AnalysisOptions) -> tuple[Settings, list[Task], Runtime]:
    threads.wait_passively()
    settings = load_settings(
        profile=asked.get("profile"), results=asked.get("results"), data=asked.get("data")
    )
    catalog = load_catalog(plugins().spec_folders())
    names = catalog.expand([tasks])
    chosen = task_options(asked.get("spec_options", {}), names)
    found = [Task(catalog.task(name, chosen.get(name, {})), settings) for name in names]
    runtime = Runtime(
        device=asked.get("device", "auto"),
        dtype=asked.get("dtype", "auto"),
        cache=settings.cache / "features",
    )
    return settings, found, runtime


def _with_model(
    model: str,
    tasks: str,
    options: Mapping[str, Json],
    checkpoint: Path | None,
    asked: AnalysisOptions,
) -> tuple[Settings, list[Task], ConfiguredModel]:
    held, found, runtime = _settled(tasks, asked)
    weights = None if checkpoint is None else open_checkpoint(checkpoint)
    return held, found, configure_model(model, options, held, runtime, weights)


def probe_encoders(  # noqa: PLR0913  one keyword for each group of flags
    encoders: Sequence[str],
    tasks: str,
    *,
    settings: ProbeSettings,
    limit: int | None = None,
    val_share: float = 0.2,
    say: Say,
    **asked: Unpack[AnalysisOptions],
) -> Analysis:
    """Probe encoders by name on tasks by name; see :func:`.probe.run_probe`.

    Raises:
        UserError: whatever is wrong with the request.
    """
    held, found, runtime = _settled(tasks, asked)
    known = [find_encoder(name, held, runtime, found[0]) for name in encoders]
    read = [read_task(task, limit=limit, share=val_share, seed=settings.seed) for task in found]
    return run_probe(known, read, settings, results=held.results, cache=held.cache, say=say)


def measure_gradients(  # noqa: PLR0913  one keyword for each group of flags
    model: str,
    tasks: str,
    *,
    settings: GradientSettings,
    options: Mapping[str, Json] | None = None,
    checkpoint: Path | None = None,
    form: str | None = None,
    limit: int | None = None,
    say: Say,
    **asked: Unpack[AnalysisOptions],
) -> Analysis:
    """Measure gradient conflict of a model by name; see :func:`.gradients.run_gradients`.

    Raises:
        UserError: whatever is wrong with the request.
    """
    held, found, subject = _with_model(model, tasks, options or {}, checkpoint, asked)
    return run_gradients(
        subject,
        found,
        settings,
        form=form,
        limit=limit,
        checkpoint=checkpoint,
        results=held.results,
        say=say,
    )


def measure_mir(  # noqa: PLR0913  one keyword for each group of flags
    model: str,
    tasks: str,
    *,
    settings: MirSettings,
    options: Mapping[str, Json] | None = None,
    checkpoint: Path | None = None,
    texts: Path | None = None,
    say: Say,
    **asked: Unpack[AnalysisOptions],
) -> Analysis:
    """Measure a model's modality integration rate; see :func:`.mir.run_mir`.

    Raises:
        UserError: whatever is wrong with the request.
    """
    held, found, subject = _with_model(model, tasks, options or {}, checkpoint, asked)
    return run_mir(
        subject,
        found,
        settings,
        checkpoint=checkpoint,
        texts=texts,
        results=held.results,
        say=say,
    )
