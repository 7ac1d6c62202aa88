"""``harness probe``: what a linear classifier finds in a frozen visual encoder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click
import harness
from harness import commands
from harness.commands import number, print_json, print_table

from harness_analyses.options import (
    analysis_arguments,
    analysis_options,
    between,
    digits_of,
    executor_arguments,
    print_ending,
)

if TYPE_CHECKING:
    from harness.analysis.results import Analysis


@click.command(
    cls=commands.Command,
    renamed={"--batch": "--batch-size"},
    short_help="Measure what a linear classifier finds in visual encoders.",
    epilog="""Examples:

\b
  harness probe --encoder model:socialfusion,preset=demo --tasks raf_db
  harness probe --encoder hf:openai/clip-vit-large-patch14-336 \\
      --encoder model:llava,path=llava-1.5-7b-hf --tasks social_all --layers all
""",
)
@click.option(
    "--encoder",
    "encoders",
    multiple=True,
    required=True,
    metavar="NAME",
    help="Encoder, such as hf:ID, model:ID[,key=value...] or open_clip:NAME:TAG; repeat it to "
    "compare others with the first.",
)
@commands.tasks
@click.option(
    "--layers",
    default="-1",
    show_default=True,
    metavar="all|-1,-4",
    help="Layers to probe, counted from 0; -1 is the last.",
)
@click.option(
    "--pooling",
    default="mean",
    show_default=True,
    metavar="class,mean,attention",
    help="How a layer's tokens become one vector.",
)
@click.option("--limit", type=commands.Whole(1), help="Use at most N samples per split.")
@click.option(
    "--val-share",
    default=0.2,
    show_default=True,
    type=commands.Number(0, 0.5, min_open=True),
    help="Fraction of train clusters to validate on, if a task has no validation split.",
)
@click.option(
    "--control/--no-control", default=True, show_default=True, help="Also probe permuted labels."
)
@click.option(
    "--batch-size",
    "batch",
    default=16,
    show_default=True,
    type=commands.Whole(1, 1_000_000),
    help="Images per forward pass.",
)
@commands.executor
@analysis_options
def probe(**flags: Any) -> None:
    """Measure what a linear classifier finds in frozen visual encoders.

    Fits logistic regression (ridge regression for points) to standardised features; validation
    samples choose its regularisation. With several encoders, social degradation is the value of
    the first minus that of another, positive where the other is worse, with a paired interval over
    clusters.
    """
    from harness_analyses.api import ProbeSettings

    analysis = harness.probe(
        flags["encoders"],
        flags["tasks"],
        settings=ProbeSettings(
            layers=flags["layers"],
            pooling=flags["pooling"],
            control=flags["control"],
            seed=flags["seed"],
            batch=flags["batch"],
        ),
        limit=flags["limit"],
        val_share=flags["val_share"],
        **executor_arguments(flags),
        **analysis_arguments(flags),
    )
    if flags["as_json"]:
        print_json(analysis.as_json())
        return
    _print(analysis)


def _print(analysis: Analysis) -> None:
    rows = analysis.table("probe").records()
    heads = (
        "task", "layer", "pooling", "metric", "value", "95 %", "n", "control", "C", "encoder"
    )  # fmt: skip
    print_table(
        heads,
        [
            (
                str(row["task"]),
                str(row["layer"]),
                str(row["pooling"]),
                str(row["metric"]),
                number(row["value"], row["scale"], digits=digits_of(row)),
                between(row, row["scale"], digits=digits_of(row)),
                str(row["samples"]),
                number(row["control"], row["scale"], digits=digits_of(row)),
                f"{row['strength']:g}" + ("" if row["converged"] else " (not converged)"),
                str(row["encoder"]),
            )
            for row in rows
        ],
    )
    degradation = [table for table in analysis.tables if table.name == "degradation"]
    for table in degradation:
        click.echo("\nsocial degradation: first encoder minus second, positive: second is worse")
        print_table(
            ("task", "layer", "pooling", "degradation", "95 %", "p", "corrected", "second"),
            [
                (
                    str(row["task"]),
                    str(row["layer"]),
                    str(row["pooling"]),
                    number(row["degradation"], row["scale"], digits=digits_of(row), sign="+"),
                    between(row, row["scale"], digits=digits_of(row), sign="+"),
                    number(row["p"], digits=4),
                    number(row["corrected"], digits=4),
                    str(row["second"]),
                )
                for row in table.records()
            ],
        )
    print_ending(analysis)
