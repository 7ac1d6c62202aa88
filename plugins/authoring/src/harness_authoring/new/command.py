"""``harness new``: one command for all that it writes; distributions add their own."""

from __future__ import annotations

from importlib.metadata import entry_points

import click


@click.group(
    epilog="Examples: harness new task faces/labels.csv | harness new plugin kappa --kind metric"
)
def new() -> None:
    """Write the files of a new task or plugin."""


@click.command(epilog="Example: harness new plugin kappa --kind metric")
@click.argument("name", metavar="NAME")
@click.option(
    "--kind", required=True, metavar="KIND", help="Kind of object to add: metric, reader, ..."
)
@click.option(
    "--out",
    type=click.Path(),
    metavar="FOLDER",
    help="Folder to write; by default NAME in the current folder.",
)
def plugin(*, name: str, kind: str, out: str | None) -> None:
    """Write a package that adds one object of a kind, with tests, a page and a CI workflow.

    KIND is model, reader, task, metric, extractor, method, recipe, encoder, format, exporter,
    command, executor, source or study.
    """
    from harness_authoring.new.write import write_plugin

    write_plugin(name, kind, out)


def _fill() -> None:
    for point in sorted(entry_points(group="harness.new"), key=lambda point: point.name):
        new.add_command(plugin if point.name == "plugin" else point.load(), point.name)


_fill()
