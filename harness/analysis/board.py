"""Sealed analyses as the table of a leaderboard, so that every format writes them.

Rows are encoders, models or towers, columns are tasks. What several analyses measured stands in one
section only where the same was asked under the same settings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from harness.analysis.results import Analysis, scaled
from harness.descriptors import Direction, load_target
from harness.errors import UserError, unknown
from harness.guard import described
from harness.plugins import contract_of, plugins
from harness.runs.record import titled
from harness.specs import fingerprint
from harness.tables.notes import MEANINGS
from harness.tables.table import Cell, Column, Row, Section, Table, TableStyle

Key = tuple[str, str]
Record = Mapping[str, Any]
_LEVEL = 0.95


@dataclass(slots=True)
class Board:
    """Cells by row and column, in the order in which they came."""

    columns: dict[Key, Column] = field(default_factory=dict)
    rows: dict[str, dict[Key, Cell]] = field(default_factory=dict)

    def put(self, row: str, column: Column, cell: Cell | None) -> None:
        """Put a cell in its place; a row that says nothing of a column has no cell there."""
        key = column.task, column.metric
        self.columns.setdefault(key, column)
        row_cells = self.rows.setdefault(row, {})
        if cell is not None:
            row_cells[key] = cell

    def cells(self, columns: Iterable[Key]) -> Iterator[Row]:
        """Yield each row with its cells in the order of these columns."""
        for name, cells in self.rows.items():
            yield Row(name, "", tuple(cells.get(key) for key in columns))


def analysis_table(
    analyses: Sequence[Analysis], *, tasks: Sequence[str] = (), looks: TableStyle | None = None
) -> Table:
    """Return analyses of one kind as one table.

    Args:
        analyses: At least one.
        tasks: Show these tasks alone, in this order.
        looks: How intervals are shown.

    Raises:
        UserError: analyses of several kinds or of one that is not known, a task none of them has.
    """
    kinds = {analysis.kind: analysis for analysis in analyses}
    if len(kinds) > 1:
        raise UserError(
            f"analyses of {' and '.join(sorted(kinds))} do not make one table",
            where=", ".join(str(analysis.directory) for analysis in kinds.values()),
            fix="name analyses of one kind",
        )
    (name,) = kinds
    view = view_of(name)
    if view is None:
        raise unknown("kind of analysis", name, _VIEWS)
    boards: dict[str, Board] = {}
    for analysis in analyses:
        view.fill(analysis, boards.setdefault(_asked(analysis), Board()))
    columns = _chosen(
        {key: one for board in boards.values() for key, one in board.columns.items()}, tasks
    )
    sections = tuple(
        Section(
            f"other data or settings ({settings[:8]})" if number else "",
            tuple(board.cells(columns)),
        )
        for number, (settings, board) in enumerate(boards.items())
    )
    return Table(
        columns=tuple(columns.values()),
        sections=sections,
        notes=tuple(_notes(analyses, view.note)),
        title=view.title,
        looks=looks or TableStyle(),
    )


def _asked(analysis: Analysis) -> str:
    """Return what analyses must have in common for their numbers to be compared."""
    if analysis.kind in {"probe", "mir"}:
        whose = {"encoders", "model", "marks"}
        return fingerprint(
            {key: value for key, value in analysis.about.items() if key not in whose}
        )
    return analysis.fingerprint


def _chosen(columns: Mapping[Key, Column], tasks: Sequence[str]) -> dict[Key, Column]:
    there = dict.fromkeys(task for task, _ in columns)
    for task in tasks:
        if task not in there:
            raise unknown("task of the analysis", task, there)
    return {key: columns[key] for task in tasks or there for key in columns if key[0] == task}


def _notes(analyses: Sequence[Analysis], lead: str) -> Iterator[str]:
    for mark in sorted({mark for found in analyses for mark in found.marks}):
        every = all(mark in found.marks for found in analyses)
        whose = "Every number is" if every else "Some numbers are"
        yield f"{whose} marked {mark}: {MEANINGS.get(mark, 'see the record')}."
    yield lead
    yield from dict.fromkeys(note for found in analyses for note in found.notes)


# --- kinds ---------------------------------------------------------------------------------------


def _probe(analysis: Analysis, board: Board) -> None:
    """A row an encoder, layer and pooling; what it lost against the first stands beside it."""
    probed = analysis.table("probe").records()
    lost = {
        (row["second"], row["task"], row["layer"], row["pooling"]): row
        for table in analysis.tables
        if table.name == "degradation"
        for row in table.records()
    }
    named = row_namer(probed)
    for row in probed:
        put_value(analysis, board, named(row), row)
        if lost:
            key = row["encoder"], row["task"], row["layer"], row["pooling"]
            put_loss(analysis, board, named(row), row, lost.get(key))


def row_namer(rows: Iterable[Record]) -> Callable[[Record], str]:
    """Return what names a row: its encoder, and layer and pooling where there are several."""
    places = {(row["layer"], row["pooling"]) for row in rows}

    def named(row: Record) -> str:
        where = f", layer {row['layer']}, {row['pooling']}" if len(places) > 1 else ""
        return f"{row['encoder']}{where}"

    return named


def put_value(analysis: Analysis, board: Board, name: str, row: Record) -> None:
    """Put a probe's value into the column of its task and metric."""
    column = column_of(row, "value", str(row["metric"]), row["direction"], float(row["scale"]))
    board.put(name, column, cell_of(analysis, row, "value", column.scale))


def put_loss(analysis: Analysis, board: Board, name: str, row: Record, lost: Record | None) -> None:
    """Put a loss beside the value of its task; ``None`` leaves the cell empty."""
    column = column_of(row, "lost", "lost", "lower", float(row["scale"]))
    board.put(
        name, column, None if lost is None else cell_of(analysis, lost, "degradation", column.scale)
    )


def _gradients(analysis: Analysis, board: Board) -> None:
    pairs = {
        key: row
        for row in analysis.table("pairs").records()
        for key in ((row["first"], row["second"]), (row["second"], row["first"]))
    }
    own_rows = {row["task"]: row for row in analysis.table("tasks").records()}
    for first, itself in own_rows.items():
        for second in own_rows:
            column = column_of({"task": second}, "cosine", "cosine", "none", 1.0)
            row, value = (itself, "own") if first == second else (pairs[first, second], "mean")
            board.put(str(first), column, cell_of(analysis, row, value, 1.0))


def _transfer(analysis: Analysis, board: Board) -> None:
    rows = analysis.table("transfer").records()
    mixtures = {(row["model"], row["tasks"]) for row in rows}
    several_mixtures = len(mixtures) > len({model for model, _ in mixtures})
    for row in rows:
        column = column_of(row, "change", "change, %", "higher", 100.0)
        name = f"{row['model']}, joint {row['tasks']}" if several_mixtures else str(row["model"])
        board.put(name, column, cell_of(analysis, row, "relative", 100.0))


def _mir(analysis: Analysis, board: Board) -> None:
    model: Any = analysis.about["model"]
    name = titled(str(model["id"]), model.get("training"), model.get("method"))
    if name in board.rows:
        name = f"{name} ({str(model['fingerprint'])[:8]})"
    for row in analysis.table("mir").records():
        column = column_of(row, "mir", "MIR", "lower", 1.0)
        board.put(name, column, cell_of(analysis, row, "mir", 1.0))


def column_of(row: Record, metric: str, name: str, direction: Direction, scale: float) -> Column:
    """Return the column of a row's task."""
    task = str(row["task"])
    return Column(task, task, metric, name, direction, scale)


def cell_of(analysis: Analysis, row: Record, value: str, scale: float) -> Cell:
    """Return the cell of a row's number ``value``, scaled, with its interval ``low``, ``high``."""
    scaled_value, low, high = scaled(row, value, scale)
    return Cell(
        value=scaled_value,
        low=low,
        high=high,
        level=None if low is None else _LEVEL,
        n=int(row.get("samples") or row.get("pairs") or row.get("minibatches") or 0),
        clusters=int(row.get("clusters") or 0),
        unparsed=0.0,
        refusals=0.0,
        errors=0,
        marks=analysis.marks,
        shown=(),
        evaluation=analysis.fingerprint,
        seeds=int(row.get("seeds") or 1),
    )


@dataclass(frozen=True, slots=True)
class AnalysisView:
    """How analyses of one kind are shown.

    Attributes:
        note: What the numbers of the leaderboard's table are.
        fill: Puts an analysis' numbers in their places.
        captions: What the numbers of each sealed table are, by the table's name.
    """

    title: str
    note: str
    fill: Callable[[Analysis, Board], None]
    captions: Mapping[str, str] = field(default_factory=dict)


def view_of(kind: str) -> AnalysisView | None:
    """Return how analyses of a kind are shown; a kind of study may bring its own view."""
    study = plugins().study_kinds().get(kind)
    if kind in _VIEWS or study is None or not study.view:
        return _VIEWS.get(kind)
    target = replace(study, target=study.view)
    view = load_target(target)
    if not isinstance(view, AnalysisView):
        raise contract_of(study).wrong(f"has {described(view)} as its view, not an AnalysisView")
    return view


_VIEWS: Mapping[str, AnalysisView] = {
    "probe": AnalysisView(
        "Linear probes of frozen encoders",
        "lost: the first encoder's probe against this one's on the same samples, positive where "
        "this one is worse; paired intervals over clusters.",
        _probe,
    ),
    "gradients": AnalysisView(
        "Gradient conflict between tasks",
        "Mean cosine of minibatches' gradients, with Student's t interval; on the diagonal a task "
        "with itself, the reference.",
        _gradients,
    ),
    "transfer": AnalysisView(
        "Joint against single-task training",
        "Change in percent of single-task training, positive where joint training is better; "
        "Student's t interval over seeds, cut to the changes that the metric allows.",
        _transfer,
    ),
    "mir": AnalysisView(
        "Modality integration rate",
        "log10 of the sum over layers of the distance between image and text; lower is better "
        "integrated. All pairs make one number.",
        _mir,
    ),
}
