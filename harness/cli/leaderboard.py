"""``harness leaderboard``: print a table of finished evaluations."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.errors import CheckFailed, UserError
from harness.plugins import find, plugins
from harness.runs.record import EvaluationRecord
from harness.tables.known import Known, listed

if TYPE_CHECKING:
    from harness.runs.read import LeftOut
    from harness.tables.duplicates import SeedInterval
    from harness.tables.layout import Layout
    from harness.tables.ranks import Tied
    from harness.tables.table import Table, TableStyle

_ANALYSIS = "analysis.json"  # harness.analysis.results has it; what it imports takes long


@click.command(
    epilog="""Examples:

\b
  harness leaderboard results --format markdown --out table.md
  harness leaderboard --layout asd_main --out table.tex
  harness leaderboard --tasks social_all --baseline majority --interval half
  harness leaderboard --tasks raf_db --ties --format markdown
  harness leaderboard run_a run_b --intersect --json
  harness leaderboard --robustness
  harness leaderboard results/analyses/probe/0123456789ab --out lost.tex
"""
)
@click.argument("places", nargs=-1, metavar="[DIR_OR_RUN]...")
@click.option(
    "--format",
    "form",
    metavar="FORMAT",
    help="terminal, markdown, latex, csv, csv_wide, html, json, plain, or a format of a plugin; "
    "by default as --out ends.",
)
@click.option("--tasks", metavar="ID,ID", help="Show only these tasks and groups, in order.")
@click.option("--metric", metavar="ID", help="Show this metric instead of each task's own.")
@click.option("--layout", metavar="NAME|FILE", help="Columns, rows and panels from a YAML file.")
@click.option("--baseline", metavar="ROW", help="Show each number's difference to this row's.")
@click.option(
    "--interval",
    type=click.Choice(["brackets", "half", "none"]),
    help="Both ends, half the width after \N{PLUS-MINUS SIGN}, or none.",
)
@click.option(
    "--duplicates",
    type=click.Choice(["fail", "newest", "mean"]),
    default="fail",
    show_default=True,
    help="When evaluations claim one cell: stop, take the newest, or the mean over seeds.",
)
@click.option("--ties", is_flag=True, help="Mark what a paired test does not tell from the best.")
@click.option(
    "--robustness", is_flag=True, help="Show how much numbers depend on the way of asking."
)
@click.option("--intersect", is_flag=True, help="Count only samples that evaluations share.")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the table to this file."
)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option(
    "--strict",
    is_flag=True,
    help="Check the bytes of every sample file too; end with 1 when a directory was left out.",
)
def leaderboard(  # noqa: PLR0913  one parameter an option
    *,
    places: tuple[str, ...],
    form: str | None,
    tasks: str | None,
    metric: str | None,
    layout: str | None,
    baseline: str | None,
    interval: str | None,
    duplicates: Any,
    ties: bool,
    robustness: bool,
    intersect: bool,
    out: Path | None,
    as_json: bool,
    strict: bool,
) -> None:
    """Print a table of finished evaluations.

    Reads every evaluation under the folders given, or those that a run's manifest names; without
    any it reads the results folder. Damaged directories are named and left out, unfinished and
    superseded ones counted. Folders of analyses (probe, gradients, transfer, mir) make a table of
    their own.
    """
    from harness.tables.build import TableOptions, build_table

    form = _format(form, as_json, out)
    analyses = [_analyses(Path(place)) for place in places]
    if any(analyses):
        _refuse_beside(analyses)
        _show(_of_analyses(analyses, tasks, interval), form, out)
        return
    held = _layout(layout, tasks, metric)
    if held is not None and not places:
        places = held.runs
    if intersect or robustness:
        records, problems = newest_of(places, whole=strict)
    else:
        records, problems = read_places(places, whole=strict)
        say_left_out(problems)
    catalog = Known()
    chosen = catalog.chosen(tasks, records)
    if chosen is None and held is None:
        records = catalog.ordered(records)
    if intersect:
        records = _intersected(records, ties=ties)
    ways = TableOptions(
        baseline=baseline or "",
        duplicates=duplicates,
        looks=_looks(interval, held),
        seed_interval=over_seeds() if duplicates == "mean" else None,
        tied=_tied(records) if ties else None,
        supports=catalog.supports,
    )
    if robustness:
        table = _robustness(records)
    else:
        table = build_table(records, tasks=chosen, metric=metric, layout=held, ways=ways)
    if len(table.sections) > 1 and not intersect and not robustness:
        click.echo(
            "rows of other samples stand apart; --intersect counts what they share", err=True
        )
    _show(table, form, out)
    if strict and problems:
        raise CheckFailed(f"{len(problems)} of the directories were left out")


def _show(table: Table, form: str, out: Path | None) -> None:
    if form == "terminal":
        from harness.tables.terminal import print_table

        print_table(table)
        return
    from harness.tables.render import render

    text = render(find("format", form, plugins().formats()), table)
    if out is None:
        click.echo(text, nl=False)
    else:
        _write(out, text)


def _analyses(place: Path) -> list[Path]:
    """Return the analysis that a place is, or those that a folder of them holds."""
    if (place / _ANALYSIS).is_file():
        return [place]
    return sorted(
        path.parent for deep in ("*", "*/*") for path in place.glob(f"{deep}/{_ANALYSIS}")
    )


def _refuse_beside(analyses: list[list[Path]]) -> None:
    """Refuse what has no meaning for analyses.

    Raises:
        UserError: evaluations beside them, or flags that choose among evaluations.
    """
    if not all(analyses):
        raise UserError("analyses and evaluations do not make one table", fix="name one of both")
    context = click.get_current_context()
    ways = {"tasks", "interval", "form", "as_json", "out", "places", "strict"}
    given = sorted(
        name
        for name in context.params.keys() - ways
        if context.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE
    )
    if given:
        raise UserError(f"--{given[0]} is for evaluations, not for analyses", fix="leave it out")


def _of_analyses(places: list[list[Path]], tasks: str | None, interval: Any) -> Table:
    from harness.analysis.board import analysis_table
    from harness.analysis.results import read_analysis

    folders = dict.fromkeys(path for held in places for path in held)
    found = [read_analysis(path) for path in folders]
    return analysis_table(found, tasks=listed(tasks), looks=_looks(interval, None))


def _robustness(records: list[EvaluationRecord]) -> Table:
    from harness.runs.samples import read_samples
    from harness.tables.robustness import build_robustness

    return build_robustness(
        records,
        lambda record: {
            sample["id"]: sample["answer"]
            for sample in read_samples(record.directory)
            if sample["error"] is None
        },
    )


def _intersected(records: list[EvaluationRecord], *, ties: bool) -> list[EvaluationRecord]:
    if ties:
        raise UserError("--ties compares whole evaluations; leave out --ties or --intersect")
    from harness.evaluation.intersect import intersected

    return intersected(records)


def _tied(records: list[EvaluationRecord]) -> Tied:
    from harness.evaluation.paired import TiedWithBest

    return TiedWithBest(records)


def over_seeds() -> SeedInterval:
    """Return the interval of a mean over seeds."""
    # Statistics take half a second to import, and few tables need them.
    from harness.stats.intervals import over_seeds

    return over_seeds


def _layout(name: str | None, tasks: str | None, metric: str | None) -> Layout | None:
    if name is None:
        return None
    if tasks is not None or metric is not None:
        raise UserError("--layout says which tasks and metrics; leave out --tasks and --metric")
    from harness.tables.layout import load_layout

    return load_layout(name)


def _looks(interval: Any, layout: Layout | None) -> TableStyle | None:
    """Return looks that differ from the layout's, ``None`` for those of the layout."""
    if interval is None:
        return None
    from dataclasses import replace

    from harness.tables.table import TableStyle

    return replace(TableStyle() if layout is None else layout.looks, interval=interval)


def _format(form: str | None, as_json: bool, out: Path | None) -> str:
    """Return the format asked for: by name, by flag, or by the ending of the file."""
    if as_json and form not in {None, "json"}:
        raise UserError(f"--json and --format {form} contradict each other")
    if as_json:
        return "json"
    if form == "terminal" and out is not None:
        raise UserError("the format terminal is not for files", fix="--format plain")
    if form is not None and form != "terminal":
        return find("format", form, plugins().formats()).id
    if out is None:
        return "terminal"
    for descriptor in plugins().formats().values():
        if out.suffix == descriptor.suffix:
            return descriptor.id
    raise UserError(f"no format writes {out.suffix or 'such'} files", where=out, fix="--format ID")


def read_places(
    places: tuple[str, ...], *, whole: bool
) -> tuple[list[EvaluationRecord], list[LeftOut]]:
    """Read all places; an evaluation that two of them hold is read once."""
    from harness.config.settings import load_settings
    from harness.runs.read import survey

    results = load_settings().results
    records: dict[Path, EvaluationRecord] = {}
    problems: dict[LeftOut, None] = {}
    for place in [_located(place, results) for place in places] or [results]:
        found, left_out = survey(place, whole=whole)
        for record in found:
            records.setdefault(record.directory.resolve(), record)
        problems.update(dict.fromkeys(left_out))
    return list(records.values()), list(problems)


def newest_of(
    places: tuple[str, ...], *, whole: bool
) -> tuple[list[EvaluationRecord], list[LeftOut]]:
    """Read all places without what newer evaluations took the place of; say what is left out."""
    from harness.runs.superseded import current, superseded_note

    records, left_out = read_places(places, whole=whole)
    say_left_out(left_out)
    records, superseded = current(records)
    if superseded:
        click.echo(superseded_note(len(superseded)), err=True)
    return records, left_out


def say_left_out(left_out: Sequence[LeftOut]) -> None:
    """Say which directories are left out: each that something is wrong with, others by number."""
    for one in left_out:
        if not one.unfinished:
            click.echo(f"left out: {one.why}", err=True)
    unfinished = sum(one.unfinished for one in left_out)
    if unfinished:
        click.echo(f"{unfinished} unfinished: harness results list", err=True)


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
