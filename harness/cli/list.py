"""``harness list KIND`` and ``harness show KIND ID``: what is installed, with its options."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import click

from harness.cli import _options
from harness.cli._format import clean, print_json, print_table
from harness.errors import unknown
from harness.plugins import Plugins, find, plugins

if TYPE_CHECKING:
    from harness.descriptors import Descriptor

KINDS: Mapping[str, tuple[str, Callable[[Plugins], Mapping[str, Any]]]] = {
    "models": ("model", Plugins.models),
    "readers": ("reader", Plugins.readers),
    "sources": ("data source", Plugins.data_sources),
    "metrics": ("metric", Plugins.metrics),
    "extractors": ("extractor", Plugins.extractors),
    "methods": ("answer method", Plugins.answer_methods),
    "recipes": ("recipe", Plugins.recipes),
    "analyses": ("analysis kind", Plugins.analysis_kinds),
    "encoders": ("encoder", Plugins.encoders),
    "executors": ("executor", Plugins.executors),
    "trackers": ("tracker", Plugins.trackers),
    "studies": ("study kind", Plugins.study_kinds),
    "formats": ("format", Plugins.formats),
    "figures": ("figure", Plugins.figures),
    "exporters": ("exporter", Plugins.exporters),
    "submissions": ("submission", Plugins.submissions),
    "commands": ("command", Plugins.commands),
}
"""What is listed, with the word of messages; tasks have a command of their own."""


def _complete(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    return [kind for kind in (*KINDS, "tasks") if kind.startswith(incomplete)]


def _of(kind: str) -> Mapping[str, Any]:
    if kind not in KINDS:
        raise unknown("kind", kind, [*KINDS, "tasks"])
    return KINDS[kind][1](plugins())


@click.command("list", epilog="Examples: harness list metrics; harness list models --json")
@click.argument("kind", metavar="KIND", shell_complete=_complete)
@_options.as_json
@click.pass_context
def list_(ctx: click.Context, *, kind: str, as_json: bool) -> None:
    """List what is installed of a kind, with a line and the options of each.

    KIND is models, tasks, readers, sources, metrics, extractors, methods, recipes, analyses,
    encoders, executors, trackers, studies, formats, figures, exporters, submissions or commands.
    """
    if kind == "tasks":
        from harness.cli.tasks import tasks

        ctx.invoke(tasks, as_json=as_json, group=None)
        return
    objects = _of(kind)
    if as_json:
        print_json([_plain(descriptor) for descriptor in objects.values()])
        return
    print_table(
        (KINDS[kind][0], "options", "what it is"),
        [(name, _names(descriptor), descriptor.summary) for name, descriptor in objects.items()],
    )


@click.command(epilog="Examples: harness show metric accuracy; harness show recipe asd --json")
@click.argument("kind", metavar="KIND", shell_complete=_complete)
@click.argument("name", metavar="ID")
@_options.as_json
@click.pass_context
def show(ctx: click.Context, *, kind: str, name: str, as_json: bool) -> None:
    """Show one object of a kind: where it comes from, and what its options mean."""
    plural = kind if kind in {*KINDS, "tasks"} else f"{kind}s"
    if plural in {"models", "tasks"}:
        from harness.cli import models, tasks

        group = models.models if plural == "models" else tasks.tasks
        arguments = [name, *(["--json"] if as_json else [])]
        command = group.commands["show"]
        with command.make_context("show", arguments, parent=ctx) as context:
            command.invoke(context)
        return
    descriptor = find(KINDS[plural][0] if plural in KINDS else kind, name, _of(plural))
    if as_json:
        print_json(_plain(descriptor))
        return
    click.echo(clean(f"{descriptor.id}  {descriptor.summary}"))
    click.echo(clean(f"from     {plugins().distribution_of(descriptor)}"))
    options = getattr(descriptor, "options", ())
    if options:
        click.echo()
        rows = [
            (
                option.name,
                " | ".join(option.choices) or option.type,
                str(option.default),
                option.help,
            )
            for option in options
        ]
        print_table(("option", "value", "default", "meaning"), rows)


def _names(descriptor: Descriptor) -> str:
    return ", ".join(option.name for option in getattr(descriptor, "options", ()))


def _plain(descriptor: Descriptor) -> dict[str, Any]:
    return {
        "id": descriptor.id,
        "summary": descriptor.summary,
        "from": plugins().distribution_of(descriptor),
        "options": [
            {
                "name": option.name,
                "type": option.type,
                "default": option.default,
                "choices": list(option.choices),
                "help": option.help,
            }
            for option in getattr(descriptor, "options", ())
        ],
    }
