"""``harness human``: the human row beside finished evaluations."""

from __future__ import annotations

from collections import Counter
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
    tell,
)
from harness.errors import UserError

if TYPE_CHECKING:
    from harness_claims.human import HumanRow


@click.command(
    epilog="""Examples:

\b
  harness human results --tasks vqav2
  harness human llava-4829f865899b --json
"""
)
@click.argument("places", nargs=-1, metavar="[DIR_OR_RUN]...")
@some_tasks("Only these tasks.")
@click.option("--seed", type=Whole(0), default=0, show_default=True, help="Seed of the bootstrap.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def human(*, places: tuple[str, ...], tasks: str | None, seed: int, as_json: bool) -> None:
    """Score each annotator against the others, and models against the same others.

    Every finished evaluation whose samples hold the answers of several annotators (VQAv2, TextVQA,
    GazeFollow, FER+) has a row `human (leave one out)` for its samples, and says what share of it
    the model reaches. Alpha is Krippendorff's, kappa Fleiss'.
    """
    from harness_claims.human import human_row

    rows: list[HumanRow] = []
    refused: list[UserError] = []
    for record in finished(places, tasks):
        if "human" in record.marks:
            continue
        try:
            rows.append(human_row(record, seed=seed))
        except UserError as error:
            refused.append(error)
    if not rows:
        if refused and (tasks or len(refused) == 1):
            raise refused[0]
        raise UserError(
            "none of these finished evaluations of a model has samples with several annotators",
            fix="harness run --tasks vqav2 --model ...; then harness human results",
        )
    for message, times in Counter(error.message for error in refused).items():
        tell(f"left out: {message} ({times} evaluation{'s' * (times > 1)})")
    if as_json:
        print_json([asdict(row) for row in rows])
        return
    for row in rows:
        _print(row)
    print_marks(mark for row in rows for mark in row.marks)


def _print(row: HumanRow) -> None:
    metric, scale = row.metric, row.metric.scale
    interval, difference = metric.interval, row.paired.interval

    def ends(interval: object, sign: str = "") -> str:
        low, high = getattr(interval, "low", None), getattr(interval, "high", None)
        if interval is None:
            return "--"
        return f"[{number(low, scale, sign=sign)}, {number(high, scale, sign=sign)}]"

    alone = f"; {row.alone} with fewer left out" if row.alone else ""
    kappa = "" if row.kappa is None else f", Fleiss' kappa {number(row.kappa, 1, digits=3)}"
    say(
        f"{row.title} ({row.task}): {row.samples} samples with {row.annotators:.1f} annotators "
        f"each{alone}; Krippendorff's alpha {number(row.alpha, 1, digits=3)}{kappa}"
    )
    share = None if row.share is None else 100 * row.share
    print_table(
        ("", f"{metric.column} against the rest", "95 %", "to human", "95 %", "p",
         "share of the human ceiling"),
        [
            ("human (leave one out)", number(metric.value, scale), ends(interval), "", "", "", ""),
            (row.model, number(row.model_value, scale), "--",
             number(row.paired.difference, scale, sign="+"), ends(difference, "+"),
             number(row.paired.p, 1, digits=4),
             "--" if share is None else f"{share:.1f} %"),
        ],
    )  # fmt: skip
    say("")
