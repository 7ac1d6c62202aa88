"""``harness plugin check``: the kit of whatever an id or a plugin's name stands for."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import click
import harness
from harness.cli._format import clean, print_json
from harness.cli._options import Command
from harness.cli._options import pairs as read_pairs

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from harness.descriptors import Descriptor, Json

    from harness_authoring.contract import Outcome

_STATES = ("ok", "failed", "skipped")


@click.group(epilog="Example: harness plugin check accuracy")
def plugin() -> None:
    """Check that a plugin keeps its contract."""


@plugin.command(
    cls=Command,
    renamed={"--data": "--folder"},
    epilog="Examples: harness plugin check llava -o path=FOLDER | harness plugin check raf_db "
    "--kind reader | harness plugin check my_plugin --json",
)
@click.argument("name", metavar="NAME")
@click.option(
    "--kind", default="", metavar="KIND", help="Kind of the object that NAME is the id of."
)
@click.option(
    "-o", "pairs", multiple=True, metavar="NAME=VALUE", help="Set an option of the checked object."
)
@click.option("--task", default="", metavar="TASK", help="Task whose data are used.")
@click.option(
    "--folder",
    "data",
    type=click.Path(),
    metavar="PATH",
    help="Data folder for a reader without a task.",
)
@click.option("--split", default="", metavar="SPLIT", help="Split of the data.")
@click.option(
    "--change",
    "changes",
    multiple=True,
    metavar="NAME=VALUE",
    help="Value of a model's option that must change the fingerprint; other values are guessed.",
)
@click.option("--device", default="cpu", show_default=True, help="Device of a model.")
@click.option(
    "--dtype",
    default="float32",
    show_default=True,
    type=click.Choice(["float32", "bfloat16", "float16"]),
    help="Dtype of a model; checks are stricter in float32 than in 16 bits.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(*, name: str, kind: str, as_json: bool, **flags: Any) -> int:
    """Run every check on what a plugin adds and print a report; exit 1 when one fails.

    NAME is an id, such as that of a metric or a model, or the name of a plugin: then all that it
    adds is checked. A model is loaded several times, never twice at once; a tiny checkpoint will
    do.
    """
    from harness_authoring.subjects import found

    values: dict[str, Json] = {**read_pairs(flags.pop("pairs"), "-o")}
    changes: dict[str, Json] = {**read_pairs(flags.pop("changes"), "--change")}
    objects = found(name, kind)
    reports = [
        _checked(kind, descriptor, name, values, changes, flags, quiet=as_json)
        for kind, descriptor in objects
    ]
    if as_json:
        print_json(reports[0] if len(reports) == 1 else {"plugin": name, "reports": reports})
    return int(any(kind["status"] == "failed" for each in reports for kind in each["checks"]))


def _checked(  # noqa: PLR0913, PLR0917  what the command line says
    kind: str,
    descriptor: Descriptor,
    name: str,
    values: dict[str, Json],
    changes: dict[str, Json],
    flags: dict[str, Any],
    *,
    quiet: bool,
) -> dict[str, Any]:
    """Check one object, print its report unless it is to be quiet, and return it."""
    if kind == "model":
        report = harness.check_model(
            descriptor.id,
            options=values,
            changes=changes,
            device=flags["device"],
            dtype=flags["dtype"],
            on_start=None if quiet else _begin,
            on_outcome=None if quiet else _tell,
        )
        outcomes, data = report.outcomes, dict(report.data)
    else:
        facts, run = _other(kind, descriptor, name, values, flags)
        if not quiet:
            _begin(facts)
        outcomes = run((lambda _: None) if quiet else _tell)
        data = {**facts, "checks": [dataclasses.asdict(outcome) for outcome in outcomes]}
    if not quiet:
        counts = {state: sum(one.status == state for one in outcomes) for state in _STATES}
        click.echo("\n" + ", ".join(f"{count} {state}" for state, count in counts.items()) + "\n")
    return data


def _begin(facts: Mapping[str, Any]) -> None:
    for key, value in facts.items():
        click.echo(clean(f"{key}: {_told(value)}"))
    click.echo()


def _other(
    kind: str, descriptor: Descriptor, name: str, values: dict[str, Json], flags: dict[str, Any]
) -> tuple[dict[str, Any], Callable[[Any], Sequence[Outcome]]]:
    from harness.resources import home_path

    from harness_authoring.contract import run_checks
    from harness_authoring.kits import checks_of, refuse_options
    from harness_authoring.report import about
    from harness_authoring.subjects import subject_of

    if flags["task"]:
        harness.load_task(flags["task"])  # one that is not there ends the command
    subject = subject_of(
        kind,
        descriptor,
        values,
        task=flags["task"],
        data=None if flags["data"] is None else home_path(flags["data"]),
        split=flags["split"],
        rest=name.partition(":")[2],
    )
    refuse_options(subject)
    return about(subject), lambda tell: run_checks(checks_of(kind), subject, tell)


def _tell(outcome: Outcome) -> None:
    fields = dataclasses.asdict(outcome)
    why = f"\n{'':20}{outcome.why}" if outcome.why else ""
    click.echo(clean("{status:8} {name:20} {promise}".format(**fields) + why))


def _told(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {each}" for key, each in value.items()) or "none"
    return str(value)
