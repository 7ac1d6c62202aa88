"""``harness study``: plan a study, compute what is missing, and print its tables."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness.cli.progress import log

if TYPE_CHECKING:
    from harness.studies.kind import StudyPlan, StudyReport


@click.command(
    short_help="Train and evaluate a matrix, and make its table.",
    epilog="Examples: harness study asd_main_demo --dry-run | "
    "harness study studies/asd_main_demo.yaml --out asd | harness study",
)
@click.argument("study", required=False, metavar="[FILE|NAME]")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of the tables; by default studies/NAME in the results folder.",
)
@click.option(
    "--results",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder of trainings and records, which studies share.",
)
@click.option(
    "--page",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the results as a page (.md) with its numbers (.json) and figure (.svg) beside it.",
)
@click.option("--dry-run", is_flag=True, help="Print the plan and stop.")
@click.option("--json", "as_json", is_flag=True, help="Print plan or table as JSON.")
def study(
    *,
    study: str | None,
    out: Path | None,
    results: Path | None,
    page: Path | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Run a study: train and evaluate what its file lists, and write its tables.

    Results that are sealed already are not computed again: the same command continues after a
    stop at any point. Without a name the command lists the shipped studies.
    """
    from harness.config.settings import load_settings
    from harness.studies.kind import read_study
    from harness.studies.loader import open_study, study_names
    from harness.studies.page import check_page

    if study is None:
        click.echo("\n".join(study_names()))
        return 0
    console = Console(stderr=as_json, highlight=False)
    loaded = read_study(open_study(study))
    if page is not None:
        check_page(loaded, page)
    plan = loaded.plan(results)
    _print_plan(loaded.id, plan, console)
    if dry_run:
        if as_json:
            click.echo(json.dumps(plan.data, indent=2))
        return 1 if plan.problems else 0
    root = load_settings(profile=loaded.profile, results=results).results
    report = loaded.run(out or root / "studies" / loaded.id, results, log)
    pages = () if page is None else report.page(page)
    return _print(report, (*report.files, *pages), console, as_json=as_json)


def _print_plan(name: str, plan: StudyPlan, console: Console) -> None:
    table = Table(title=f"Plan of {name}", title_justify="left", box=None, pad_edge=False)
    for head in plan.heads:
        table.add_column(head, overflow="fold")
    for row in plan.rows:
        table.add_row(*map(escape, row))
    if plan.rows:
        console.print(table)
    for problem in plan.problems:
        console.print(escape(f"cannot be had: {problem}"), style="red", soft_wrap=True)
    for note in plan.notes:
        console.print(escape(note), soft_wrap=True)


def _print(report: StudyReport, files: tuple[Path, ...], console: Console, *, as_json: bool) -> int:
    from harness.tables.formats import as_json as render_json
    from harness.tables.terminal import print_table

    for table in report.tables:
        if as_json:
            click.echo(render_json(table))
        else:
            print_table(table, console)
    for path in files:
        console.print(f"wrote {path}", soft_wrap=True, markup=False)
    for line in report.failed:
        click.echo(f"failed: {line}", err=True)
    return 1 if report.failed else 0
