"""Counts what endpoints did for an evaluation, and writes it into its ``timings.json``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.jsonfiles import read_object
from harness.runs.seal import write_json

from harness_openai_api.pool import Counts, Pool

if TYPE_CHECKING:
    from harness.events import TaskFinished

_pools: list[Pool] = []  # of this process; closed ones until their last counts are written


def watch(pool: Pool) -> None:
    """Count what the endpoints of a pool do."""
    _pools.append(pool)


def begin() -> None:
    """Leave out what endpoints were asked before a run begins, such as in a notebook."""
    for pool in _pools:
        pool.take_counts()
    _pools[:] = [pool for pool in _pools if not pool.is_closed]


def write(event: TaskFinished, model: str) -> None:
    """Add to an evaluation what its endpoints did since the one before it.

    Args:
        event: It was sealed; one that was there already was answered by nobody now.
        model: Id of the model that asks endpoints.
    """
    if not _pools or not event.computed:
        return
    about = read_object(event.directory / "evaluation.json").get("model")
    if not isinstance(about, dict) or about.get("id") != model:
        return
    counts: dict[str, Counts] = {}
    for pool in _pools:
        for url, new in pool.take_counts().items():
            counts[url] = counts[url].joined(new) if url in counts else new
    _pools[:] = [pool for pool in _pools if not pool.is_closed]
    if counts:
        path = event.directory / "timings.json"
        endpoints = {url: each._asdict() for url, each in counts.items()}
        write_json(path, {**read_object(path), "endpoints": endpoints})
