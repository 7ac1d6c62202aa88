"""``harness schema``: JSON Schemas of task specs, groups of tasks and sample records."""

from __future__ import annotations

import click

from harness.cli._format import print_json
from harness.plugins import plugins


@click.command(
    epilog="Example: harness schema > task_spec.schema.json, then put\n"
    "'# yaml-language-server: $schema=task_spec.schema.json' on top of a spec."
)
@click.argument("kind", type=click.Choice(["task", "group", "sample"]), default="task")
@click.option("--group", is_flag=True, help="Print the schema of groups, as KIND group does.")
@click.option("--plain", is_flag=True, help="Allow any id, not only the installed ones.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON (it always is).")
def schema(*, kind: str, group: bool, plain: bool, as_json: bool) -> None:  # noqa: ARG001
    """Print a JSON Schema, for editors and for programs that read records.

    KIND is task (specs of tasks, the default), group (groups of tasks) or sample (lines of
    samples.jsonl). In the schema of task specs, readers, metrics and extractors are limited to
    those that are installed here.
    """
    from harness.specs.schema import schema as schema_of

    if kind == "sample":
        print_json(schema_of("sample"))
    elif group or kind == "group":
        print_json(schema_of("group"))
    else:
        print_json(schema_of("task", registry=None if plain else plugins()))
