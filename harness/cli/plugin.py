"""``harness plugin``: check that a model plugin keeps the contract."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

import harness
from harness.cli._format import clean, print_json
from harness.cli._options import pairs as read_pairs

if TYPE_CHECKING:
    from harness.testing.report import Outcome, Status


@click.group(epilog="Example: harness plugin check llava -o path=FOLDER")
def plugin() -> None:
    """Check that a model plugin keeps the contract."""


@plugin.command(
    epilog="Examples: harness plugin check llava -o path=FOLDER | harness plugin check llava "
    "-o path=FOLDER --change score_eos=false --json"
)
@click.argument("name", metavar="MODEL")
@click.option("-o", "pairs", multiple=True, metavar="NAME=VALUE", help="Option of the model.")
@click.option(
    "--change",
    "changes",
    multiple=True,
    metavar="NAME=VALUE",
    help="Another value of an option that must change the fingerprint; others are guessed.",
)
@click.option("--device", default="cpu", show_default=True, help="Where the model runs.")
@click.option(
    "--dtype",
    default="float32",
    show_default=True,
    type=click.Choice(["float32", "bfloat16", "float16"]),
    help="Dtype of the model; checks are stricter in float32 than in 16 bits.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(
    *,
    name: str,
    pairs: tuple[str, ...],
    changes: tuple[str, ...],
    device: str,
    dtype: Any,
    as_json: bool,
) -> int:
    """Run every check on a model and print a report; exit 1 when one fails.

    The model is loaded several times, never twice at once. A tiny checkpoint will do.
    """
    report = harness.check_model(
        name,
        options=dict(read_pairs(pairs, "-o")),
        changes=dict(read_pairs(changes, "--change")),
        device=device,
        dtype=dtype,
        begin=None if as_json else _begin,
        tell=None if as_json else _tell,
    )
    if as_json:
        print_json(report.data)
    else:
        states = Counter(outcome.status for outcome in report.outcomes)
        click.echo("\n" + ", ".join(f"{states[state]} {state}" for state in _STATES))
    return int(report.failed)


_STATES: tuple[Status, ...] = ("ok", "failed", "skipped")


def _begin(about: Mapping[str, Any]) -> None:
    for key, value in about.items():
        click.echo(clean(f"{key}: {_said(value)}"))
    click.echo()


def _tell(outcome: Outcome) -> None:
    fields = dataclasses.asdict(outcome)
    why = f"\n{'':20}{outcome.why}" if outcome.why else ""
    click.echo(clean("{status:8} {name:20} {promise}".format(**fields) + why))


def _said(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {held}" for key, held in value.items()) or "none"
    return str(value)
