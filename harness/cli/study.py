"""``harness study``: plan a matrix of trainings and evaluations, do what is missing, tabulate."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness.cli.progress import log
from harness.progress import EachMinute
from harness.training.figures import came_to
from harness.training.steps import EachMinuteSteps

if TYPE_CHECKING:
    from harness.descriptors import Json
    from harness.evaluation.run import Planned
    from harness.studies.plan import TrialPlan
    from harness.studies.run import StudyResult
    from harness.studies.study import Study


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
def study(  # noqa: PLR0913  one argument for each flag
    *,
    study: str | None,
    out: Path | None,
    results: Path | None,
    page: Path | None,
    dry_run: bool,
    as_json: bool,
) -> int:
    """Train and evaluate models x recipes x data x seeds x tasks, and write the table.

    What is sealed already is not done again: the same command continues, at any point. Without a
    name it lists the studies that are shipped.
    """
    from harness.config.settings import load_settings
    from harness.studies.degradation.study import is_degradation
    from harness.studies.loader import load_study, open_study, study_names
    from harness.studies.page import check_page, write_page
    from harness.studies.plan import plan_study

    if study is None:
        click.echo("\n".join(study_names()))
        return 0
    document = open_study(study)
    if is_degradation(document):
        from harness.cli._degradation import run_degradation

        return run_degradation(document, out, results, page=page, dry_run=dry_run, as_json=as_json)
    console = Console(stderr=as_json, highlight=False)
    held = load_study(document)
    if page is not None:
        check_page(held, page)
    place = load_settings(profile=held.profile, results=results).results
    plans = plan_study(held, results)
    _print_plan(held, plans, console)
    if dry_run:
        if as_json:
            click.echo(json.dumps([_plan_json(plan) for plan in plans], indent=2))
        return 1 if any(plan.problem for plan in plans) else 0
    from harness.studies.run import run_study

    folder = out or place / "studies" / held.id
    result = run_study(held, plans, folder, results, _Display(console, plans))
    if page is not None:
        result = replace(result, files=(*result.files, *write_page(held, result, page)))
    return _print(result, console, as_json=as_json)


def _print_plan(study: Study, plans: Sequence[TrialPlan], console: Console) -> None:
    table = Table(title=f"Plan of {study.id}", title_justify="left", box=None, pad_edge=False)
    for name in ("trial", "training", "evaluations", "estimate"):
        table.add_column(name, overflow="fold")
    for plan in plans:
        training = str(plan.training)
        if plan.training and not plan.problem:
            training = f"{plan.training}, {plan.steps:,} steps"
        sealed = f"{plan.sealed} of {plan.evaluations} sealed"
        estimate = "done" if plan.done else _clock(plan.seconds)
        table.add_row(*map(escape, (plan.trial.name, training or "none", sealed, estimate)))
    console.print(table)
    problems: dict[str, list[str]] = {}
    for plan in plans:
        if plan.problem:
            problems.setdefault(plan.problem, []).append(plan.trial.name)
    for problem, names in problems.items():
        more = f" and {len(names) - 1} more" if len(names) > 1 else ""
        said = f"cannot be had: {names[0]}{more}: {problem}"
        console.print(escape(said), style="red", soft_wrap=True)
    open_ = [plan for plan in plans if not plan.done and not plan.problem]
    known = [plan.seconds for plan in open_ if plan.seconds is not None]
    if not open_:
        console.print("nothing that can be computed" if problems else "nothing left to compute")
        return
    rest = len(open_) - len(known)
    times = [_clock(sum(known))] if known else []
    if rest:
        times.append(f"{rest} not known until one of the same model is done")
    console.print(f"{len(open_)} of {len(plans)} trials left: {'; '.join(times)}")
    if study.transfer is not None:
        console.print(f"alone and joint are matched by {study.transfer.matched}")


def _clock(seconds: float | None) -> str:
    if seconds is None:
        return "not known"
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def _plan_json(plan: TrialPlan) -> dict[str, Any]:
    return {
        "trial": plan.trial.name,
        "row": plan.trial.row,
        "seed": plan.trial.seed,
        "training": plan.training,
        "folder": None if plan.folder is None else str(plan.folder),
        "samples": dict(plan.samples),
        "steps": plan.steps,
        "evaluations": plan.evaluations,
        "sealed": plan.sealed,
        "seconds": plan.seconds,
        "problem": plan.problem,
    }


def _print(result: StudyResult, console: Console, *, as_json: bool) -> int:
    from harness.tables.formats import as_json as render_json
    from harness.tables.terminal import print_table

    for table in result.tables:
        if as_json:
            click.echo(render_json(table))
        else:
            print_table(table, console)
    for path in result.files:
        console.print(f"wrote {path}", soft_wrap=True, markup=False)
    for line in result.failed:
        click.echo(f"failed: {line}", err=True)
    return 1 if result.failed else 0


class _Display:
    """Prints a line for each trial, epoch and evaluation, and one a minute within them."""

    def __init__(self, console: Console, plans: Sequence[TrialPlan]) -> None:
        self._console = console
        self._left = [plan for plan in plans if not plan.done and not plan.problem]
        self._took: list[float] = []
        self._started = time.monotonic()

    def trial(self, number: int, total: int, plan: TrialPlan) -> None:
        """Print what begins."""
        self._started = time.monotonic()
        self._steps = EachMinuteSteps(log, f"  {plan.trial.name}", plan.steps)
        self.say(f"[{number}/{total}] {plan.trial.name}")

    def ended(self, plan: TrialPlan, problem: str) -> None:
        """Print how it ended."""
        seconds = time.monotonic() - self._started
        if plan in self._left:
            self._left.remove(plan)
        if problem or plan.done:
            self.say(f"  failed: {problem}" if problem else "  nothing to do")
            return
        if plan.folder is not None:  # a trial without training tells little of the others
            self._took.append(seconds)
        said = f"  done in {_clock(seconds)}"
        if self._left and self._took:
            left = _clock(len(self._left) * sum(self._took) / len(self._took))
            said += f"; {len(self._left)} left, about {left}"
        self.say(said)

    def step(self, figures: Mapping[str, float]) -> None:
        """Say when memory made batches smaller, and once a minute how far the training is."""
        self._steps.step(figures)
        if "micro_batch" in figures:
            self.say(f"  memory ran out: micro-batches of {figures['micro_batch']:.0f}")

    def epoch(self, number: int, figures: Mapping[str, Json]) -> None:
        """Print what a finished epoch came to."""
        self._steps.epoch(number, figures)
        if "steps" in figures:
            self.say(f"  epoch {number + 1}: {came_to(figures)}")

    def planned(self, jobs: Sequence[Planned]) -> None:
        """Ignore the plan, which stands above."""

    def task(self, job: Planned) -> None:
        """Print which task begins, unless it is done."""
        name, total = job.job.plan.task.id, job.job.plan.samples
        self._samples = EachMinute(log, f"  {name}", total, "samples", done=job.journaled)
        if job.state != "done":
            self.say(f"  {name}: {total:,} samples")
            self._samples.reach(0)  # blocks of before are counted first

    def progress(self, samples: int) -> None:
        """Say once a minute how far the task is."""
        self._samples.advance(samples)

    def say(self, note: str) -> None:
        """Print a note."""
        self._console.print(escape(note), soft_wrap=True)
