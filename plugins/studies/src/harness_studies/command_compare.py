"""``harness compare``: two runs sample by sample."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

import click
import harness
from harness import commands
from harness.commands import number, print_json, print_marks, print_table

if TYPE_CHECKING:
    from harness.evaluation.paired import Difference, TaskComparison

    from harness_studies.seeds import SeedComparison, SeedDifference

_SHOWN = 5
_HEADS = ("", "A", "B", "B - A", "95 %", "p", "corrected", "FDR")


@click.command(
    epilog="""Examples:

\b
  harness compare null-4829f865899b socialfusion-1c2d3e4f5a6b
  harness compare null-4829f865899b socialfusion-1c2d3e4f5a6b --margin 0.5
  harness compare plain-1,plain-2,plain-3 asd-1,asd-2,asd-3
"""
)
@click.argument("first", metavar="RUN_A")
@click.argument("second", metavar="RUN_B")
@commands.some_tasks("Compare only these tasks.")
@click.option(
    "--margin",
    type=commands.Number(0, min_open=True),
    metavar="NUMBER",
    help="Test equivalence within this margin, and that B is no worse by more (0.5: half a point).",
)
@commands.include
@commands.seed
@commands.as_json
def compare(  # noqa: PLR0913  one parameter for each flag
    *,
    first: str,
    second: str,
    tasks: str | None,
    margin: float | None,
    seed: int,
    as_json: bool,
) -> None:
    """Compare two runs on the samples that both have scored: B minus A.

    RUN_A and RUN_B name one model each: by run or evaluation (`harness results list`), manifest or
    folder. The table has a row for each task of both: difference with interval, p value of a
    paired permutation test over clusters (Holm over the tasks; FDR is Benjamini and Hochberg's),
    the samples that flipped, how far the scores of options are apart (for two back ends of one
    checkpoint: by rounding), and slices. With --margin it adds p values for equivalence (≈, two
    one-sided tests) and for B being no worse by more than the margin, and the claim they support.

    Several runs of one model with different seeds, separated by commas, are compared as means over
    the seeds of both, with Student's t interval.
    """
    from harness_studies.seeds import SeedComparison

    comparisons = harness.compare(
        first, second, tasks=tasks, seed=seed, margin=margin, on_skipped=commands.Skips()
    )
    if as_json:
        print_json([asdict(comparison) for comparison in comparisons])
        return
    for comparison in comparisons:
        if isinstance(comparison, SeedComparison):
            _print_seeds(comparison)
        else:
            _print(comparison)
    print_marks(mark for comparison in comparisons for mark in comparison.marks)


def _print(comparison: TaskComparison) -> None:
    _print_head(comparison)
    lost = f", {comparison.left_out} left out because one errored" if comparison.left_out else ""
    commands.say(f"{comparison.samples} samples in {comparison.clusters} clusters{lost}\n")
    heads = (*_HEADS, "detectable")
    _print_rows(heads, comparison.metrics)
    _warn(comparison.metrics)
    if comparison.slices:
        commands.say(f"\n{comparison.main.column} by slice; p corrected over slices")
        _print_rows((*heads, "clusters"), comparison.slices)
        _warn(comparison.slices)
    flips, scores = comparison.flips, comparison.scores
    commands.say(f"\ngained {len(flips.gained)}{_some(flips.gained)}")
    commands.say(f"lost {len(flips.lost)}{_some(flips.lost)}")
    changed = f"{len(flips.changed)}{_some(flips.changed)}"
    commands.say(f"answered differently, as right or as wrong {changed}")
    share = number(comparison.same / comparison.samples if comparison.samples else None, 100)
    commands.say(f"answered alike {comparison.same} of {comparison.samples} ({share} %)")
    if scores.options:
        commands.say(
            f"scores of {scores.options} options differ by {scores.total / scores.options:.2g} on "
            f"average, by {scores.largest:.2g} at most ({scores.sample})"
        )
    commands.say("")


def _print_head(comparison: TaskComparison | SeedComparison) -> None:
    first, second = comparison.first, comparison.second
    commands.say(f"{comparison.title} ({comparison.task}): {second} (B) minus {first} (A)")


def _print_seeds(comparison: SeedComparison) -> None:
    _print_head(comparison)
    commands.say(f"means over {comparison.seeds} seeds, with Student's t intervals and p values\n")
    _print_rows(_HEADS, comparison.metrics)
    _warn(comparison.metrics)
    commands.say("")


def _print_rows(heads: Sequence[str], differences: Sequence[Difference | SeedDifference]) -> None:
    """Print a row for each difference, with what a margin tells where one was named."""
    claims = [difference.paired.equivalence for difference in differences]
    more = ("≈ p", "no worse p", "claim") if any(claims) else ()
    wide = len(_HEADS) + 2
    rows = (row[: len(heads)] + row[wide:] for row in _rows(differences))
    print_table((*heads, *more), (row[: len(heads) + len(more)] for row in rows))


def _warn(differences: Iterable[Difference | SeedDifference]) -> None:
    """Print each warning once, with the slices that it is of."""
    warnings: dict[str, list[str]] = {}
    for difference in differences:
        interval, of_slice = difference.paired.interval, bool(getattr(difference, "slice", ""))
        if difference.undefined:
            warnings.setdefault(f"-- is undefined: {difference.undefined}", []).append(
                difference.label
            )
        if difference.paired.units == 1:
            warnings.setdefault("1 cluster alone: no test", []).append(difference.label)
        for warning in interval.warning.split("; ") if interval and interval.warning else ():
            if of_slice and warning.startswith("only "):  # how many, their last column says
                warning = "few clusters: the interval may be too short"  # noqa: PLW2901
            labels = warnings.setdefault(warning, [])
            labels += [difference.label] * of_slice
    for warning, labels in warnings.items():
        commands.say(
            f"warning: {warning}{' (' * bool(labels)}{', '.join(labels)}{')' * bool(labels)}"
        )


def _rows(differences: Iterable[Difference | SeedDifference]) -> list[tuple[str, ...]]:
    from harness_studies.comparisons import claim_of

    rows: list[tuple[str, ...]] = []
    for difference in differences:
        scale, paired = difference.scale, difference.paired
        interval, claim = paired.interval, paired.equivalence
        rows.append(
            (
                difference.label,
                number(difference.first, scale),
                number(difference.second, scale),
                number(paired.difference, scale, sign="+"),
                f"[{number(interval.low, scale, sign='+')}, "
                f"{number(interval.high, scale, sign='+')}]" if interval else "--",
                number(paired.p, 1, digits=4),
                number(paired.corrected, 1, digits=4),
                number(paired.fdr, 1, digits=4),
                number(paired.detectable, scale),
                f"{paired.units:,}",
                number(claim.equivalent if claim else None, 1, digits=4),
                number(claim.no_worse if claim else None, 1, digits=4),
                claim_of(paired, difference.direction),
            )
        )  # fmt: skip
    return rows


def _some(ids: tuple[str, ...]) -> str:
    if not ids:
        return ""
    more = ", ..." if len(ids) > _SHOWN else ""
    return f": {', '.join(ids[:_SHOWN])}{more}"
