"""``harness robustness``: numbers on perturbed images beside those on images as they are."""

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
    some_tasks,
    tell,
)
from harness.errors import UserError

if TYPE_CHECKING:
    from harness_perturbations.robustness import Held


@click.command(
    epilog="""Examples:

\b
  harness run --model llava --tasks raf_db --variants blur:1-5,grey
  harness robustness results --tasks raf_db
"""
)
@click.argument("places", nargs=-1, metavar="[DIR_OR_RUN]...")
@some_tasks("Only these tasks.")
@click.option("--seed", type=Whole(0), default=0, show_default=True, help="Seed of the bootstrap.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def robustness(*, places: tuple[str, ...], tasks: str | None, seed: int, as_json: bool) -> None:
    """Print how numbers change on perturbed images, by kind and level.

    Reads evaluations that `harness run --variants blur:1-5,...` made. Each is paired with the same
    model's answers to the same samples on the original images; p values are corrected (Holm) over
    the rows of one model and task.
    """
    from harness_perturbations.robustness import held

    rows, left_out = held(finished(places, tasks), seed=seed)
    for why in left_out:
        tell(f"left out: {why}")
    if not rows:
        raise UserError(
            "no task here was evaluated on both the original and perturbed images",
            fix="harness run --model ... --tasks ... --variants blur:1-5,grey",
        )
    if as_json:
        print_json([asdict(row) for row in rows])
    else:
        _print(rows)


def _print(rows: list[Held]) -> None:
    def finite(value: float) -> float | None:
        return value if math.isfinite(value) else None

    lines = []
    for row in rows:
        scale, paired, interval = row.scale, row.paired, row.paired.interval
        ends = "--" if interval is None else (
            f"[{number(interval.low, scale, sign='+')}, {number(interval.high, scale, sign='+')}]"
        )  # fmt: skip
        lines.append((
            row.model, f"{row.title}, {row.column}", row.kind, str(row.level),
            number(finite(row.plain), scale), number(finite(row.value), scale),
            number(paired.difference, scale, sign="+"), ends, number(paired.corrected, 1, digits=4),
            f"{100 * row.changed:.1f} %", str(row.samples), str(row.errors) if row.errors else "",
        ))  # fmt: skip
    print_table(
        ("", "", "images", "level", "as they are", "perturbed", "difference", "95 %", "p corrected",
         "answers change", "samples", "left out"),
        lines,
    )  # fmt: skip
    print_marks(mark for row in rows for mark in row.marks)
