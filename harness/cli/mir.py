"""``harness mir``: how far apart a model holds pictures and texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harness.cli._tables import print_json, print_table
from harness.cli.probe import asking, finish, number, shared_options
from harness.cli.run import pairs


@click.command(
    short_help="Measure how far apart a model holds pictures and texts.",
    epilog="Example: harness mir --model socialfusion -o preset=demo --tasks raf_db --pairs 20",
)
@click.option("--model", required=True, metavar="ID", help="See `harness models`.")
@click.option("-o", "--option", "options", multiple=True, metavar="KEY=VALUE", help="Of the model.")
@click.option("--tasks", required=True, metavar="IDS", help="Where pictures and texts come from.")
@click.option(
    "--pairs",
    "number_of_pairs",
    default=100,
    show_default=True,
    type=click.IntRange(min=2),
    help="Pictures with their texts, a task.",
)
@click.option(
    "--texts",
    type=click.Path(path_type=Path, dir_okay=False),
    help="A file with one text a line, in place of questions and answers.",
)
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path, file_okay=False),
    help="What `harness train` wrote.",
)
@shared_options
def mir(**flags: Any) -> None:
    """Measure how far apart a model holds pictures and texts: modality integration rate.

    log10 of the Frechet distances between states of picture positions and of the text behind them,
    summed over the language model's layers. Lower is better integrated. No label is read but the
    answer that stands in the text.
    """
    from harness.analysis.commands import measure_mir
    from harness.analysis.mir import MirSettings

    found = measure_mir(
        flags["model"],
        flags["tasks"],
        settings=MirSettings(pairs=flags["number_of_pairs"]),
        options=dict(pairs(flags["options"], "-o")),
        checkpoint=flags["checkpoint"],
        texts=flags["texts"],
        say=lambda text: click.echo(text, err=True),
        **asking(flags),
    )
    if flags["as_json"]:
        print_json(found.as_json())
        return
    print_table(
        ("task", "MIR", "pairs", "layers"),
        [
            (str(row["task"]), number(row["mir"], digits=3), str(row["pairs"]), str(row["layers"]))
            for row in found.table("mir").records()
        ],
    )
    finish(found)
