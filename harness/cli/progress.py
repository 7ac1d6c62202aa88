"""What a person sees of a run: the plan, then a bar for each task, or lines where none can be."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Self

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from harness.progress import EachMinute, duration
from harness.runs.record import titled

if TYPE_CHECKING:
    from harness.evaluation.run import Planned


def log(text: str) -> None:
    """Write a line to standard error now, so that a log file can be followed."""
    click.echo(text, err=True)


class Display:
    """A reporter for terminals and log files; use as a context manager."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TimeRemainingColumn(),
            console=console,
            disable=not console.is_terminal,
        )
        self._bar: Any = None
        self._lines: EachMinute | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def planned(self, jobs: Sequence[Planned]) -> None:
        """Print the plan."""
        model: Any = jobs[0].job.model if jobs else {"id": "nothing"}
        name = titled(model["id"], model.get("training"), model.get("method"))
        table = Table(
            title=escape(f"Plan of {name}"), title_justify="left", box=None, pad_edge=False
        )
        for name in ("task", "samples", "blocks", "state", "estimate", "data"):
            is_number = name in {"samples", "blocks", "estimate"}
            table.add_column(name, justify="right" if is_number else "left")
        for item in jobs:
            plan = item.job.plan
            state = f"continues at {item.journaled}" if item.state == "continues" else item.state
            table.add_row(
                plan.task.spec.name,
                f"{plan.samples:,}",
                f"{len(plan.blocks):,}",
                state,
                estimate(item.seconds),
                escape(plan.task.located.origin),
            )
        self._console.print(table)
        marks = sorted({mark for item in jobs for mark in item.job.marks})
        if marks:
            self._console.print(f"marks: {', '.join(marks)}")
        self._console.print()

    def plan_json(self, jobs: Sequence[Planned]) -> list[dict[str, Any]]:
        """Return the plan as plain data."""
        return [
            {
                "model": item.job.model["id"],
                "task": item.job.plan.task.id,
                "variant": str(item.job.plan.task.spec.variant or ""),
                "samples": item.job.plan.samples,
                "blocks": len(item.job.plan.blocks),
                "state": item.state,
                "journaled": item.journaled,
                "seconds": item.seconds,
                "data": item.job.plan.task.located.origin,
                "directory": str(item.job.directory),
                "marks": list(item.job.marks),
                "fingerprint": item.job.fingerprint,
            }
            for item in jobs
        ]

    def task(self, job: Planned) -> None:
        """Begin a task's bar, or say in a line that it begins."""
        self._bar = self._lines = None
        if job.state == "done":
            return
        name, total = job.job.plan.task.spec.name, job.job.plan.samples
        if self._console.is_terminal:
            self._progress.start()
            self._bar = self._progress.add_task(name, total=total)
            return
        log(f"{name}: {total:,} samples" + (f", {job.journaled:,} done" if job.journaled else ""))
        self._lines = EachMinute(log, name, total, "samples", done=job.journaled)
        self._lines.reach(0)  # blocks of before are counted first

    def progress(self, samples: int) -> None:
        """Move the bar, or say at most once a minute how far the task is."""
        if self._bar is not None:
            self._progress.advance(self._bar, samples)
        if self._lines is not None:
            self._lines.advance(samples)

    def say(self, note: str) -> None:
        """Print a note above the bars."""
        self._console.print(escape(note))


def estimate(seconds: float | None) -> str:
    """Return seconds as people say them, or when they will be known."""
    return "after block 1" if seconds is None else duration(seconds)
