"""``harness plot``: figures of finished evaluations and trainings, for papers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli import _options
from harness.cli._records import Skips
from harness.errors import UserError, unknown

if TYPE_CHECKING:
    from harness.runs.record import EvaluationRecord
    from harness.tables.table import Column, Table

_EVALUATIONS = ("forest", "skew", "scatter", "radar")
_TRAININGS = ("epochs", "loss")
_ANALYSES = ("degradation", "layers", "conflict", "transfer")


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
@click.argument("kind", type=click.Choice([*_EVALUATIONS, *_TRAININGS, *_ANALYSES]))
@click.argument("places", nargs=-1, metavar="[DIR_OR_RUN]...")
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write this file: .pdf, .png or .svg.",
)
@click.option("--tasks", metavar="ID,ID", help="Draw only these tasks and groups, in order.")
@click.option("--metric", metavar="ID", help="Draw this metric instead of each task's own.")
@click.option("--model", metavar="ROW", help="Draw this model (skew), when several are there.")
@click.option("--x", metavar="TASK[:METRIC]", help="Draw this task on the x axis (scatter).")
@click.option("--y", metavar="TASK[:METRIC]", help="Draw this task on the y axis (scatter).")
@_options.duplicates("place")
def plot(kind: str, places: tuple[str, ...], out: Path, **options: Any) -> None:
    """Draw a figure; needs the extra `plot` (matplotlib).

    forest: every number with its interval. skew: heat map of skew by concept and attribute.
    scatter: models on two tasks. radar: every task's numbers from its worst to its best row.
    Of a training's folder: epochs (the skew that `harness train` measured), loss. Of an analysis'
    folder: degradation (what each tower lost), layers (probes by layer), conflict (cosines between
    tasks), transfer (arrows from single to joint training). The same input gives the same bytes.
    """
    from harness.figures.records import marks_said
    from harness.figures.save import check_matplotlib, figure_bytes

    check_matplotlib()
    if out.suffix not in {".pdf", ".png", ".svg"}:
        raise UserError(
            f"no figure is written as {out.name}", where="--out", fix=".pdf, .png, .svg"
        )
    if kind == "scatter" and not (options["x"] and options["y"]):
        raise UserError("scatter needs two tasks", fix="--x TASK --y TASK:COLUMN")
    draw, shown, marks = _shown(kind, places, options)
    data = figure_bytes(draw, shown, out.suffix, note=marks_said(marks))
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        out.write_bytes(data)
    except OSError as error:
        raise UserError(f"cannot be written: {error.strerror}", where=out) from None


def _shown(
    kind: str, places: tuple[str, ...], options: Any
) -> tuple[Callable[..., Any], Any, Iterable[str]]:
    """Return how to draw, what to draw, and the marks of what is drawn."""
    from harness.figures import draw, records

    if kind in _ANALYSES:
        return _analysed(kind, places)
    if kind in _TRAININGS:
        if len(places) != 1:
            fix = f"harness plot {kind} FOLDER ..."
            raise UserError(f"{kind} wants the folder of one training", fix=fix)
        found = records.epochs_of if kind == "epochs" else records.losses_of
        lines = found(Path(places[0]))
        return draw.lines, lines, lines.marks
    if kind == "skew":
        record = _one(places, options)
        return draw.grid, records.skew_grid(record), record.marks
    if kind == "scatter":
        x, y = (_column(places, options, options[axis], f"--{axis}") for axis in ("x", "y"))
        return draw.scatter, records.scatter_of(x, y), {*_marks(*x), *_marks(*y)}
    table = _table(places, options, options["metric"])
    marks = _marks(table, *table.columns)
    if kind == "radar":
        return draw.radar, records.spokes_of(table), marks
    return draw.forest, records.forest_of_table(table), marks


def _analysed(kind: str, places: tuple[str, ...]) -> tuple[Callable[..., Any], Any, Iterable[str]]:
    from harness.analysis.results import read_analysis
    from harness.figures.analyses import MAKERS
    from harness.figures.draw_analyses import DRAWN

    if len(places) != 1:
        fix = f"harness plot {kind} results/analyses/KIND/FINGERPRINT ..."
        raise UserError(f"{kind} wants the folder of one analysis", fix=fix)
    found = read_analysis(Path(places[0]))
    return DRAWN[kind], MAKERS[kind][1](found), found.marks


def _marks(table: Table, *columns: Column) -> set[str]:
    places = [table.columns.index(column) for column in columns]
    cells = [row.cells[place] for row in table.rows for place in places]
    return {mark for cell in cells if cell is not None for mark in cell.marks}


def _records(
    places: tuple[str, ...], options: Any, *, whole: bool = False
) -> tuple[list[EvaluationRecord], list[str] | None]:
    from harness.api.records import newest_of
    from harness.tables.known import Known

    records, _ = newest_of(places, Skips(), whole=whole)
    known = Known()
    tasks = known.chosen(options["tasks"], records)
    return known.ordered(records) if tasks is None else records, tasks


def _table(places: tuple[str, ...], options: Any, metric: str | None) -> Table:
    from harness.stats.intervals import over_seeds
    from harness.tables.build import TableOptions, build_table

    records, tasks = _records(places, options)
    rule = options["duplicates"]
    ways = TableOptions(duplicates=rule, seed_interval=over_seeds if rule == "mean" else None)
    return build_table(records, tasks=tasks, metric=metric, ways=ways)


def _column(places: tuple[str, ...], options: Any, name: str, where: str) -> tuple[Table, Column]:
    task, _, metric = name.partition(":")
    # The table of all tasks names rows alike for both axes.
    table = _table(places, options, metric or None)
    found = [column for column in table.columns if column.task == task]
    if not found:
        raise unknown("task with this metric", task, {c.task for c in table.columns}, where=where)
    return table, found[0]


def _one(places: tuple[str, ...], options: Any) -> EvaluationRecord:
    from harness.figures.records import skew_detail

    records, tasks = _records(places, options, whole=True)
    held = [
        record
        for record in records
        if (tasks is None or record.task in tasks)
        and options["model"] in {None, record.model}
        and skew_detail(record) is not None
    ]
    if len(held) == 1:
        return held[0]
    if not held:
        raise UserError(
            "no evaluation here holds skew by concept and attribute",
            fix="evaluate a task of skew with harness run; or name other --tasks and --model",
        )
    names = ", ".join(f"{record.model} on {record.task}" for record in held[:8])
    raise UserError(
        f"{len(held)} evaluations hold skew: {names}", fix="--tasks ID and --model ROW, or a folder"
    )
