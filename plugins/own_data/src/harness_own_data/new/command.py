"""``harness new task DATA``: flags, and one call of what writes the spec."""

from __future__ import annotations

import sys
from typing import Any

import click


@click.command(
    epilog="Examples: harness new task faces/ | harness new task faces/labels.csv --target label "
    "--question 'Is this face happy or sad?' --group gender=sex:human --cluster subject",
)
@click.argument("data", metavar="DATA")
@click.option("--id", "name", metavar="ID", help="Name of the task.")
@click.option("--image", metavar="COLUMN", help="Column of the image, or a pattern with {COLUMN}.")
@click.option("--target", metavar="COLUMN", help="Column of the right answer.")
@click.option(
    "--question", metavar="TEXT", help="Prompt; {{ COLUMN }} inserts the value of a column."
)
@click.option(
    "--labels", metavar="A,B", help="Labels of the choice, in order; 'none' for generated answers."
)
@click.option(
    "--group",
    "groups",
    multiple=True,
    metavar="NAME=COLUMN:human|machine",
    help="Report each value of a column, and who labelled it (repeat for more).",
)
@click.option("--cluster", metavar="COLUMN", help="Column of the subject.")
@click.option(
    "--out",
    type=click.Path(),
    metavar="FILE",
    help="File of the spec; by default in the data folder.",
)
@click.option("--force", is_flag=True, help="Overwrite an existing spec.")
@click.option("--yes", is_flag=True, help="Ask no question; take missing answers from the data.")
def task(*, data: str, out: str | None, force: bool, yes: bool, **flags: Any) -> None:
    """Inspect a table or a folder of images and write the spec of a task."""
    from harness_own_data.new.task import write_task

    write_task(data, out, flags, force=force, ask=not yes and sys.stdin.isatty())
