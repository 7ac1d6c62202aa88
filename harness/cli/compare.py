"""``harness compare``: two runs sample by sample."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli._tables import print_json, print_table
from harness.errors import UserError
from harness.tables.known import listed

if TYPE_CHECKING:
    from harness.evaluation.paired import Difference, TaskComparison
    from harness.evaluation.seeds import SeedComparison, SeedDifference
    from harness.runs.record import EvaluationRecord

_SHOWN = 5


@click.command(
    epilog="""Examples:

\b
  harness compare null-4829f865899b socialfusion-1c2d3e4f5a6b
  harness compare plain-1,plain-2,plain-3 asd-1,asd-2,asd-3
"""
)
@click.argument("first", metavar="RUN_A")
@click.argument("second", metavar="RUN_B")
@click.option("--tasks", metavar="ID,ID", help="Compare only these tasks.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of resampling.")
@click.option("--json", "as_json", is_flag=True, help="Print everything as JSON, with all ids.")
def compare(*, first: str, second: str, tasks: str | None, seed: int, as_json: bool) -> None:
    """Compare two runs on the samples that both have scored: B minus A.

    RUN_A and RUN_B are names of runs, their manifests, or folders of evaluations; each names one
    model. Every task both have is compared: difference with interval, p value of a paired
    permutation test over clusters (Holm over the tasks), the samples that flipped, and slices.

    Several runs of one model with other seeds, with commas between, are compared as means over
    the seeds that both have, with Student's t interval.
    """
    from harness.evaluation.paired import compare_all
    from harness.evaluation.seeds import SeedComparison, compare_all_seeds

    groups = _paired(_records(first), _records(second), tasks)
    found: list[TaskComparison | SeedComparison]
    if any(len(held) > 1 for group in groups for held in group):
        found = [*compare_all_seeds(groups)]
    else:
        found = [*compare_all([(one[0], other[0]) for one, other in groups], seed=seed)]
    if as_json:
        print_json([asdict(one) for one in found])
        return
    for one in found:
        if isinstance(one, SeedComparison):
            _print_seeds(one)
        else:
            _print(one)


def _records(places: str) -> dict[str, list[EvaluationRecord]]:
    """Return evaluations by task, of one place or of several with commas between."""
    found: dict[str, list[EvaluationRecord]] = {}
    for place in [places] if Path(places).exists() else places.split(","):
        for record in _of_place(place.strip()):
            found.setdefault(record.task, []).append(record)
    return found


def _of_place(place: str) -> list[EvaluationRecord]:
    from harness.cli.leaderboard import newest_of
    from harness.config.settings import load_settings

    given, manifest = Path(place), load_settings().results / "runs" / f"{place}.json"
    if not given.exists() and manifest.is_file():
        given = manifest
    records, _ = newest_of((str(given),), whole=True)
    records = [record for record in records if not record.variant] or records
    if not records:
        raise UserError("no finished evaluation", where=given, fix="harness run ...")
    return records


def _paired(
    first: dict[str, list[EvaluationRecord]],
    second: dict[str, list[EvaluationRecord]],
    tasks: str | None,
) -> list[tuple[list[EvaluationRecord], list[EvaluationRecord]]]:
    wanted = listed(tasks)
    for name in wanted:
        for held in (first, second):
            if name not in held:
                raise UserError(f"no evaluation of {name!r} in both runs", fix=", ".join(held))
    shared = wanted or [name for name in first if name in second]
    if not shared:
        raise UserError(
            "the two runs have no task in common: "
            f"{', '.join(first)} in one, {', '.join(second)} in the other"
        )
    return [(first[name], second[name]) for name in shared]


def _print(one: TaskComparison) -> None:
    click.echo(f"{one.title} ({one.task}): {one.second} (B) minus {one.first} (A)")
    lost = f", {one.left_out} left out because one errored" if one.left_out else ""
    click.echo(f"{one.samples} samples in {one.clusters} clusters{lost}\n")
    heads = ("", "A", "B", "B - A", "95 %", "p", "corrected", "detectable")
    print_table(heads, _rows(one.metrics))
    _warn(one.metrics)
    if one.slices:
        click.echo(f"\n{one.main.column} by slice; p corrected over slices")
        print_table(heads, _rows(one.slices))
    flips = one.flips
    click.echo(f"\ngained {len(flips.gained)}{_some(flips.gained)}")
    click.echo(f"lost {len(flips.lost)}{_some(flips.lost)}")
    click.echo(f"answered differently, as right or as wrong {len(flips.changed)}\n")


def _print_seeds(one: SeedComparison) -> None:
    click.echo(f"{one.title} ({one.task}): {one.second} (B) minus {one.first} (A)")
    click.echo(f"means over {one.seeds} seeds; intervals and p are Student's t over the seeds\n")
    heads = ("", "A", "B", "B - A", "95 %", "p", "corrected")
    print_table(heads, (row[:-1] for row in _rows(one.metrics)))
    _warn(one.metrics)
    click.echo("")


def _warn(differences: Iterable[Difference | SeedDifference]) -> None:
    intervals = (one.paired.interval for one in differences)
    for warning in dict.fromkeys(held.warning for held in intervals if held and held.warning):
        click.echo(f"warning: {warning}")


def _rows(differences: Iterable[Difference | SeedDifference]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for one in differences:
        scale, paired, interval = one.scale, one.paired, one.paired.interval
        rows.append(
            (
                one.label,
                _number(one.first, scale),
                _number(one.second, scale),
                _number(paired.difference, scale, sign="+"),
                f"[{_number(interval.low, scale, sign='+')}, "
                f"{_number(interval.high, scale, sign='+')}]" if interval else "--",
                _number(paired.p, 1, digits=4),
                _number(paired.corrected, 1, digits=4),
                _number(paired.detectable, scale),
            )
        )  # fmt: skip
    return rows


def _number(value: float | None, scale: float, *, digits: int = 2, sign: str = "") -> str:
    return "--" if value is None else f"{value * scale:{sign}.{digits}f}"


def _some(ids: tuple[str, ...]) -> str:
    if not ids:
        return ""
    more = ", ..." if len(ids) > _SHOWN else ""
    return f": {', '.join(ids[:_SHOWN])}{more}"
