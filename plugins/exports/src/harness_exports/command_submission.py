"""``harness submission``: the file that a benchmark's server takes."""

from __future__ import annotations

from pathlib import Path

import click
import harness
from harness import commands


@click.command(
    epilog="Examples: harness submission vqav2/null-0123456789ab --out vqav2_test-dev.json | "
    "harness submission mmbench/null-0123456789ab --out mmbench_test.xlsx"
)
@click.argument("evaluation", metavar="EVALUATION")
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="File to write; its ending chooses the form (`harness list submissions`).",
)
@click.option(
    "--allow-missing",
    is_flag=True,
    help="Write an empty answer for samples that errored; accept a limited evaluation.",
)
@commands.as_json
def submission(*, evaluation: str, out: Path, allow_missing: bool, as_json: bool) -> None:
    """Write an evaluation's answers in the format of the benchmark's server.

    For splits without public answers: run the task with its option split (--task-option
    vqav2.split=test-dev), then upload this file yourself; nothing is sent anywhere.
    """
    earlier = commands.replaced(out)
    written = harness.submission(evaluation, out, allow_missing=allow_missing)
    marks = ", ".join(written.record.marks)
    if as_json:
        commands.print_json(
            {
                "task": written.record.task,
                "options": dict(written.record.task_options),
                "file": str(out),
                "rows": written.rows,
                "missing": written.missing,
                "server": written.server,
                "marks": list(written.record.marks),
            }
        )
        return
    line = f"{written.rows} answers written to {out}{earlier}, for {written.server}"
    commands.say(line + (f" (marked: {marks})" if marks else ""))
    if written.missing:
        click.echo(f"{written.missing} of them are empty: their samples errored", err=True)
