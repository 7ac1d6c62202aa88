"""What commands read and print of finished evaluations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from harness.cli._format import say

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from harness.api.records import Place, Skipped
    from harness.runs.record import EvaluationRecord


class Skips:
    """Prints what reading results passed over, and counts the directories that were left out."""

    def __init__(self) -> None:
        self.left_out = 0

    def __call__(self, skipped: Skipped) -> None:
        """Print a line for each directory that something is wrong with, others by number."""
        self.left_out += len(skipped.left_out)
        for line in skipped.lines():
            click.echo(line, err=True)


def finished(places: Sequence[Place], tasks: str | None) -> list[EvaluationRecord]:
    """Return the evaluations that count, of these tasks and groups; print what is passed over.

    Raises:
        UserError: no such place, or a task that none of them is of.
    """
    from harness.api.records import newest_of
    from harness.errors import unknown
    from harness.tables.known import InstalledTasks

    records, _ = newest_of(places, Skips(), details=False)
    chosen = InstalledTasks().chosen(tasks, records)
    there = dict.fromkeys(record.task for record in records)
    for task in chosen or ():
        if task not in there:
            raise unknown("task among these evaluations", task, there)
    return [record for record in records if chosen is None or record.task in chosen]


def print_marks(marks: Iterable[str]) -> None:
    """Print the marks of the numbers above, if there are any."""
    if marks := sorted(set(marks)):
        say(f"marks: {', '.join(marks)}")
