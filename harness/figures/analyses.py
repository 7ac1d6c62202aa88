"""From sealed analyses to what figures show; :mod:`harness.analysis.results` has their tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from harness.analysis.results import Analysis, finite, scaled
from harness.descriptors import Json
from harness.errors import UserError
from harness.figures.shapes import Grid, Panel, Point, Value

Row = dict[str, Json]


@dataclass(frozen=True, slots=True)
class Curves:
    """Numbers by layer: a name to points whose labels are whole numbers."""

    title: str
    up: str
    curves: Mapping[str, tuple[Point, ...]]


@dataclass(frozen=True, slots=True)
class Arrows:
    """Changes from nothing, in percent, each with its interval."""

    title: str
    across: str
    points: tuple[Point, ...]


def degradation_panels(found: Analysis) -> tuple[Panel, ...]:
    """Return what each tower lost by task: a panel for each tower and unit; 0 is nothing.

    Raises:
        UserError: an analysis without a second tower.
    """
    panels: dict[tuple[str, str], list[Point]] = {}
    for row in _table(found, "degradation"):
        scale = float(row["scale"])
        lost = f"lost{', points' if scale == 100 else ''} (positive: worse than before)"
        tower = str(row.get("second", row.get("encoder")))
        point = Point(_probed(row), *scaled(row, "degradation", scale))
        panels.setdefault((tower, lost), []).append(point)
    return tuple(Panel(tower, lost, tuple(points), 0.0) for (tower, lost), points in panels.items())


def _probed(row: Row) -> str:
    place = "" if str(row["layer"]) == "-1" else f", layer {row['layer']}"
    control = ", control" if row.get("is_control") else ""
    return f"{row['task']} ({row['metric']}{place}{control})"


def layer_curves(found: Analysis) -> tuple[Curves, ...]:
    """Return a probe's value by layer: a figure's part for each task, a line for each encoder.

    Raises:
        UserError: probes of one layer only.
    """
    parts: dict[tuple[str, str], dict[str, list[Point]]] = {}
    layers = set()
    rows = _table(found, "probe")
    several = len({row["pooling"] for row in rows}) > 1
    for row in rows:
        layers.add(row["block"])
        named = f"{row['encoder']}, {row['pooling']}" if several else str(row["encoder"])
        if row.get("seed") is not None:
            named += f", seed {row['seed']}"
        unit = " %" if row["scale"] == 100 else ""
        part = parts.setdefault((str(row["task"]), f"{row['metric']}{unit}"), {})
        point = Point(str(row["block"]), *scaled(row, "value", float(row["scale"])))
        part.setdefault(named, []).append(point)
    if len(layers) < 2:
        raise UserError(
            "probes of one layer make no curve", where=found.directory, fix="--layers all"
        )
    return tuple(
        Curves(task, unit, {name: tuple(points) for name, points in held.items()})
        for (task, unit), held in parts.items()
    )


def conflict_grids(found: Analysis) -> tuple[Grid, ...]:
    """Return mean cosines between tasks, a grid for each tower; the diagonal is the reference."""
    if found.kind == "gradients":
        rows = _table(found, "matrix")
        tasks = tuple(str(row["task"]) for row in rows)
        values = tuple(tuple(finite(row[task]) for task in tasks) for row in rows)
        return (Grid("", tasks, tasks, values, "cosine"),)
    grids = []
    held: dict[str, dict[tuple[str, str], Value]] = {}
    for row in _table(found, "conflict"):
        one, other = str(row["first"]), str(row["second"])
        cell = held.setdefault(str(row["tower"]), {})
        cell[one, other] = cell[other, one] = finite(row["cosine"])
    for tower, cell in held.items():
        tasks = tuple(dict.fromkeys(one for one, other in cell if one == other))
        values = tuple(tuple(cell.get((one, other)) for other in tasks) for one in tasks)
        grids.append(Grid(f"tower: {tower}", tasks, tasks, values, "cosine"))
    return tuple(grids)


def transfer_arrows(found: Analysis) -> tuple[Arrows, ...]:
    """Return what joint training changed of each task, by model or by tower."""
    parts: dict[str, list[Point]] = {}
    for row in _table(found, "transfer"):
        named = f"tower: {row['tower']}" if "tower" in row else str(row.get("model"))
        point = Point(str(row["task"]), *scaled(row, "relative", 100.0))
        parts.setdefault(named, []).append(point)
    across = "change by joint training, % of single (positive: better)"
    return tuple(Arrows(title, across, tuple(points)) for title, points in parts.items())


Make = Callable[[Analysis], Any]
MAKERS: Mapping[str, tuple[str, Make]] = {
    "degradation": ("degradation", degradation_panels),
    "layers": ("probe", layer_curves),
    "conflict": ("conflict", conflict_grids),
    "transfer": ("transfer", transfer_arrows),
}
"""Kind of figure to the table it is made of, and how."""


def figures_of(found: Analysis) -> dict[str, Any]:
    """Return every figure that an analysis has: its kind to what it shows."""
    there = {table.name for table in found.tables}
    held: dict[str, Any] = {}
    for kind, (table, make) in MAKERS.items():
        if table not in there and not (kind == "conflict" and "matrix" in there and _pulls(found)):
            continue
        try:
            held[kind] = make(found)
        except UserError:
            continue  # one layer
    return held


def _pulls(found: Analysis) -> bool:
    return found.kind == "gradients"


def _table(found: Analysis, name: str) -> list[dict[str, Any]]:
    held = [table for table in found.tables if table.name == name]
    if not held or not held[0].rows:
        there = ", ".join(table.name for table in found.tables)
        raise UserError(
            f"this analysis ({found.kind}) has no table {name!r}",
            where=found.directory,
            fix=f"its tables: {there}",
        )
    return held[0].records()
