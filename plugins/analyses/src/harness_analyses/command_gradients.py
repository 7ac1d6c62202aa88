"""``harness gradients``: whether the gradients of tasks conflict."""

from __future__ import annotations

from typing import Any

import click
import harness
from harness import commands
from harness.commands import number, pairs, print_json, print_table

from harness_analyses.options import (
    analysis_arguments,
    analysis_options,
    between,
    executor_arguments,
    print_ending,
)


@click.command(
    cls=commands.Command,
    renamed={"--batch": "--batch-size"},
    short_help="Measure whether the gradients of tasks conflict.",
    epilog="""Example:

\b
  harness gradients --model socialfusion -o preset=demo --tasks social_all \\
      --parts connector,lora
""",
)
@commands.model
@commands.model_options
@commands.tasks
@click.option(
    "--parts",
    default="lora",
    show_default=True,
    metavar="lora|connector|vision_tower|all",
    help="Parts whose gradients are compared, separated by commas.",
)
@click.option(
    "--batches",
    default=16,
    show_default=True,
    type=commands.Whole(4, 1_000_000),
    help="Minibatches per task.",
)
@click.option(
    "--batch-size",
    "batch",
    default=8,
    show_default=True,
    type=commands.Whole(1, 1_000_000),
    help="Samples per minibatch.",
)
@click.option(
    "--micro-batch",
    default=4,
    show_default=True,
    type=commands.Whole(1, 1_000_000),
    help="Samples in memory at once; changes no number.",
)
@click.option(
    "--sketch",
    default=1 << 16,
    show_default=True,
    type=commands.Whole(0),
    help="Length of a gradient's count sketch; 0 keeps exact gradients.",
)
@click.option(
    "--lora-rank",
    default=16,
    show_default=True,
    type=commands.Whole(1, 1_000_000),
    help="Rank of new LoRA adapters, if --checkpoint has none.",
)
@click.option(
    "--form",
    metavar="NAME",
    help="Form of the tasks for training; `task` is the evaluation's prompt.",
)
@click.option("--limit", type=commands.Whole(1), help="Use at most N train samples per task.")
@commands.checkpoint
@commands.executor
@analysis_options
def gradients(**flags: Any) -> None:
    """Measure whether the gradients of tasks conflict.

    Prints cosines between gradients of the tasks' training losses over minibatches of their train
    splits. Two minibatches of one task give the cosine to expect under the same noise.
    """
    from harness_analyses.api import GradientSettings

    analysis = harness.gradients(
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
        **executor_arguments(flags),
        **analysis_arguments(flags),
    )
    if flags["as_json"]:
        print_json(analysis.as_json())
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
            for row in analysis.table("pairs").records()
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
            for row in analysis.table("tasks").records()
        ],
    )
    print_ending(analysis)
