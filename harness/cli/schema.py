"""``harness schema``: the JSON Schema of task specs, for editors."""

from __future__ import annotations

import click

from harness.cli._format import print_json
from harness.plugins import plugins


@click.command(
    epilog="Example: harness schema > task_spec.schema.json, then put\n"
    "'# yaml-language-server: $schema=task_spec.schema.json' on top of a spec."
)
@click.option("--group", is_flag=True, help="The schema of groups of tasks instead.")
@click.option("--plain", is_flag=True, help="Allow any id, not only the installed ones.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON (it always is).")
def schema(*, group: bool, plain: bool, as_json: bool) -> None:  # noqa: ARG001
    """Print the JSON Schema of task specs, for editors.

    Readers, metrics and extractors are limited to those that are installed here.
    """
    from harness.specs.schema import schema as of

    print_json(of("group") if group else of("task", known=None if plain else plugins()))
