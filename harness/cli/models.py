"""``harness models``: list models with what they can answer, or show one with its options."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import TYPE_CHECKING, Any

import click

from harness.cli._format import clean, print_json, print_table
from harness.cli._options import Listing, completing
from harness.descriptors import is_installed
from harness.packages import packaged
from harness.plugins import Plugins, find, plugins
from harness.requests.reasoning import common_options

if TYPE_CHECKING:
    from collections.abc import Sequence

    from harness.descriptors import Descriptor, Json, ModelDescriptor, Option

_NO_FACTS = frozenset(
    ("id", "target", "summary", "requires", "install", "options", "model_types", "view", "worker",
     "functions")
)  # fmt: skip
"""What every kind has, and names of code, which mean nothing at the command line."""


@click.group(
    cls=Listing,
    invoke_without_command=True,
    epilog="Examples: harness models; harness models show socialfusion",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
@click.pass_context
def models(ctx: click.Context, *, as_json: bool) -> None:
    """List models with what they can answer, or show one with its options."""
    if ctx.invoked_subcommand is not None:
        return
    installed = plugins().models()
    if as_json:
        print_json([_model_json(model) for model in installed.values()])
        return
    rows = [
        (model.id, _answers(model), state(model), model.summary) for model in installed.values()
    ]
    for name, distribution in packaged("model").items():
        if name not in installed:
            rows.append((name, "?", "not installed", f"pip install {distribution}"))
    print_table(("model", "answers", "state", "what it is"), rows)


@models.command(epilog="Example: harness models show socialfusion --json")
@click.argument("name", metavar="ID", shell_complete=completing(Plugins.models))
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(*, name: str, as_json: bool) -> None:
    """Show a model: what it can answer, what it needs, and what -o accepts."""
    model = find("model", name, plugins().models())
    if as_json:
        print_json(_model_json(model))
        return
    click.echo(clean(f"{model.id}  {model.summary}"))
    click.echo(clean(f"answers  {_answers(model)}"))
    if model.offers:
        click.echo(clean(f"offers   {', '.join(sorted(model.offers))}"))
    click.echo(clean(f"state    {state(model)}"))
    click.echo(clean(f"from     {plugins().distribution_of(model)}"))
    print_options("-o", (*model.options, *common_options(model)))
    for preset, values in model.presets.items():
        options_text = ", ".join(f"{key}={value}" for key, value in values.items())
        marks = model.preset_marks.get(preset, ())
        note = f" (marks every record: {', '.join(marks)})" if marks else ""
        click.echo(clean(f"\n-o preset={preset}: {options_text}{note}"))


def _answers(model: ModelDescriptor) -> str:
    return ", ".join(sorted(model.capabilities)) or "nothing"


def _missing(descriptor: Descriptor) -> list[str]:
    return [name for name in descriptor.requires if not is_installed(name)]


def state(descriptor: Descriptor) -> str:
    """Return ``ready``, or what has to be installed first and how."""
    missing = ", ".join(_missing(descriptor))
    how = descriptor.install or f"pip install {missing.replace(',', '')}"
    return f"needs {missing}: {how}" if missing else "ready"


def print_options(head: str, options: Sequence[Option]) -> None:
    """Print a table of options, if there are any."""
    if options:
        click.echo()
        rows = [(option.name, " | ".join(option.choices) or option.type, str(option.default),
                 option.help) for option in options]  # fmt: skip
        print_table((head, "value", "default", "meaning"), rows)


def facts(descriptor: Descriptor) -> dict[str, Json]:
    """Return what the descriptors of one kind say and those of other kinds do not."""
    names = (each.name for each in fields(descriptor))
    return {name: _plain(getattr(descriptor, name)) for name in names if name not in _NO_FACTS}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, frozenset):
        return sorted(value)
    return list(map(_plain, value)) if isinstance(value, tuple) else value


def described(descriptor: Descriptor) -> dict[str, Any]:
    """Return what ``--json`` says of an object of any kind."""
    return {
        "id": descriptor.id,
        "summary": descriptor.summary,
        "from": plugins().distribution_of(descriptor),
        "missing": _missing(descriptor),
        "install": descriptor.install,
        **facts(descriptor),
        "options": _options_json(getattr(descriptor, "options", ())),
    }


def _model_json(model: ModelDescriptor) -> dict[str, Any]:
    return described(model) | {"options": _options_json((*model.options, *common_options(model)))}


def _options_json(options: Sequence[Option]) -> list[dict[str, Any]]:
    keys = ("name", "type", "default", "choices", "help", "changes_numbers")
    return [{key: getattr(option, key) for key in keys} for option in options]
