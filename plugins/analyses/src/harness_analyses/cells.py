"""Cells of a board, made of the rows of a sealed analysis: for views of analyses."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from harness.analysis.board import Board
from harness.analysis.results import Analysis, scaled
from harness.descriptors import Direction
from harness.tables.table import Cell, Column

Record = Mapping[str, Any]
_LEVEL = 0.95


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
