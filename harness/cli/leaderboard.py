"""``harness leaderboard``: print a table of finished evaluations."""

from __future__ import annotations

from pathlib import Path

import click

from harness.descriptors import load_target
from harness.errors import CheckFailed, UserError
from harness.plugins import find, plugins
from harness.runs.record import EvaluationRecord


@click.command(
    epilog="Example: harness leaderboard results --format markdown --out table.md",
)
@click.argument("places", nargs=-1, metavar="[DIR_OR_RUN]...")
@click.option(
    "--format",
    "form",
    metavar="FORMAT",
    help="terminal, markdown, json, plain, or a format of a plugin; by default as --out ends.",
)
@click.option("--tasks", metavar="ID,ID", help="Show only these tasks and groups, in order.")
@click.option("--metric", metavar="ID", help="Show this metric instead of each task's own.")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the table to this file."
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("--strict", is_flag=True, help="End with 1 when a directory was left out.")
def leaderboard(  # noqa: PLR0913  one parameter an option
    *,
    places: tuple[str, ...],
    form: str | None,
    tasks: str | None,
    metric: str | None,
    out: Path | None,
    as_json: bool,
    strict: bool,
) -> None:
    """Print a table of finished evaluations.

    Reads every evaluation under the folders given, or those that a run's manifest names; without
    any it reads the results folder. Directories that are unfinished or damaged are named and left
    out.
    """
    from harness.tables import build_table
    from harness.tables.terminal import print_table

    form = _format(form, as_json, out)
    records, problems = _read(places)
    for problem in problems:
        click.echo(f"left out: {problem}", err=True)
    table = build_table(records, tasks=_tasks(tasks, records), metric=metric)
    if form == "terminal":
        print_table(table)
    else:
        text = load_target(find("format", form, plugins().formats()))(table)
        if out is None:
            click.echo(text, nl=False)
        else:
            _write(out, text)
    if strict and problems:
        raise CheckFailed(f"{len(problems)} of the directories were left out")


def _format(form: str | None, as_json: bool, out: Path | None) -> str:
    """Return the format asked for: by name, by flag, or by the ending of the file."""
    if as_json and form not in {None, "json"}:
        raise UserError(f"--json and --format {form} contradict each other")
    if as_json:
        return "json"
    if form == "terminal" and out is not None:
        raise UserError("the format terminal is not for files", fix="--format plain")
    if form is not None or out is None:
        return form or "terminal"
    for descriptor in plugins().formats().values():
        if out.suffix == descriptor.suffix:
            return descriptor.id
    raise UserError(f"no format writes {out.suffix or 'such'} files", where=out, fix="--format ID")


def _tasks(text: str | None, records: list[EvaluationRecord]) -> list[str] | None:
    """Return task ids; of a group those that have a record, so that a partial table can be had."""
    names = [name.strip() for name in (text or "").split(",") if name.strip()]
    if not names:
        return None
    from harness.specs.catalog import load_catalog

    groups = load_catalog(plugins().spec_folders()).groups
    there = {record.task for record in records}
    chosen: list[str] = []
    for name in names:
        if name in groups and name not in there:
            chosen += [task for task in groups[name].tasks if task in there]
        else:
            chosen.append(name)
    if not chosen:
        raise UserError(f"no finished evaluation of {', '.join(names)}", fix="harness run ...")
    return chosen


def _read(places: tuple[str, ...]) -> tuple[list[EvaluationRecord], list[str]]:
    """Read all places; an evaluation that two of them hold is read once."""
    from harness.config.settings import load_settings
    from harness.runs.read import read_evaluations

    results = load_settings().results
    records: dict[Path, EvaluationRecord] = {}
    problems: dict[str, None] = {}
    for place in [_located(place, results) for place in places] or [results]:
        found, left_out = read_evaluations(place)
        for record in found:
            records.setdefault(record.directory.resolve(), record)
        problems.update(dict.fromkeys(left_out))
    return list(records.values()), list(problems)


def _located(place: str, results: Path) -> Path:
    """Return a path as given, or the manifest of the run of that name."""
    given, manifest = Path(place), results / "runs" / f"{place}.json"
    return manifest if not given.exists() and manifest.is_file() else given


def _write(out: Path, text: str) -> None:
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_text(text, encoding="utf-8", newline="\n")
    except OSError as error:
        raise UserError(f"cannot be written: {error.strerror}", where=out) from None
