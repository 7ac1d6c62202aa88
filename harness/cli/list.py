"""``harness list KIND`` and ``harness show KIND ID``: what is installed, with its options."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

import harness
from harness.api.listings import KINDS
from harness.cli import _options
from harness.cli._format import clean, print_json, print_table
from harness.cli.models import described, facts, print_options, state
from harness.errors import UserError
from harness.plugins import find, plugins

if TYPE_CHECKING:
    from harness.descriptors import Descriptor, Json

_ELSEWHERE = {"plugin": "harness plugins", "group": "harness tasks lists groups and their tasks"}
"""The command that lists what is no kind of object."""


def _complete(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[str]:
    return [kind for kind in (*KINDS, "tasks") if kind.startswith(incomplete)]


@click.command("list", epilog="Examples: harness list metrics; harness list models --json")
@click.argument("kind", metavar="[KIND]", required=False, shell_complete=_complete)
@_options.as_json
@click.pass_context
def list_(ctx: click.Context, *, kind: str | None, as_json: bool) -> None:
    """List what is installed of a kind, with a line and the options of each; or the kinds.

    KIND is models, tasks, readers, sources, metrics, extractors, methods, perturbations, recipes,
    analyses, encoders, executors, trackers, studies, formats, figures, exporters, submissions or
    commands.
    """
    kind = kind and _known(kind)
    for info in plugins().infos:
        if info.status == "failed":
            click.echo(clean(f"{info} does not load: {info.problem}"), err=True)
    if kind is None:
        counts = {name: len(harness.installed(name)) for name in KINDS}
        if as_json:
            print_json(counts)
        else:
            print_table(("kind", "installed"), [(name, str(n)) for name, n in counts.items()])
            click.echo("harness list KIND lists them; harness tasks has the tasks")
        return
    if kind in {"tasks", "models"}:
        from harness.cli.models import models
        from harness.cli.tasks import tasks

        more = {"group": None} if kind == "tasks" else {}
        ctx.invoke(tasks if kind == "tasks" else models, as_json=as_json, **more)
        return
    objects = harness.installed(kind)
    if as_json:
        print_json([described(descriptor) for descriptor in objects.values()])
        return
    print_table(
        (KINDS[kind][0], "options", "what it is"),
        [(name, _names(descriptor), descriptor.summary) for name, descriptor in objects.items()],
    )


def _plural(kind: str) -> str:
    """Return the name of a kind in :data:`KINDS`, from a word for one object of it."""
    plurals = {word: name for name, (word, _) in KINDS.items()} | {"task": "tasks"}
    plurals |= {"source": "sources", "method": "methods", "study": "studies"}
    return plurals.get(kind.removesuffix(" kind"), plurals.get(f"{kind} kind", kind))


def _known(kind: str) -> str:
    """Return :func:`_plural` of a kind that these commands list.

    Raises:
        UserError: another command lists what the word names.
    """
    if kind.removesuffix("s") in _ELSEWHERE:
        raise UserError(f"{kind!r} is no kind of object", fix=_ELSEWHERE[kind.removesuffix("s")])
    return _plural(kind)


def _complete_ids(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    kind = _plural(str(ctx.params.get("kind")))
    if kind == "tasks":
        return _options.complete_tasks(ctx, param, incomplete)
    ids = KINDS[kind][1](plugins()) if kind in KINDS else ()
    return [name for name in ids if name.startswith(incomplete)]


@click.command(epilog="Examples: harness show metric accuracy; harness show recipe asd --json")
@click.argument("kind", metavar="KIND", shell_complete=_complete)
@click.argument("name", metavar="ID", shell_complete=_complete_ids)
@_options.as_json
@click.pass_context
def show(ctx: click.Context, *, kind: str, name: str, as_json: bool) -> None:
    """Show one object of a kind: where it comes from, and what its options mean."""
    plural = _known(kind)
    if plural in {"models", "tasks"}:
        from harness.cli import models, tasks

        group = models.models if plural == "models" else tasks.tasks
        arguments = [name, *(["--json"] if as_json else [])]
        command = group.commands["show"]
        with command.make_context("show", arguments, parent=ctx) as context:
            command.invoke(context)
        return
    objects = harness.installed(plural)
    descriptor = find(KINDS[plural][0], name, objects)
    if as_json:
        print_json(described(descriptor))
        return
    click.echo(clean(f"{descriptor.id}  {descriptor.summary}"))
    lines = {"from": plugins().distribution_of(descriptor), "state": state(descriptor)}
    lines |= {name.replace("_", " "): _words(value) for name, value in facts(descriptor).items()}
    if plural == "commands":
        lines["options"] = f"harness {name} --help"
    width = max(map(len, lines))
    for head, text in lines.items():
        if text:
            click.echo(clean(f"{head:{width}}  {text}"))
    print_options("option", getattr(descriptor, "options", ()))


def _words(value: Json) -> str:
    """Return a fact as text: a list with commas, a table as key: value, yes or no."""
    if isinstance(value, dict):
        return "; ".join(f"{key}: {_words(inner) or '-'}" for key, inner in value.items())
    if isinstance(value, list):
        return ", ".join(map(_words, value))
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _names(descriptor: Descriptor) -> str:
    return ", ".join(option.name for option in getattr(descriptor, "options", ()))
