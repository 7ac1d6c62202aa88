"""``harness probe``: what a linear classifier finds in a frozen visual encoder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli._tables import print_json, print_table
from harness.cli.run import data_paths, pairs

if TYPE_CHECKING:
    from harness.analysis.results import Analysis
    from harness.descriptors import Json

Flags = Callable[[Callable[..., Any]], Callable[..., Any]]


def shared_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that all analyses of tasks share."""
    added: tuple[Flags, ...] = (
        click.option(
            "--task-option",
            "spec_options",
            multiple=True,
            metavar="TASK.KEY=VALUE",
            help="Of a task.",
        ),
        click.option("--data", multiple=True, metavar="TASK=PATH", help="Where a task's data lie."),
        click.option("--profile", metavar="NAME", help="demo (default) or full."),
        click.option("--results", type=click.Path(path_type=Path), help="Folder of the records."),
        click.option("--device", default="auto", show_default=True, help="cpu, cuda, ..."),
        click.option(
            "--dtype",
            default="auto",
            show_default=True,
            type=click.Choice(["auto", "float32", "bfloat16", "float16"]),
            help="Of the weights.",
        ),
        click.option("--seed", default=0, show_default=True, help="Of everything drawn."),
        click.option("--json", "as_json", is_flag=True, help="Print JSON on standard output."),
    )
    for option in reversed(added):
        command = option(command)
    return command


def asking(flags: dict[str, Any]) -> dict[str, Any]:
    """Return what the shared options say, as the functions of analyses take it."""
    return {
        "spec_options": dict(pairs(flags["spec_options"], "--task-option")),
        "data": data_paths(flags["data"]),
        "profile": flags["profile"],
        "results": flags["results"],
        "device": flags["device"],
        "dtype": flags["dtype"],
    }


@click.command(
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
    help="open_clip:NAME:TAG, open_clip:local-dir:PATH, hf:ID, model:ID[,key=value...]; "
    "others are compared with the first.",
)
@click.option("--tasks", required=True, metavar="IDS", help="Tasks and groups, comma separated.")
@click.option(
    "--layers",
    default="-1",
    show_default=True,
    metavar="all|-1,-4",
    help="Blocks, from 0; -1 is the last.",
)
@click.option(
    "--pooling",
    default="mean",
    show_default=True,
    metavar="class,mean,attention",
    help="How a layer's tokens become one vector.",
)
@click.option("--limit", type=click.IntRange(min=1), help="So many samples a split at most.")
@click.option(
    "--val-share",
    default=0.2,
    show_default=True,
    type=click.FloatRange(0, 0.5, min_open=True),
    help="Of train's clusters, where a task has no validation split.",
)
@click.option(
    "--control/--no-control", default=True, show_default=True, help="Probe permuted labels too."
)
@click.option(
    "--batch",
    default=16,
    show_default=True,
    type=click.IntRange(min=1),
    help="Pictures encoded at once.",
)
@shared_options
def probe(**flags: Any) -> None:
    """Measure what a linear classifier finds in frozen visual encoders.

    Logistic regression on standardised features, its strength chosen on validation samples; ridge
    for points. With several encoders, social degradation is the first one's value minus another's,
    positive where the other is worse, with a paired interval over clusters.
    """
    from harness.analysis.commands import probe_encoders
    from harness.analysis.probe import ProbeSettings

    settings = ProbeSettings(
        layers=flags["layers"],
        pooling=flags["pooling"],
        control=flags["control"],
        seed=flags["seed"],
        batch=flags["batch"],
    )
    found = probe_encoders(
        flags["encoders"],
        flags["tasks"],
        settings=settings,
        limit=flags["limit"],
        val_share=flags["val_share"],
        say=lambda text: click.echo(text, err=True),
        **asking(flags),
    )
    if flags["as_json"]:
        print_json(found.as_json())
        return
    _print(found)


def finish(found: Analysis) -> None:
    """Print notes, marks and where the records are."""
    for note in found.notes:
        click.echo(f"note: {note}")
    if found.marks:
        click.echo(f"marks: {', '.join(found.marks)}")
    click.echo(f"records: {found.directory}")


def number(value: Json, scale: Json = 1.0, *, digits: int = 2, sign: str = "") -> str:
    """Return a number as tables show it; ``--`` for none."""
    if not isinstance(value, int | float) or not isinstance(scale, int | float):
        return "--"
    return f"{value * scale:{sign}.{digits}f}"


def between(row: dict[str, Json], scale: Json = 1.0, *, digits: int = 2, sign: str = "") -> str:
    """Return a row's interval as tables show it."""
    if row["low"] is None:
        return "--"
    low, high = (number(row[end], scale, digits=digits, sign=sign) for end in ("low", "high"))
    return f"[{low}, {high}]"


def digits_of(row: dict[str, Json]) -> int:
    """Return the digits of a row's numbers: two of percent, four of anything else."""
    return 2 if row["scale"] == 100 else 4


def _print(found: Analysis) -> None:
    rows = found.table("probe").records()
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
    degradation = [one for one in found.tables if one.name == "degradation"]
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
    finish(found)
