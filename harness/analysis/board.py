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
        held = self.rows.setdefault(row, {})
        if cell is not None:
            held[key] = cell

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
    kinds = {found.kind: found for found in analyses}
    if len(kinds) > 1:
        raise UserError(
            f"analyses of {' and '.join(sorted(kinds))} do not make one table",
            where=", ".join(str(found.directory) for found in kinds.values()),
            fix="name analyses of one kind",
        )
    (name,) = kinds
    view = view_of(name)
    if view is None:
        raise unknown("kind of analysis", name, _VIEWS)
    boards: dict[str, Board] = {}
    for found in analyses:
        view.fill(found, boards.setdefault(_asked(found), Board()))
    columns = _chosen(
        {key: one for held in boards.values() for key, one in held.columns.items()}, tasks
    )
    sections = tuple(
        Section(
            f"other data or settings ({asked[:8]})" if place else "", tuple(held.cells(columns))
        )
        for place, (asked, held) in enumerate(boards.items())
    )
    return Table(
        columns=tuple(columns.values()),
        sections=sections,
        notes=tuple(_notes(analyses, view.note)),
        title=view.title,
        looks=looks or TableStyle(),
    )


def _asked(found: Analysis) -> str:
    """Return what analyses must have in common for their numbers to be compared."""
    if found.kind in {"probe", "mir"}:
        whose = {"encoders", "model", "marks"}
        return fingerprint({key: value for key, value in found.about.items() if key not in whose})
    return found.fingerprint


def _chosen(columns: Mapping[Key, Column], tasks: Sequence[str]) -> dict[Key, Column]:
    there = dict.fromkeys(task for task, _ in columns)
    for task in tasks:
        if task not in there:
            raise unknown("task of the analysis", task, there)
    return {key: columns[key] for task in tasks or there for key in columns if key[0] == task}


def _notes(analyses: Sequence[Analysis], said: str) -> Iterator[str]:
    for mark in sorted({mark for found in analyses for mark in found.marks}):
        every = all(mark in found.marks for found in analyses)
        whose = "Every number is" if every else "Some numbers are"
        yield f"{whose} marked {mark}: {MEANINGS.get(mark, 'see the record')}."
    yield said
    yield from dict.fromkeys(note for found in analyses for note in found.notes)


# --- kinds ---------------------------------------------------------------------------------------


def _probe(found: Analysis, board: Board) -> None:
    """A row an encoder, layer and pooling; what it lost against the first stands beside it."""
    probed = found.table("probe").records()
    lost = {
        (row["second"], row["task"], row["layer"], row["pooling"]): row
        for table in found.tables
        if table.name == "degradation"
        for row in table.records()
    }
    named = row_namer(probed)
    for row in probed:
        put_value(found, board, named(row), row)
        if lost:
            place = row["encoder"], row["task"], row["layer"], row["pooling"]
            put_loss(found, board, named(row), row, lost.get(place))


def row_namer(rows: Iterable[Record]) -> Callable[[Record], str]:
    """Return what names a row: its encoder, and layer and pooling where there are several."""
    places = {(row["layer"], row["pooling"]) for row in rows}

    def named(row: Record) -> str:
        where = f", layer {row['layer']}, {row['pooling']}" if len(places) > 1 else ""
        return f"{row['encoder']}{where}"

    return named


def put_value(found: Analysis, board: Board, name: str, row: Record) -> None:
    """Put a probe's value into the column of its task and metric."""
    column = column_of(row, "value", str(row["metric"]), row["direction"], float(row["scale"]))
    board.put(name, column, cell_of(found, row, "value", column.scale))


def put_loss(found: Analysis, board: Board, name: str, row: Record, lost: Record | None) -> None:
    """Put a loss beside the value of its task; ``None`` leaves the cell empty."""
    column = column_of(row, "lost", "lost", "lower", float(row["scale"]))
    board.put(
        name, column, None if lost is None else cell_of(found, lost, "degradation", column.scale)
    )


def _gradients(found: Analysis, board: Board) -> None:
    pairs = {
        key: row
        for row in found.table("pairs").records()
        for key in ((row["first"], row["second"]), (row["second"], row["first"]))
    }
    own = {row["task"]: row for row in found.table("tasks").records()}
    for one, itself in own.items():
        for other in own:
            column = column_of({"task": other}, "cosine", "cosine", "none", 1.0)
            row, value = (itself, "own") if one == other else (pairs[one, other], "mean")
            board.put(str(one), column, cell_of(found, row, value, 1.0))


def _transfer(found: Analysis, board: Board) -> None:
    rows = found.table("transfer").records()
    mixtures = {(row["model"], row["tasks"]) for row in rows}
    several = len(mixtures) > len({model for model, _ in mixtures})
    for row in rows:
        column = column_of(row, "change", "change, %", "higher", 100.0)
        name = f"{row['model']}, joint {row['tasks']}" if several else str(row["model"])
        board.put(name, column, cell_of(found, row, "relative", 100.0))


def _mir(found: Analysis, board: Board) -> None:
    model: Any = found.about["model"]
    name = titled(str(model["id"]), model)
    if name in board.rows:
        name = f"{name} ({str(model['fingerprint'])[:8]})"
    for row in found.table("mir").records():
        column = column_of(row, "mir", "MIR", "lower", 1.0)
        board.put(name, column, cell_of(found, row, "mir", 1.0))


def column_of(row: Record, metric: str, name: str, direction: Direction, scale: float) -> Column:
    """Return the column of a row's task."""
    task = str(row["task"])
    return Column(task, task, metric, name, direction, scale)


def cell_of(found: Analysis, row: Record, value: str, scale: float) -> Cell:
    """Return the cell of a row's number ``value``, scaled, with its interval ``low``, ``high``."""
    one, low, high = scaled(row, value, scale)
    return Cell(
        value=one,
        low=low,
        high=high,
        level=None if low is None else _LEVEL,
        n=int(row.get("samples") or row.get("pairs") or row.get("minibatches") or 0),
        clusters=int(row.get("clusters") or 0),
        unparsed=0.0,
        refusals=0.0,
        errors=0,
        marks=found.marks,
        shown=(),
        evaluation=found.fingerprint,
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
