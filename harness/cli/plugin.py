"""``harness plugin``: check that a model plugin keeps the contract."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import click

from harness.cli._format import clean, print_json
from harness.cli._options import pairs as read_pairs

if TYPE_CHECKING:
    from harness.descriptors import Json
    from harness.testing.report import Outcome


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
    help="Dtype of the model; checks are stricter in float32 than in 16 bits.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def check(
    *,
    name: str,
    pairs: tuple[str, ...],
    changes: tuple[str, ...],
    device: str,
    dtype: str,
    as_json: bool,
) -> int:
    """Run every check on a model and print a report; exit 1 when one fails.

    The model is loaded several times, never twice at once. A tiny checkpoint will do.
    """
    from harness.models import Runtime
    from harness.testing.candidate import Candidate
    from harness.testing.report import about, run_checks
    from harness.testing.report import as_json as plain

    values: dict[str, Json] = {**read_pairs(pairs, "-o")}
    candidate = Candidate(
        name,
        values,
        runtime=Runtime(device=device, dtype=dtype),
        changes={**read_pairs(changes, "--change")},
    )
    # A wrong path or a device that is not there ends the command, not each check.
    candidate.model().identity(candidate.runtime)
    candidate.answerer()
    if as_json:
        outcomes = run_checks(candidate, lambda _: None)
        print_json(plain(candidate, outcomes))
    else:
        for key, value in about(candidate).items():
            click.echo(clean(f"{key}: {_said(value)}"))
        click.echo()
        outcomes = run_checks(candidate, _tell)
        counts = {one: sum(held.status == one for held in outcomes) for one in _STATES}
        click.echo("\n" + ", ".join(f"{count} {state}" for state, count in counts.items()))
    return int(any(outcome.status == "failed" for outcome in outcomes))


_STATES = ("ok", "failed", "skipped")


def _tell(outcome: Outcome) -> None:
    fields = dataclasses.asdict(outcome)
    why = f"\n{'':20}{outcome.why}" if outcome.why else ""
    click.echo(clean("{status:8} {name:20} {promise}".format(**fields) + why))


def _said(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {held}" for key, held in value.items()) or "none"
    return str(value)
