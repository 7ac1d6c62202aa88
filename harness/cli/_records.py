"""What commands print of records: directories that were passed over, and where an analysis lies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from harness.analysis.results import Analysis
    from harness.api.records import Skipped


class Skips:
    """Prints what reading results passed over, and counts the directories that were left out."""

    def __init__(self) -> None:
        self.left_out = 0

    def __call__(self, skipped: Skipped) -> None:
        """Print a line for each directory that something is wrong with, others by number."""
        self.left_out += len(skipped.left_out)
        for line in skipped.lines():
            click.echo(line, err=True)


def print_ending(analysis: Analysis) -> None:
    """Print an analysis' notes, marks and directory."""
    for note in analysis.notes:
        click.echo(f"note: {note}")
    if analysis.marks:
        click.echo(f"marks: {', '.join(analysis.marks)}")
    click.echo(f"records: {analysis.directory}")
