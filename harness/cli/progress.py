"""What a person sees of a run: the plan as a table, then one progress bar a task."""

from __future__ import annotations

from collections.abc import Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

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

if TYPE_CHECKING:
    from harness.evaluation.run import Planned


class Display:
    """A reporter for terminals; use as a context manager."""

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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._progress.stop()

    def planned(self, jobs: Sequence[Planned]) -> None:
        """Print the plan."""
        table = Table(title="Plan", title_justify="left", box=None, pad_edge=False)
        for name, justify in (
            ("task", "left"),
            ("samples", "right"),
            ("blocks", "right"),
            ("state", "left"),
            ("estimate", "right"),
            ("data", "left"),
        ):
            table.add_column(name, justify="right" if justify == "right" else "left")
        for item in jobs:
            plan = item.job.plan
            state = item.state
            if state == "continues":
                state = f"continues at {item.journaled}"
            table.add_row(
                plan.task.spec.name,
                f"{plan.samples:,}",
                f"{len(plan.blocks):,}",
                state,
                duration(item.seconds),
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
        """Begin a task's bar."""
        if job.state == "done":
            self._bar = None
            return
        self._progress.start()
        self._bar = self._progress.add_task(job.job.plan.task.spec.name, total=job.job.plan.samples)

    def progress(self, samples: int) -> None:
        """Move the bar."""
        if self._bar is not None:
            self._progress.advance(self._bar, samples)

    def say(self, note: str) -> None:
        """Print a note above the bars."""
        self._console.print(escape(note))


def duration(seconds: float | None, unknown: str = "after block 1") -> str:
    """Return seconds as people say them, or when they will be known."""
    if seconds is None:
        return unknown
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"
