"""Sealed analyses as the table of a leaderboard, so that every format writes them.

Rows are encoders, models or towers, columns are tasks. What several analyses measured stands in one
section only where the same was asked under the same settings.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.analysis.results import Analysis, scaled
from harness.descriptors import Direction, Json
from harness.errors import UserError, unknown
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
    if name not in _KINDS:
        raise unknown("kind of analysis", name, _KINDS)
    kind = _KINDS[name]
    boards: dict[str, Board] = {}
    for found in analyses:
        kind.fill(found, boards.setdefault(_asked(found), Board()))
    columns = _chosen(
        {key: one for held in boards.values() for key, one in held.columns.items()}, tasks
    )
    sections = tuple(
        Section(
            f"other data or settings ({asked[:8]})" if place else "", tuple(_rows(held, columns))
        )
        for place, (asked, held) in enumerate(boards.items())
    )
    return Table(
        columns=tuple(columns.values()),
        sections=sections,
        notes=tuple(_notes(analyses, kind.said)),
        title=kind.title,
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


def _rows(board: Board, columns: Iterable[Key]) -> Iterator[Row]:
    for name, cells in board.rows.items():
        yield Row(name, "", tuple(cells.get(key) for key in columns))


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
    named = _namer(probed)
    for row in probed:
        _put_value(found, board, named(row), row)
        if lost:
            place = row["encoder"], row["task"], row["layer"], row["pooling"]
            _put_lost(found, board, named(row), row, lost.get(place))


def _degradation(found: Analysis, board: Board) -> None:
    """A row a tower: what was found before, then means over seeds and what was lost."""
    probed = [row for row in found.table("probe").records() if row["seed"] is None]
    named = _namer(probed)
    direction: dict[Json, Any] = {row["task"]: row["direction"] for row in probed}
    for row in probed:
        _put_value(found, board, named(row), row)
        _put_lost(found, board, named(row), row, None)
    for lost in found.table("degradation").records():
        row = {**lost, "seeds": 1, "direction": direction[lost["task"]]}  # the notes have the seeds
        after = {**row, "value": row["after"], "low": None, "high": None}
        _put_value(found, board, named(row), after)
        _put_lost(found, board, named(row), row, row)


def _namer(rows: Iterable[Record]) -> Callable[[Record], str]:
    """Return what names a row: its encoder, and layer and pooling where there are several."""
    places = {(row["layer"], row["pooling"]) for row in rows}

    def named(row: Record) -> str:
        where = f", layer {row['layer']}, {row['pooling']}" if len(places) > 1 else ""
        return f"{row['encoder']}{where}"

    return named


def _put_value(found: Analysis, board: Board, name: str, row: Record) -> None:
    column = _column(row, "value", str(row["metric"]), row["direction"], float(row["scale"]))
    board.put(name, column, _cell(found, row, "value", column.scale))


def _put_lost(found: Analysis, board: Board, name: str, row: Record, lost: Record | None) -> None:
    column = _column(row, "lost", "lost", "lower", float(row["scale"]))
    board.put(
        name, column, None if lost is None else _cell(found, lost, "degradation", column.scale)
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
            column = _column({"task": other}, "cosine", "cosine", "none", 1.0)
            row, value = (itself, "own") if one == other else (pairs[one, other], "mean")
            board.put(str(one), column, _cell(found, row, value, 1.0))


def _transfer(found: Analysis, board: Board) -> None:
    rows = found.table("transfer").records()
    mixtures = {(row["model"], row["tasks"]) for row in rows}
    several = len(mixtures) > len({model for model, _ in mixtures})
    for row in rows:
        column = _column(row, "change", "change, %", "higher", 100.0)
        name = f"{row['model']}, joint {row['tasks']}" if several else str(row["model"])
        board.put(name, column, _cell(found, row, "relative", 100.0))


def _mir(found: Analysis, board: Board) -> None:
    model: Any = found.about["model"]
    name = titled(str(model["id"]), model)
    if name in board.rows:
        name = f"{name} ({str(model['fingerprint'])[:8]})"
    for row in found.table("mir").records():
        column = _column(row, "mir", "MIR", "lower", 1.0)
        board.put(name, column, _cell(found, row, "mir", 1.0))


def _column(row: Record, metric: str, name: str, direction: Direction, scale: float) -> Column:
    task = str(row["task"])
    return Column(task, task, metric, name, direction, scale)


def _cell(found: Analysis, row: Record, value: str, scale: float) -> Cell:
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
class Kind:
    """How analyses of one kind become a table.

    Attributes:
        said: What the numbers are.
        fill: Puts an analysis' numbers in their places.
    """

    title: str
    said: str
    fill: Callable[[Analysis, Board], None]


_KINDS: Mapping[str, Kind] = {
    "probe": Kind(
        "Linear probes of frozen encoders",
        "lost: the first encoder's probe against this one's on the same samples, positive where "
        "this one is worse; paired intervals over clusters.",
        _probe,
    ),
    "degradation": Kind(
        "What training took from a vision tower",
        "lost: the probe before training against after, positive where it is worse after; means "
        "over seeds, with Student's t interval.",
        _degradation,
    ),
    "gradients": Kind(
        "Gradient conflict between tasks",
        "Mean cosine of minibatches' gradients, with Student's t interval; on the diagonal a task "
        "with itself, the reference.",
        _gradients,
    ),
    "transfer": Kind(
        "Joint against single-task training",
        "Change in percent of single-task training, positive where joint training is better; "
        "Student's t interval over seeds.",
        _transfer,
    ),
    "mir": Kind(
        "Modality integration rate",
        "log10 of the sum over layers of the distance between picture and text; lower is better "
        "integrated. All pairs make one number.",
        _mir,
    ),
}
