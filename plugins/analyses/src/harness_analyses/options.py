"""Options that the commands of analyses share, and how they print."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click
from harness import commands
from harness.commands import number, print_marks

if TYPE_CHECKING:
    from harness.analysis.results import Analysis
    from harness.descriptors import Json

analysis_options = commands.together(
    commands.task_options,
    commands.data,
    commands.profile,
    commands.results,
    commands.device,
    commands.dtype("auto"),
    commands.seed,
    commands.as_json,
)


def analysis_arguments(flags: dict[str, Any]) -> dict[str, Any]:
    """Return what :data:`analysis_options` say, as the functions of analyses take it."""
    return {
        "spec_options": commands.pairs(flags["spec_options"], "--task-option"),
        "data": commands.data_paths(flags["data"]),
        "profile": flags["profile"],
        "results": flags["results"],
        "device": flags["device"],
        "dtype": flags["dtype"],
        "on_note": commands.tell,
    }


def executor_arguments(flags: dict[str, Any]) -> dict[str, Any]:
    """Return what ``--on`` and ``-e`` say, as the functions of analyses take it."""
    options = commands.pairs(flags["executor_options"], "-e")
    return {"on": flags["on"], "executor_options": options or None}


def between(row: Mapping[str, Json], scale: Json = 1.0, *, digits: int = 2, sign: str = "") -> str:
    """Return a row's interval as tables show it."""
    if row["low"] is None:
        return "--"
    low, high = (number(row[end], scale, digits=digits, sign=sign) for end in ("low", "high"))
    return f"[{low}, {high}]"


def digits_of(row: Mapping[str, Json]) -> int:
    """Return the digits of a row's numbers: two of percent, four of anything else."""
    return 2 if row["scale"] == 100 else 4


def print_ending(analysis: Analysis) -> None:
    """Print an analysis' notes, marks and directory."""
    for note in analysis.notes:
        click.echo(f"note: {note}")
    print_marks(analysis.marks)
    click.echo(f"records: {analysis.directory}")
