"""``harness schema``: JSON Schemas of task specs, groups of tasks and sample records."""

from __future__ import annotations

from typing import Any

import click
import harness
from harness.commands import Command, print_json


@click.command(
    cls=Command,
    renamed={"--group": "group"},
    epilog="Example: harness schema > task_spec.schema.json, then put\n"
    "'# yaml-language-server: $schema=task_spec.schema.json' on top of a spec.",
)
@click.argument("kind", type=click.Choice(["task", "group", "sample"]), default="task")
@click.option("--plain", is_flag=True, help="Allow any id, not only the installed ones.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON (it always is).")
def schema(*, kind: Any, plain: bool, as_json: bool) -> None:  # noqa: ARG001
    """Print a JSON Schema, for editors and for programs that read records.

    KIND is task (specs of tasks, the default), group (groups of tasks) or sample (lines of
    samples.jsonl). In the schema of task specs, readers, metrics and extractors are limited to
    those that are installed here.
    """
    print_json(harness.schema(kind, plain=plain))
