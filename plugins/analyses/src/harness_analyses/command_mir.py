"""``harness mir``: the distance between a model's hidden states of images and texts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import harness
from harness import commands
from harness.commands import number, pairs, print_json, print_table

from harness_analyses.options import analysis_arguments, analysis_options, print_ending


@click.command(
    short_help="Measure the distance between image and text hidden states.",
    epilog="Example: harness mir --model socialfusion -o preset=demo --tasks raf_db --pairs 20",
)
@commands.model
@commands.model_options
@commands.tasks
@click.option(
    "--pairs",
    "number_of_pairs",
    default=100,
    show_default=True,
    type=commands.Whole(2),
    help="Pairs of image and text per task.",
)
@click.option(
    "--texts",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Read one text per line from this file, in place of questions and answers.",
)
@commands.checkpoint
@analysis_options
def mir(**flags: Any) -> None:
    """Measure the distance between image and text hidden states: modality integration rate.

    It is log10 of the Frechet distances between hidden states at image positions and at the text
    that follows, summed over the language model's layers; lower is better integrated. The only
    label it reads is the answer, which is part of the text.
    """
    from harness_analyses.api import MirSettings

    analysis = harness.mir(
        flags["model"],
        flags["tasks"],
        settings=MirSettings(pairs=flags["number_of_pairs"]),
        options=dict(pairs(flags["options"], "-o")),
        checkpoint=flags["checkpoint"],
        texts=flags["texts"],
        **analysis_arguments(flags),
    )
    if flags["as_json"]:
        print_json(analysis.as_json())
        return
    print_table(
        ("task", "MIR", "pairs", "layers"),
        [
            (str(row["task"]), number(row["mir"], digits=3), str(row["pairs"]), str(row["layers"]))
            for row in analysis.table("mir").records()
        ],
    )
    print_ending(analysis)
