"""What the commands of analyses do, as typed functions: names to objects, then the analysis."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypedDict, Unpack

from harness.analysis.encoders import find_encoder
from harness.analysis.probe import ProbeSettings, run_probe
from harness.analysis.results import Analysis
from harness.analysis.splits import read_task
from harness.config.settings import Settings, load_settings
from harness.descriptors import Json
from harness.evaluation.run import task_options
from harness.evaluation.task import Task
from harness.models import Runtime
from harness.plugins import plugins
from harness.specs.catalog import load_catalog

Say = Callable[[str], None]


class Asking(TypedDict, total=False):
    """What all analyses of tasks take; keys as in :class:`harness.api.Asking`."""

    spec_options: Mapping[str, Json]
    data: Mapping[str, Path]
    profile: str | None
    results: Path | None
    device: str
    dtype: str


def _settled(tasks: str, asked: Asking) -> tuple[Settings, list[Task], Runtime]:
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


def probe_encoders(  # noqa: PLR0913  one keyword for each group of flags
    encoders: Sequence[str],
    tasks: str,
    *,
    settings: ProbeSettings,
    limit: int | None = None,
    val_share: float = 0.2,
    say: Say,
    **asked: Unpack[Asking],
) -> Analysis:
    """Probe encoders by name on tasks by name; see :func:`.probe.run_probe`.

    Raises:
        UserError: whatever is wrong with the request.
    """
    held, found, runtime = _settled(tasks, asked)
    known = [find_encoder(name, held, runtime, found[0]) for name in encoders]
    read = [read_task(task, limit=limit, share=val_share, seed=settings.seed) for task in found]
    return run_probe(known, read, settings, results=held.results, cache=held.cache, say=say)
