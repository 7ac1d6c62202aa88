"""``harness study``: plan a study, compute what is missing, and print its tables."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import click
import harness
from harness import commands
from harness.commands import emit, tell
from harness.errors import UserError, nearest
from harness.plugins import plugins
from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from harness.studies.kind import StudyPlan, StudyReport


class _StudyCommand(click.Command):
    """Says which command is meant where a study's name is that of one, or --metrics is given."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse the arguments.

        Raises:
            UserError: the first names a command, or one asks for other metrics.
        """
        asked = [at for at, word in enumerate(args) if word.split("=")[0] == "--metrics"]
        if asked:
            name, _, ids = args[asked[0]].partition("=")
            ids = ids or next(iter(args[asked[0] + 1 :]), "ID,ID")
            folder = [args[at + 1] for at, word in enumerate(args[:-1]) if word == "--results"]
            raise UserError(
                "a study computes the metrics of its tasks; others are computed from the answers "
                "that it keeps",
                where=name,
                fix=shlex.join(["harness", "rescore", *folder, "--metrics", ids]),
            )
        if args and args[0] in plugins().commands():
            raise UserError(
                f"{args[0]!r} is a command of its own, not a study",
                fix=shlex.join(["harness", *args]),
            )
        return super().parse_args(ctx, args)


@click.command(
    cls=_StudyCommand,
    short_help="Train and evaluate a matrix, and make its table.",
    epilog="Examples: harness study asd_main_demo --dry-run | "
    "harness study studies/asd_main_demo.yaml --out asd | "
    "harness study asd_main_demo --on processes -e workers=4",
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
@commands.executor
@commands.dry_run
@commands.as_json
def study(  # noqa: PLR0913  one parameter for each flag
    *,
    study: str | None,
    out: Path | None,
    results: Path | None,
    page: Path | None,
    on: str | None,
    executor_options: tuple[str, ...],
    dry_run: bool,
    as_json: bool,
) -> int:
    """Run a study: train and evaluate what its file lists, and write its tables.

    Results that are sealed already are not computed again: the same command continues after a
    stop at any point. Without a name the command lists the shipped studies. --json prints one
    table, or a list where the kind of study makes several; with --dry-run the plan.
    """
    from harness_studies.files import study_names

    names = study_names()
    if study is None:
        if out or results or page or dry_run or on or executor_options:
            raise UserError(
                "give the name of a study", fix=f"harness study NAME; {nearest('', names)}"
            )
        if as_json:
            emit(json.dumps(names, indent=2))
        else:
            click.echo("\n".join(names))
        return 0
    console = Console(stderr=as_json, highlight=False)
    planned = harness.plan_study(
        study,
        results=results,
        page=page,
        on=on,
        executor_options=dict(commands.pairs(executor_options, "-e")),
    )
    _print_plan(planned.id, planned.plan, console)
    if dry_run:
        if as_json:
            emit(json.dumps(planned.plan.data, indent=2))
        return 1 if planned.plan.problems else 0
    return show_report(planned.run(out, tell), console, as_json=as_json)


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


def show_report(report: StudyReport, console: Console, *, as_json: bool) -> int:
    """Print what a study measured; return the exit code."""
    from harness.tables.formats import as_json as render_json
    from harness.tables.terminal import print_table

    if as_json:
        texts = [render_json(table).strip() for table in report.tables]
        emit(texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]")
    else:
        for table in report.tables:
            print_table(table, console)
    for path in report.files:
        console.print(f"wrote {path}", soft_wrap=True, markup=False)
    for line in report.failed:
        click.echo(f"failed: {line}", err=True)
    return 1 if report.failed else 0
