"""The figures by name: of evaluations, of a training, of an analysis."""

from __future__ import annotations

from dataclasses import replace

from harness.analysis.results import Analysis, read_analysis
from harness.errors import UserError, unknown
from harness.figures.contract import FigureRequest, Plot
from harness.runs.record import EvaluationRecord
from harness.stats.intervals import over_seeds
from harness.tables.build import TableOptions, build_table
from harness.tables.known import InstalledTasks
from harness.tables.table import Column, Table

from harness_figures import draw, records
from harness_figures.analyses import MAKERS, caption_of
from harness_figures.draw_analyses import DRAWN


def forest(request: FigureRequest) -> Plot:
    """Return every number with its interval, a panel for each column.

    On the page of one evaluation it is each metric over everything and over each slice.
    """
    if isinstance(request.subject, EvaluationRecord):
        caption = "Forest plot of each metric over everything and over each slice."
        return Plot(draw.forest, records.forest_of_record(request.subject), caption=caption)
    if isinstance(request.subject, Table):  # of changes: 0 is none, whatever is measured
        panels = records.forest_of_table(request.subject)
        return Plot(draw.forest, tuple(replace(panel, line=0.0) for panel in panels))
    table = _table(request, request.metric)
    return Plot(draw.forest, records.forest_of_table(table), _marks(table, *table.columns))


def radar(request: FigureRequest) -> Plot:
    """Return every task's numbers from its worst to its best row."""
    table = _table(request, request.metric)
    return Plot(draw.radar, records.spokes_of(table), _marks(table, *table.columns))


def scatter(request: FigureRequest) -> Plot:
    """Return models on two tasks."""
    x, y = _axes(request)
    return Plot(draw.scatter, records.scatter_of(x, y), {*_marks(*x), *_marks(*y)})


def plane(request: FigureRequest) -> Plot:
    """Return models on two tasks with the Pareto front: no model is better than these in both."""
    x, y = _axes(request)
    caption = "The line joins models that no other is as good as in one number and better in both."
    points = records.with_front(records.scatter_of(x, y), x[1], y[1])
    return Plot(draw.scatter, points, {*_marks(*x), *_marks(*y)}, caption)


def _axes(request: FigureRequest) -> tuple[tuple[Table, Column], tuple[Table, Column]]:
    if not (request.x and request.y):
        raise UserError(f"{request.kind} needs two tasks", fix="--x TASK --y TASK:COLUMN")
    return _column(request, request.x, "--x"), _column(request, request.y, "--y")


def skew(request: FigureRequest) -> Plot:
    """Return the heat map of skew by concept and attribute of one evaluation."""
    if isinstance(request.subject, EvaluationRecord):
        caption = "Heat map of skew by concept and attribute value."
        return Plot(draw.grid, records.skew_grid(request.subject), caption=caption)
    record = _one(request)
    return Plot(draw.grid, records.skew_grid(record), record.marks)


def epochs(request: FigureRequest) -> Plot:
    """Return the skew that a training measured before each epoch."""
    lines = records.epochs_of(request.folder("training"))
    return Plot(draw.lines, lines, lines.marks)


def loss(request: FigureRequest) -> Plot:
    """Return a training's loss by step."""
    lines = records.losses_of(request.folder("training"))
    return Plot(draw.lines, lines, lines.marks)


def of_analysis(request: FigureRequest) -> Plot:
    """Return a figure of an analysis, made of the table that the kind of figure names."""
    if isinstance(request.subject, Analysis):
        analysis = request.subject
    else:
        analysis = read_analysis(request.folder("analysis"))
    drawn = MAKERS[request.kind](analysis)
    caption = caption_of(request.kind, analysis)
    return Plot(DRAWN[request.kind], drawn, analysis.marks, caption)


def _marks(table: Table, *columns: Column) -> set[str]:
    places = [table.columns.index(column) for column in columns]
    cells = [row.cells[place] for row in table.rows for place in places]
    return {mark for cell in cells if cell is not None for mark in cell.marks}


def _records(
    request: FigureRequest, *, details: bool = False
) -> tuple[list[EvaluationRecord], list[str] | None]:
    evaluations = request.evaluations(details=details)
    installed = InstalledTasks()
    tasks = installed.chosen(request.tasks, evaluations)
    return installed.ordered(evaluations) if tasks is None else evaluations, tasks


def _table(request: FigureRequest, metric: str | None) -> Table:
    evaluations, tasks = _records(request)
    options = TableOptions(
        duplicates=request.duplicates,
        readings=False,
        seed_interval=over_seeds if request.duplicates == "mean" else None,
    )
    return build_table(evaluations, tasks=tasks, metric=metric, options=options)


def _column(request: FigureRequest, name: str, where: str) -> tuple[Table, Column]:
    task, _, metric = name.partition(":")
    # The table of all tasks names rows alike for both axes.
    table = _table(request, metric or None)
    columns = [column for column in table.columns if column.task == task]
    if not columns:
        tasks = {column.task for column in table.columns}
        raise unknown("task with this metric", task, tasks, where=where)
    return table, columns[0]


def _one(request: FigureRequest) -> EvaluationRecord:
    evaluations, tasks = _records(request, details=True)
    fitting = [
        record
        for record in evaluations
        if (tasks is None or record.task in tasks)
        and request.model in {None, record.model}
        and records.skew_detail(record) is not None
    ]
    if len(fitting) == 1:
        return fitting[0]
    if not fitting:
        raise UserError(
            "none of these evaluations has skew by concept and attribute",
            fix="evaluate a task with a skew metric, or name other --tasks and --model",
        )
    names = ", ".join(f"{record.model} on {record.task}" for record in fitting[:8])
    raise UserError(
        f"{len(fitting)} evaluations have skew by concept and attribute: {names}",
        fix="--tasks ID and --model ROW, or a folder",
    )
