"""``harness transfer``: joint against single-task training."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import harness
from harness import commands
from harness.commands import number, print_json, print_table

from harness_analyses.options import between, digits_of, print_ending


@click.command(
    short_help="Compare joint with single-task training, over seeds.",
    epilog="""Example, where there is no evaluation after such trainings yet:

\b
  harness train --model socialfusion -o preset=demo --recipe single --tasks raf_db --out A
  harness train --model socialfusion -o preset=demo --recipe joint --tasks raf_db,hagridv2 --out B
  harness run --model socialfusion -o preset=demo --tasks raf_db --checkpoint A
  harness run --model socialfusion -o preset=demo --tasks raf_db --checkpoint B
  harness transfer results
""",
)
@click.argument("places", nargs=-1, type=click.Path(path_type=Path), metavar="[RESULTS]...")
@commands.results
@commands.as_json
def transfer(**flags: Any) -> None:
    """Compare joint with single-task training, over seeds.

    Reads evaluations made with `harness run --checkpoint` of trainings by the recipes `single` and
    `joint`. Pairs them by model, task and seed; the relative change is positive where joint
    training is better, with Student's t interval over seeds.
    """
    analysis = harness.transfer(flags["places"], results=flags["results"])
    if flags["as_json"]:
        print_json(analysis.as_json())
        return
    print_table(
        ("model", "task", "metric", "single", "joint", "change %", "95 %", "seeds", "transfer"),
        [
            (
                str(row["model"]),
                str(row["task"]),
                str(row["metric"]),
                number(row["single"], row["scale"], digits=digits_of(row)),
                number(row["joint"], row["scale"], digits=digits_of(row)),
                number(row["relative"], 100, sign="+"),
                between(row, 100, sign="+"),
                str(row["seeds"]),
                str(row["transfer"]),
            )
            for row in analysis.table("transfer").records()
        ],
    )
    for table in analysis.tables:
        if table.name == "matrix":
            click.echo("\ntrained on one task, tested on another")
            print_table(
                ("model", "trained", "tested", "value", "change %", "seeds", "untrained"),
                [
                    (
                        str(row["model"]),
                        str(row["trained"]),
                        str(row["tested"]),
                        number(row["value"], row["scale"], digits=digits_of(row)),
                        number(row["relative"], 100, sign="+"),
                        str(row["seeds"]),
                        number(row["untrained"], row["scale"], digits=digits_of(row)),
                    )
                    for row in table.records()
                ],
            )
    print_ending(analysis)
