"""``harness prompts``: how much a number depends on the wording of its question."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import TYPE_CHECKING

import click
from harness.commands import (
    Whole,
    finished,
    number,
    print_json,
    print_marks,
    print_table,
    say,
    some_tasks,
)
from harness.errors import UserError

if TYPE_CHECKING:
    from harness_claims.prompts import PromptSpread


@click.command(
    epilog="""Examples:

\b
  harness run --model socialfusion --tasks raf_db --variants paraphrases
  harness prompts results --tasks raf_db
"""
)
@click.argument("places", nargs=-1, metavar="[DIR_OR_RUN]...")
@some_tasks("Only these tasks.")
@click.option("--seed", type=Whole(0), default=0, show_default=True, help="Seed of the bootstrap.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def prompts(*, places: tuple[str, ...], tasks: str | None, seed: int, as_json: bool) -> None:
    """Print each number's mean over prompts, with an interval over prompts and clusters.

    Reads evaluations that `harness run --variants` made. The table adds the share of
    the variance that is due to prompts, and the worst prompt; it marks a bias number whose sign
    depends on the prompt.
    """
    from harness_claims.prompts import groups_of, prompt_spread

    groups = groups_of(finished(places, tasks))
    if not groups:
        raise UserError(
            "no model was evaluated with several prompts of one task",
            fix="harness run ... --variants paraphrases",
        )
    spreads = [prompt_spread(group, seed=seed) for group in groups]
    if as_json:
        print_json([asdict(one) for one in spreads])
    else:
        _print(spreads)


def _print(spreads: list[PromptSpread]) -> None:
    from harness_claims.prompts import FEW

    def finite(value: float) -> float | None:
        return value if math.isfinite(value) else None

    rows = []
    for spread in spreads:
        values, mean, scale = spread.values, spread.crossed, spread.scale
        worst = f"{number(values[spread.worst], scale)} ({spread.worst})" if spread.worst else "--"
        ends = (
            f"[{number(mean.low, scale)}, {number(mean.high, scale)}]" if not spread.why else "--"
        )
        share = "--" if mean.share != mean.share else f"{100 * mean.share:.0f} %"
        rows.append((
            spread.model, f"{spread.title}, {spread.column}", str(len(values)),
            number(finite(values["as asked"]), scale), number(finite(mean.mean), scale),
            ends, share, worst, "sign changes" if spread.changes_sign else "",
        ))  # fmt: skip
    print_table(
        ("", "", "prompts", "as asked", "mean", "95 %", "of variance", "worst", "mark"), rows
    )
    print_marks(mark for spread in spreads for mark in spread.marks)
    for spread in spreads:
        if spread.left_out:
            say(
                f"{spread.model}, {spread.title}: {spread.left_out} samples are left out, as they "
                "errored under one prompt or more"
            )
    if any(len(spread.values) < FEW for spread in spreads):
        say(f"warning: under {FEW} prompts the interval says little about other wordings")
    for why in dict.fromkeys(spread.why for spread in spreads if spread.why):
        say(f"warning: {why}")
    if any(spread.changes_sign for spread in spreads):
        say("sign changes: a bias whose direction depends on the wording is not shown.")
