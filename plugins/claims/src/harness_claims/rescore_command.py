"""``harness rescore``: other metrics of answers that are there already."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click
from harness.commands import (
    Whole,
    finished,
    number,
    pairs,
    print_json,
    print_marks,
    print_table,
    say,
    some_tasks,
    tell,
)
from harness.errors import HarnessError, UserError

if TYPE_CHECKING:
    from harness_claims.rescore import Rescored


@click.command(
    epilog="""Examples:

\b
  harness rescore results --metrics matched_max_skew,auc_gap --tasks scounter
  harness rescore results --metrics matched_max_skew --metric-option share=0.1
  harness rescore results --metrics calibration_error,risk_coverage
"""
)
@click.argument("places", nargs=-1, metavar="[DIR_OR_RUN]...")
@click.option("--metrics", required=True, metavar="ID,ID", help="Metrics (harness list metrics).")
@click.option(
    "--metric-option", "options", multiple=True, metavar="KEY=VALUE",
    help="Set an option of the metrics that have it (repeat for more).",
)  # fmt: skip
@some_tasks("Only these tasks.")
@click.option("--seed", type=Whole(0), default=0, show_default=True, help="Seed of the bootstrap.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def rescore(
    *, places: tuple[str, ...], metrics: str, seed: int, as_json: bool, **flags: Any
) -> None:
    """Score the recorded answers of finished evaluations with other metrics.

    No model runs and no record changes. A metric takes the options that the task gives to its
    own metrics, such as the attributes of skew. Evaluations that a metric does not fit are named.
    """
    from harness.plugins import find, plugins

    from harness_claims.rescore import rescore as read_again

    names = [name.strip() for name in metrics.split(",") if name.strip()]
    options = dict(pairs(flags["options"], "--metric-option"))
    declared = {
        option.name
        for name in names
        for option in find("metric", name, plugins().metrics()).options
    }
    for key in options:
        if key not in declared:
            raise UserError(
                f"none of the metrics has an option {key!r}", where="--metric-option",
                fix=", ".join(sorted(declared)) or "leave it out",
            )  # fmt: skip
    rescored: list[Rescored] = []
    refused: list[HarnessError] = []
    for record in finished(places, flags["tasks"]):
        try:
            rescored.append(read_again(record, names, options, seed=seed))
        except HarnessError as error:
            refused.append(error)
            tell(f"left out: {record.title} on {record.task}: {error.message}")
    if not rescored:
        raise (
            refused[0]
            if refused
            else UserError("this folder holds no finished evaluation", fix="harness results list")
        )
    if as_json:
        print_json([asdict(one) for one in rescored])
    else:
        _print(rescored)


def _print(rescored: list[Rescored]) -> None:
    def shown(value: Any) -> str:
        if value.value is None:
            return "undefined"
        interval = value.interval
        ends = "" if interval is None else (
            f" [{number(interval.low, value.scale, digits=3)}, "
            f"{number(interval.high, value.scale, digits=3)}]"
        )  # fmt: skip
        p = "" if value.chance is None else f" p = {value.chance.p:.3g}"
        return f"{number(value.value, value.scale, digits=3)}{ends}{p}"

    heads = ("", "", *(value.column for value in rescored[0].metrics))
    print_table(heads, [(one.model, one.title, *map(shown, one.metrics)) for one in rescored])
    for result in rescored:
        for note, times in result.notes.items():
            say(f"{result.model}, {result.title}: {note}: {times:,}")
    print_marks(mark for result in rescored for mark in result.marks)
