"""``harness export``: finished evaluations in the formats of others."""

from __future__ import annotations

from pathlib import Path

import click
import harness
from harness import commands
from harness.errors import UserError
from harness.plugins import Plugins


@click.command(
    epilog="""Examples:

\b
  harness export RUN --format card --out cards
  harness export results --format every_eval_ever --out eee --organization "My lab"
  harness export RUN --format eval_results --dataset raf_db=OWNER/NAME --out model_repo
"""
)
@click.argument("places", nargs=-1, required=True, metavar="DIR_OR_RUN...")
@click.option(
    "--format",
    "form",
    required=True,
    metavar="ID",
    shell_complete=commands.completing(Plugins.exporters),
    help="Exchange format; see `harness list exporters`.",
)
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    help="Write the files into this folder.",
)
@click.option(
    "--organization", metavar="NAME", default="unknown", help="Name who ran the evaluations."
)
@click.option(
    "--dataset",
    "datasets",
    multiple=True,
    metavar="TASK=OWNER/NAME[#ID]",
    help="Hub id of a task's benchmark, for eval_results (repeat for more).",
)
@commands.as_json
def export(  # noqa: PLR0913  one parameter for each flag
    *,
    places: tuple[str, ...],
    form: str,
    out: Path,
    organization: str,
    datasets: tuple[str, ...],
    as_json: bool,
) -> None:
    """Write finished evaluations in an exchange format.

    Takes folders of evaluations, or runs by name. No number is changed; what a format cannot hold
    is left out, and docs/how-to/leaderboards.md says what. A damaged evaluation is an error.
    """
    # What lies deeper is named after its evaluation.
    earlier = {path: commands.replaced(path) for path in (*out.glob("*"), *out.glob("*/*"))}
    written = harness.export(
        places,
        form,
        out,
        organization=organization,
        datasets=_datasets(datasets),
        on_skipped=commands.Skips(),
    )
    if as_json:
        commands.print_json({"files": [str(path) for path in written]})
    else:
        for path in written:
            click.echo(path)
        if count := sum(bool(earlier.get(path)) for path in written):
            commands.tell(f"{count} of these files were written in place of earlier ones")


def _datasets(values: tuple[str, ...]) -> dict[str, str]:
    datasets = {}
    for text in values:
        task, _, name = text.partition("=")
        if not task or name.partition("#")[0].count("/") != 1:
            raise UserError(f"{text!r} is not TASK=OWNER/NAME", fix="--dataset TASK=OWNER/NAME")
        datasets[task] = name
    return datasets
