"""``harness data``: where benchmarks lie, whether they are whole, what identifies them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import harness
from harness import commands
from harness.commands import (
    clean,
    complete_tasks,
    data_paths,
    pairs,
    print_json,
    print_table,
    together,
)
from harness.errors import HarnessError, UserError
from harness.progress import EachMinute

if TYPE_CHECKING:
    from harness.evaluation.task import Task

    from harness_checks.data_check import Finding, SplitReport

_DEFAULT_IMAGES = 200
_task_flags = together(
    commands.include, commands.data, commands.profile, commands.task_options, commands.as_json
)


@click.group(epilog="Examples: harness data list; harness data check fairface --images all")
def data() -> None:
    """Find, check and fingerprint the data of tasks. Downloads only what you name as hf:..."""


@data.command("list", epilog="Example: harness data list --profile full")
@commands.include
@commands.data
@commands.profile
@commands.as_json
def list_(*, data: tuple[str, ...], profile: str | None, as_json: bool) -> None:
    """List every task with the folder its data would be read from."""
    from harness.config.data import given_path, source_of
    from harness.config.tasks import installed_catalog

    settings = _settings(data, profile)
    catalog = installed_catalog()
    rows = []
    for name, entry in catalog.entries.items():
        spec = catalog.task(name)
        path = given_path(spec, settings)
        drawn = path is None and source_of(spec.data.benchmark, settings.source) is not None
        source_text = str(path) if path else str(settings.source) if drawn else ""
        rows.append({"task": entry.id, "benchmark": spec.data.benchmark, "data": source_text})
    if as_json:
        print_json(rows)
        return
    print_table(
        ("task", "benchmark", "data"),
        [(row["task"], row["benchmark"], row["data"] or "not said") for row in rows],
    )


@data.command(epilog="Example: harness data where scounter --data scounter=/data/scounter.zip")
@click.argument("name", metavar="TASK", shell_complete=complete_tasks)
@_task_flags
def where(*, name: str, as_json: bool, **flags: Any) -> int:
    """Show which files a task needs, which were found, their licence and how to obtain them."""
    from harness.config.hub import is_hub_id

    task, path = _task(name, flags)
    spec = task.spec
    answer: dict[str, Any] = {
        "task": spec.id, "benchmark": spec.data.benchmark, "split": spec.data.split,
        "given": None if path is None else str(path), "licence": " ".join(spec.licence.split()),
        "obtain": spec.data.obtain.rstrip(),
    }  # fmt: skip
    if path is not None and is_hub_id(path):
        answer["note"] = "a dataset on the hub; a run or a check fetches it"
    else:
        try:
            root = task.located.root
            files = task.reader.annotations(root, spec.data.split)
            answer |= {"root": str(root), "files": {file: root.is_file(file) for file in files}}
        except HarnessError as error:
            answer["problem"] = error.message
    if as_json:
        print_json(answer)
    else:
        _print_where(answer)
    return 0 if "problem" not in answer and all(answer.get("files", {}).values()) else 1


@data.command(epilog="Example: harness data check fairface --data fairface=FOLDER --images all")
@click.argument("name", metavar="TASK", shell_complete=complete_tasks)
@click.option(
    "--images",
    default=str(_DEFAULT_IMAGES),
    show_default=True,
    metavar="N|all",
    help="Open at most N images per split, the same ones every time.",
)
@_task_flags
def check(*, name: str, images: str, as_json: bool, **flags: Any) -> int:
    """Check files, counts, ids, labels and images; the exit code is 1 when something is broken."""
    name = _id(name)
    if images != "all" and not images.isdigit():
        raise UserError(f"--images {images!r} is neither all nor a whole number",
                        fix="--images all, or --images 100")  # fmt: skip
    with _Bar() as bar:
        report = harness.data_check(
            name,
            images=None if images == "all" else int(images),
            options=_chosen(name, flags),
            data=dict(data_paths(flags["data"])),
            profile=flags["profile"],
            on_progress=bar,
        )
    root = str(report.task.located.root)
    if as_json:
        splits = [split.as_json() for split in report.splits]
        print_json({"task": name, "root": root, "broken": report.broken, "splits": splits})
    else:
        click.echo(f"{name}: {clean(root)}")
        for split in report.splits:
            _print_report(split)
        click.echo("broken" if report.broken else "whole, as far as it was looked at")
    return 1 if report.broken else 0


@data.command(epilog="Example: harness data fingerprint fairface --data fairface=FOLDER")
@click.argument("name", metavar="TASK", shell_complete=complete_tasks)
@_task_flags
def fingerprint(*, name: str, as_json: bool, **flags: Any) -> None:
    """Print what identifies the data: a hash of each annotation file and of the sample ids."""
    from harness.evaluation.plan import Selection, plan_task

    task, _ = _task(name, flags)
    plan = plan_task(task, Selection())
    files = task.annotation_hashes()
    if as_json:
        print_json({"task": name, "split": task.spec.data.split, "samples": plan.samples,
                    "files": files, "parts": plan.parts,
                    "fingerprint": plan.fingerprint})  # fmt: skip
        return
    for file, digest in files.items():
        click.echo(f"{digest}  {clean(file)}")
    click.echo(f"{plan.parts['sample ids']}  ids of {plan.samples:,} samples")
    click.echo(f"{plan.fingerprint}  the task as a whole ({task.spec.data.split})")


def _settings(folders: Iterable[str], profile: str | None) -> Any:
    from harness.config.settings import load_settings

    return load_settings(profile=profile, data=data_paths(tuple(folders)))


def _chosen(name: str, flags: dict[str, Any]) -> dict[str, Any]:
    from harness.evaluation.run import task_options

    by_task = task_options(dict(pairs(flags["spec_options"], "--task-option")), [name])
    return dict(by_task.get(name, {}))


def _id(name: str) -> str:
    """Return the id of a task that may be given by the path of its spec."""
    from harness.config.tasks import task_name

    return task_name(name)


def _task(name: str, flags: dict[str, Any]) -> tuple[Task, Path | None]:
    from harness.config.data import chosen_spec, given_path, refuse_unused
    from harness.evaluation.task import Task

    name = _id(name)
    settings = _settings(flags["data"], flags["profile"])
    spec = chosen_spec(name, _chosen(name, flags), settings)
    refuse_unused(pairs(flags["data"], "--data"), spec)
    return Task(spec, settings), given_path(spec, settings)


def _print_where(report: dict[str, Any]) -> None:
    click.echo(f"{report['task']}: {report['benchmark']}, split {report['split']}")
    click.echo(f"looked in: {clean(report.get('root') or report['given'] or 'nowhere')}")
    for key in ("problem", "note"):
        if key in report:
            click.echo(clean(report[key]))
    for file, location in report.get("files", {}).items():
        click.echo(f"  {'found  ' if location else 'missing'}  {clean(file)}")
    click.echo(f"licence: {clean(report['licence'])}")
    click.echo("how to get it:\n  " + clean(report["obtain"]).replace("\n", "\n  "))


def _print_report(report: SplitReport) -> None:
    counts = ", ".join(f"{number:,} {unit}" for unit, number in report.counts.items())
    opened = f"; {report.opened:,} images opened" if report.opened else ""
    click.echo(f"  {report.split}: {counts or 'not read'}{opened}")
    for finding in report.problems:
        _print_finding(finding, "BROKEN")
    for finding in report.notes:
        _print_finding(finding, "note")


def _print_finding(finding: Finding, mark: str) -> None:
    click.echo(f"    {mark}: {finding.kind} ({finding.count:,})")
    for example in finding.examples:
        click.echo(f"      {clean(example)}")
    if 0 < len(finding.examples) < finding.count:
        click.echo(f"      and {finding.count - len(finding.examples):,} more")


class _Bar:
    """A progress bar on standard error, or a line a minute where that is no terminal."""

    def __enter__(self) -> _Bar:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

        console = Console(stderr=True)
        self._progress = Progress(
            TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), console=console,
            disable=not console.is_terminal,
        )  # fmt: skip
        self._progress.start()
        self._doing = self._progress.add_task("", total=None)
        self._is_bar = console.is_terminal
        self._lines: dict[str, EachMinute] = {}
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def __call__(self, doing: str, done: int, total: int | None) -> None:
        self._progress.update(self._doing, description=doing, completed=done, total=total)
        if not self._is_bar and total is not None:
            if doing not in self._lines:
                self._lines[doing] = EachMinute(
                    partial(click.echo, err=True), doing, total, "images"
                )
            self._lines[doing].reach(done)
