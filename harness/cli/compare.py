"""``harness compare``: two runs sample by sample."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli._tables import print_json, print_table
from harness.errors import UserError

if TYPE_CHECKING:
    from harness.evaluation.compare import Difference, TaskComparison
    from harness.runs.record import EvaluationRecord

_SHOWN = 5


@click.command(epilog="Example: harness compare null-4829f865899b socialfusion-1c2d3e4f5a6b")
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
    """
    from harness.evaluation.compare import compare_all

    pairs = _paired(_records(first), _records(second), tasks)
    found = compare_all(pairs, seed=seed)
    if as_json:
        print_json([asdict(one) for one in found])
        return
    for one in found:
        _print(one)


def _records(place: str) -> dict[str, EvaluationRecord]:
    from harness.config.settings import load_settings
    from harness.runs.read import read_evaluations

    given, manifest = Path(place), load_settings().results / "runs" / f"{place}.json"
    if not given.exists() and manifest.is_file():
        given = manifest
    records, problems = read_evaluations(given)
    for problem in problems:
        click.echo(f"left out: {problem}", err=True)
    found: dict[str, EvaluationRecord] = {}
    for record in records:
        if record.task in found:
            raise UserError(
                f"more than one evaluation of {record.task!r}",
                where=given,
                fix="name a run, or the directory of one evaluation",
            )
        found[record.task] = record
    if not found:
        raise UserError("no finished evaluation", where=given, fix="harness run ...")
    return found


def _paired(
    first: dict[str, EvaluationRecord], second: dict[str, EvaluationRecord], tasks: str | None
) -> list[tuple[EvaluationRecord, EvaluationRecord]]:
    wanted = [name.strip() for name in (tasks or "").split(",") if name.strip()]
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
    if one.slices:
        click.echo(f"\n{one.main.column} by slice; p corrected over slices")
        print_table(heads, _rows(one.slices))
    flips = one.flips
    click.echo(f"\ngained {len(flips.gained)}{_some(flips.gained)}")
    click.echo(f"lost {len(flips.lost)}{_some(flips.lost)}")
    click.echo(f"answered differently, as right or as wrong {len(flips.changed)}\n")


def _rows(differences: Iterable[Difference]) -> list[tuple[str, ...]]:
    rows: list[tuple[str, ...]] = []
    for one in differences:
        scale, paired, interval = one.scale, one.paired, one.paired.interval
        name = f"{one.slice} = {one.value}" if one.slice else one.column
        rows.append(
            (
                name,
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
