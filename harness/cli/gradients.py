"""``harness gradients``: whether tasks pull a model against each other."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harness.cli._tables import print_json, print_table
from harness.cli.probe import asking, between, finish, number, shared_options
from harness.cli.run import pairs


@click.command(
    short_help="Measure whether tasks pull a model against each other.",
    epilog="""Example:

\b
  harness gradients --model socialfusion -o preset=demo --tasks social_all \\
      --parts connector,lora
""",
)
@click.option("--model", required=True, metavar="ID", help="See `harness models`.")
@click.option("-o", "--option", "options", multiple=True, metavar="KEY=VALUE", help="Of the model.")
@click.option("--tasks", required=True, metavar="IDS", help="Two or more, comma separated.")
@click.option(
    "--parts",
    default="lora",
    show_default=True,
    metavar="lora|connector|vision_tower|all",
    help="Whose gradients; several with commas.",
)
@click.option(
    "--batches",
    default=16,
    show_default=True,
    type=click.IntRange(min=4),
    help="Minibatches a task.",
)
@click.option(
    "--batch",
    default=8,
    show_default=True,
    type=click.IntRange(min=1),
    help="Samples a minibatch.",
)
@click.option(
    "--micro-batch",
    default=4,
    show_default=True,
    type=click.IntRange(min=1),
    help="Samples in memory at once; changes no number.",
)
@click.option(
    "--sketch",
    default=1 << 16,
    show_default=True,
    type=click.IntRange(min=0),
    help="Length of a gradient's sketch; 0 keeps gradients whole.",
)
@click.option(
    "--lora-rank",
    default=16,
    show_default=True,
    type=click.IntRange(min=1),
    help="Of adapters that no --checkpoint brings.",
)
@click.option("--form", metavar="NAME", help="A task's form for training; `task` is its own.")
@click.option("--limit", type=click.IntRange(min=1), help="So many train samples a task at most.")
@click.option(
    "--checkpoint",
    type=click.Path(path_type=Path, file_okay=False),
    help="What `harness train` wrote.",
)
@shared_options
def gradients(**flags: Any) -> None:
    """Measure whether tasks pull a model against each other.

    Cosines between the gradients of the tasks' training losses over minibatches of their train
    splits. Two minibatches of one task say what agreement looks like under the same noise.
    """
    from harness.analysis.commands import measure_gradients
    from harness.analysis.gradients import GradientSettings

    found = measure_gradients(
        flags["model"],
        flags["tasks"],
        settings=GradientSettings(
            parts=flags["parts"],
            batches=flags["batches"],
            batch=flags["batch"],
            sketch=flags["sketch"],
            rank=flags["lora_rank"],
            seed=flags["seed"],
            micro_batch=flags["micro_batch"],
        ),
        options=dict(pairs(flags["options"], "-o")),
        checkpoint=flags["checkpoint"],
        form=flags["form"],
        limit=flags["limit"],
        say=lambda text: click.echo(text, err=True),
        **asking(flags),
    )
    if flags["as_json"]:
        print_json(found.as_json())
        return
    print_table(
        ("task", "task", "cosine", "95 %", "below 0", "of means"),
        [
            (
                str(row["first"]),
                str(row["second"]),
                number(row["mean"], digits=3, sign="+"),
                between(row, digits=3, sign="+"),
                number(row["negative"]),
                number(row["of_means"], digits=3, sign="+"),
            )
            for row in found.table("pairs").records()
        ],
    )
    click.echo("\neach task with itself, for reference")
    print_table(
        ("task", "cosine", "95 %", "split half", "norm"),
        [
            (
                str(row["task"]),
                number(row["own"], digits=3, sign="+"),
                between(row, digits=3, sign="+"),
                number(row["split_half"], digits=3, sign="+"),
                number(row["norm"], digits=4),
            )
            for row in found.table("tasks").records()
        ],
    )
    finish(found)
