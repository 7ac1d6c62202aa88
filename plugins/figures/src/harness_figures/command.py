"""``harness plot``: figures of finished evaluations and trainings, for papers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import harness
from harness import commands
from harness.plugins import Plugins


@click.command(
    short_help="Draw a figure of evaluations, of a training or of an analysis.",
    epilog="""Examples:

\b
  harness plot forest --tasks social_all --out forest.pdf
  harness plot skew RUN --tasks scounter --model llava --out skew.pdf
  harness plot scatter --x vqav2 --y scounter:MaxSkew@C --out skew_cost.svg
  harness plot epochs trained/asd --out epochs.pdf
  harness plot loss trained/asd --out loss.pdf
  harness plot degradation results/analyses/probe/0123456789ab --out lost.pdf
""",
)
@click.argument("kind", metavar="FIGURE", shell_complete=commands.completing(Plugins.figures))
@click.argument("places", nargs=-1, metavar="[DIR_OR_RUN]...")
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write this file: .pdf, .png or .svg.",
)
@commands.some_tasks("Draw only these tasks and groups, in order.")
@click.option("--metric", metavar="ID", help="Draw this metric instead of each task's own.")
@click.option("--model", metavar="ROW", help="Draw this model (skew), when several are there.")
@click.option("--x", metavar="TASK[:METRIC]", help="Draw this task on the x axis (scatter, plane).")
@click.option("--y", metavar="TASK[:METRIC]", help="Draw this task on the y axis (scatter, plane).")
@commands.duplicates("place")
def plot(kind: str, places: tuple[str, ...], out: Path, **options: Any) -> None:
    """Draw a figure with matplotlib.

    FIGURE is one of `harness list figures`. Evaluations give forest (every number with its
    interval), skew (heat map by concept and attribute), scatter (models on two tasks), plane (the
    same with the models that none beats in both) and radar (every task's numbers from its worst to
    its best row). A training's folder gives epochs (the skew that `harness train` measured) and
    loss. The folder of an analysis gives degradation (what each tower lost), layers (probes by
    layer), conflict (cosines between tasks) and transfer (arrows from single to joint training).
    The same input gives the same bytes.
    """
    earlier = commands.replaced(out)
    harness.plot(kind, out, places, on_skipped=commands.Skips(), **options)
    if earlier:
        commands.tell(f"{out}: written{earlier}")
