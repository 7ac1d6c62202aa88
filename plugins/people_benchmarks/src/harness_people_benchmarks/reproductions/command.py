"""``harness reproductions``: published numbers, and what reruns of them gave."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from harness.runs.record import EvaluationRecord


@click.command(
    epilog="Examples: harness reproductions | harness reproductions --commands | harness "
    "reproductions --fill docs/reproductions/README.md --genderbias-vl CLONE"
)
@click.option("--results", type=click.Path(path_type=Path), help="Folder of the records.")
@click.option(
    "--genderbias-vl",
    "clone",
    metavar="FOLDER",
    help="Recompute GenderBias-VL's figures from the authors' per-pair files.",
)
@click.option("--fill", metavar="FILE", help="Write the table into this page, between its marks.")
@click.option(
    "--commands", is_flag=True, help="Print the command that measures each number, and its source."
)
def reproductions(
    *, results: Path | None, clone: str | None, fill: str | None, commands: bool
) -> None:
    """Compare published numbers with finished evaluations."""
    from harness.commands import print_table
    from harness.runs.seal import write_whole

    from harness_people_benchmarks.reproductions import page
    from harness_people_benchmarks.reproductions.targets import TARGETS

    if commands:
        for target in TARGETS:
            click.echo(f"{target.title}, {target.column} {target.published:.2f}: {target.source}")
            click.echo(f"  {target.command}")
        return
    records = _records(results)
    figures = _figures(clone)
    rows = [
        page.row(target, page.from_records(target, records) or page.from_files(target, figures))
        for target in TARGETS
    ]
    if fill is None:
        print_table(page.HEADS, rows)
        return
    path = Path(fill)
    text = _text(path)
    merged = page.with_earlier(text, rows)
    write_whole(path, [page.filled(text, merged).encode()])
    click.echo(f"{path}: {sum(cells[-1] != 'not run' for cells in rows)} of {len(rows)} filled")
    if earlier := sum(new != old for new, old in zip(merged, rows, strict=True)):
        click.echo(f"{earlier} more stay as the page has them: this call measured nothing for them")


def _records(results: Path | None) -> list[EvaluationRecord]:
    from harness.api.records import newest_of
    from harness.commands import Skips
    from harness.config.settings import load_settings

    folder = load_settings(results=results).results
    if results is None and not folder.is_dir():
        return []
    return newest_of([folder], Skips(), details=False)[0]


def _figures(clone: str | None) -> dict[str, dict[str, float]]:
    if clone is None:
        return {}
    from harness_people_benchmarks.published.genderbias_vl import overall

    return overall(Path(clone))


def _text(path: Path) -> str:
    from harness.errors import UserError, reason_of

    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise UserError(f"the page cannot be read: {reason_of(error)}", where=path) from None
    except UnicodeDecodeError as error:
        raise UserError(f"the page is not UTF-8: {error.reason}", where=path) from None
