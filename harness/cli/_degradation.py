"""``harness study`` on a study of degradation: what a training took away from a vision tower."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.cli._tables import print_json, print_table
from harness.cli.probe import between, digits_of, finish, number

if TYPE_CHECKING:
    from harness.analysis.results import Analysis
    from harness.specs.yaml_loader import Document


def run_degradation(  # noqa: PLR0913  one keyword for each flag
    document: Document,
    out: Path | None,
    results: Path | None,
    *,
    page: Path | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Do what is missing of a study, and print and write its tables."""
    from harness.config.settings import load_settings
    from harness.studies.degradation.page import write_page
    from harness.studies.degradation.run import run_parts
    from harness.studies.degradation.study import read_degradation
    from harness.studies.degradation.tables import write_degradation, written
    from harness.studies.page import check_page

    study = read_degradation(document)
    if page is not None:
        check_page(study, page)
    place = load_settings(profile=study.profile, results=results).results
    for line in study.plan():
        click.echo(line, err=True)
    if dry_run:
        return 0
    started = time.monotonic()

    def say(text: str) -> None:
        click.echo(f"{(time.monotonic() - started) / 60:5.1f} min  {text}", err=True)

    parts = run_parts(study, results, say)
    found = write_degradation(study, parts, place)
    files = written(found, out or place / "studies" / study.id)
    if page is not None:
        files += write_page(study, found, page, parts.steps)
    if as_json:
        print_json(found.as_json())
        return 0
    _print(found)
    for path in files:
        click.echo(f"wrote {path}")
    finish(found)
    return 0


def _print(found: Analysis) -> None:
    click.echo("degradation: probe before minus after, positive: worse after; mean over seeds")
    print_table(
        ("task", "before", "after", "degradation", "95 %", "training"),
        [
            (
                f"{row['task']}{' (control)' if row['is_control'] else ''}",
                number(row["before"], row["scale"], digits=digits_of(row)),
                number(row["after"], row["scale"], digits=digits_of(row)),
                number(row["degradation"], row["scale"], digits=digits_of(row), sign="+"),
                between(row, row["scale"], digits=digits_of(row), sign="+"),
                str(row["encoder"]),
            )
            for row in found.table("degradation").records()
        ],
    )
    for name, heads, value in (
        ("transfer", ("task", "tower"), "relative"),
        ("conflict", ("first", "second", "tower"), "cosine"),
    ):
        if name not in {table.name for table in found.tables}:
            continue
        click.echo(f"\n{name}: {value}, mean over seeds")
        rows = found.table(name).records()
        print_table(
            (*heads[:-1], value, "95 %", heads[-1]),
            [
                (
                    *(str(row[head]) for head in heads[:-1]),
                    number(row[value], digits=3, sign="+"),
                    between(row, digits=3, sign="+"),
                    str(row[heads[-1]]),
                )
                for row in rows
            ],
        )
