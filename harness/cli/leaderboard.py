"""``harness leaderboard``: print a table of finished evaluations."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import harness
from harness.cli import _options
from harness.cli._format import replaced
from harness.cli._options import tell
from harness.cli._records import Skips
from harness.cli._stdout import emit, kept_apart
from harness.errors import CheckFailed, UserError
from harness.plugins import find, missing, plugins

if TYPE_CHECKING:
    from harness.tables.table import Table


@click.command(
    epilog="""Examples:

\b
  harness leaderboard results --format markdown --out table.md
  harness leaderboard --layout asd_main --out table.tex
  harness leaderboard --tasks social_all --baseline majority --interval half
  harness leaderboard --tasks raf_db --ties --format markdown
  harness leaderboard run_a run_b --intersect --json
  harness leaderboard --robustness
  harness leaderboard --tasks fairface_attributes --slices gender
  harness leaderboard results/analyses/probe/0123456789ab --out lost.tex
"""
)
@click.argument("places", nargs=-1, metavar="[DIR_OR_RUN]...")
@click.option(
    "--format",
    "form",
    metavar="FORMAT",
    help="Format: terminal, markdown, latex, csv, csv_wide, html, json, plain, or a plugin's; "
    "by default that of the ending of --out.",
)
@_options.some_tasks("Show only these tasks and groups, in order.")
@_options.include
@click.option("--metric", metavar="ID", help="Show this metric instead of each task's own.")
@click.option(
    "--layout", metavar="NAME|FILE", help="Take columns, rows and panels from a YAML file."
)
@click.option(
    "--slices", metavar="NAME,NAME", help="Show each number in each group too, such as gender."
)
@click.option("--baseline", metavar="ROW", help="Show the difference of each number to this row.")
@click.option(
    "--interval",
    type=click.Choice(["brackets", "half", "none"]),
    help="Show both ends of intervals, half their width after \N{PLUS-MINUS SIGN}, or none.",
)
@_options.duplicates()
@click.option(
    "--ties",
    is_flag=True,
    help="Mark values that a paired test does not distinguish from the best.",
)
@click.option(
    "--margin",
    type=_options.Number(0, min_open=True),
    metavar="NUMBER",
    help="With --ties: mark values shown to be within this margin of the best, in table units.",
)
@click.option(
    "--one-sided",
    type=_options.Number(0.5, 1.0, min_open=True),
    metavar="SHARE",
    help="Mark skew where at least this share of answers is yes, or no; by default 0.95.",
)
@click.option(
    "--human-share",
    is_flag=True,
    help="Show each number as a share of the annotators' number (model human).",
)
@click.option("--robustness", is_flag=True, help="Show how much numbers depend on prompt variants.")
@click.option("--intersect", is_flag=True, help="Count only samples that evaluations share.")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the table to this file."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON (as --format json does).")
@click.option(
    "--strict",
    is_flag=True,
    help="Also hash every sample file; exit with 1 if a directory was left out.",
)
def leaderboard(places: tuple[str, ...], **flags: Any) -> None:
    """Print a table of finished evaluations.

    Reads every evaluation under the folders given, or those that a run's manifest names; without
    any it reads the results folder. Damaged directories are named and left out, unfinished and
    superseded ones counted. Folders of analyses (probe, gradients, transfer, mir) make a table of
    their own.
    """
    skips, out = Skips(), flags.pop("out")
    form = _format(flags.pop("form"), flags.pop("as_json"), out)
    from harness.tables.build import TableOptions

    options = TableOptions(
        baseline=flags.pop("baseline") or "",
        duplicates=flags.pop("duplicates"),
        one_sided=flags.pop("one_sided"),
    )
    table = harness.leaderboard(places, **flags, options=options, on_skipped=skips)
    if len(table.sections) > 1 and not flags["intersect"] and not flags["robustness"]:
        tell("rows with different samples are separate; --intersect counts only shared samples")
    _print(table, form, out)
    if flags["strict"] and skips.left_out:
        raise CheckFailed(f"{skips.left_out} of the directories were left out")


def _print(table: Table, form: str, out: Path | None) -> None:
    if form == "terminal":
        from harness.tables.terminal import print_table

        print_table(table)
        return
    from harness.tables.render import render, write

    with kept_apart():
        format_found = find("format", form, plugins().formats())
        if out is None:
            emit(render(format_found, table), nl=False)
            return
        earlier = replaced(out)
        write(format_found, table, out)
        tell(f"{out}: {len(table.rows)} rows as {form}{earlier}")


def _format(form: str | None, as_json: bool, out: Path | None) -> str:
    """Return the id of the format: by name, by flag, or by the ending of the file."""
    if as_json and form not in {None, "json"}:
        raise UserError(f"--json and --format {form} contradict each other")
    form = "json" if as_json else form
    if form == "terminal" and out is not None:
        raise UserError("the format 'terminal' cannot be written to a file", fix="--format plain")
    formats = plugins().formats()
    if form is not None and form not in {"terminal", *formats}:
        raise missing("format", form, ["terminal", *formats])
    if out is None:
        return form or "terminal"
    by_ending: dict[str, str] = {}
    for descriptor in formats.values():
        by_ending.setdefault(descriptor.suffix, descriptor.id)
    if form is None and out.suffix not in by_ending:
        endings = ", ".join(sorted(filter(None, by_ending)))
        raise UserError(
            f"no output format writes {out.suffix or 'such'} files",
            where=out,
            fix=f"add --format ID, or use a file name that ends in one of {endings}",
        )
    wanted = out.suffix if form is None else formats[form].suffix
    if out.suffix in by_ending and wanted and out.suffix != wanted:
        raise UserError(
            f"the format {form!r} is not that of a {out.suffix} file",
            where=out,
            fix=f"--format {by_ending[out.suffix]}, or a file that ends in {wanted}",
        )
    return form or by_ending[out.suffix]
